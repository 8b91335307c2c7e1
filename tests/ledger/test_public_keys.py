"""What shows the heads' keys needs their public halves only: the private one is the sealer's and the commands'."""

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from ledger.head_keys import HeadKey, PublicKeys, public_path
from ledger.heads import sign
from ledger.verify import verify
from resolvers.transparency import Transparency
from tests.ledger.sealed_world import ended, plain
from vault.keyring import KeyringError

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ledger-key.json"
    HeadKey.load_or_create(path, demo=True)
    return path


def test_the_head_is_shown_by_who_cannot_read_the_private_key(path):
    key = HeadKey.load(path)
    head = sign(key, 1, bytes(32), None, now=NOW)
    path.unlink()

    async def one(_):
        return head.line

    transparency = Transparency(SimpleNamespace(fetchval=one), PublicKeys(path), None, None, lambda: NOW)
    told = asyncio.run(transparency.head(None))
    assert (told["publicKey"]["kid"], told["head"]) == (key.id, head.text)
    assert key.private.hex() not in public_path(path).read_text()


def test_a_new_key_is_known_to_whoever_has_read_the_old_one_and_files_are_read_once(path):
    keys, old = PublicKeys(path), HeadKey.load(path)
    assert keys[old.id] == old.public
    new = old.rotated(NOW)
    new.save(path)
    assert (keys[new.id], keys[old.id]) == (new.public, old.public)
    public_path(path).unlink()
    assert (keys[new.id], keys[old.id]) == (new.public, old.public)


def test_a_key_nobody_announced_is_unknown_and_a_damaged_file_is_named(path):
    with pytest.raises(KeyError):
        PublicKeys(path)["ab" * 32]
    for content in ("", "{}", "[]\n", '{"public":1}\n', "\x80"):
        public_path(path).write_text(content, encoding="latin-1")
        with pytest.raises(KeyringError, match="ledger-key-public"):
            PublicKeys(path)["ab" * 32]


def test_the_file_is_made_again_where_it_is_missing_or_another_keys(path):
    lines = public_path(path).read_text()
    for spoil in (lambda: public_path(path).unlink(), lambda: public_path(path).write_text("{}")):
        spoil()
        HeadKey.load_or_create(path)
        assert public_path(path).read_text() == lines


def test_a_verifier_takes_it_for_the_key_that_is_known(path):
    world = plain()
    opening = world.second[0]
    HeadKey(world.key.private, world.key.opening).save(path)
    assert public_path(path).read_text() == f"{opening}\n"
    pinned = json.loads(opening)["key"]
    assert verify(ended(world.export()), ended(world.second), pinned=pinned).findings == []
