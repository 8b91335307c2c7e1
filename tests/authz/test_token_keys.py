"""Signing keys change without a moment in which none is good, and a lost one dies at once."""

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest

from authz.token_keys import KEPT_AFTER, PUBLISHED_BEFORE, KeyFile, TokenKeys
from authz.tokens import LONGEST, Refused, Verifier, mint, new_subject
from models.vocabulary import Purpose, Role
from vault.keyring import KeyringError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SUBJECT = new_subject(
    Role.AUDITOR, [Purpose.ADMINISTRATION], categories=0, account="1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
)


@pytest.fixture
def keys(tmp_path):
    return TokenKeys.load_or_create(tmp_path / "keys.json")


def accepted(keys, token, now):
    return not isinstance(Verifier(keys).verify(token, now=now), Refused)


def kid(key_set):
    return {key["kid"] for key in key_set["keys"]}


def test_a_new_key_is_published_before_it_signs_and_verifies_meanwhile(keys):
    rotated = keys.rotated(NOW)
    just_before, after = NOW + PUBLISHED_BEFORE - timedelta(seconds=1), NOW + PUBLISHED_BEFORE
    assert len(kid(rotated.public(NOW))) == 2
    assert rotated.signing(just_before).kid == keys.signing(NOW).kid
    assert rotated.signing(after).kid != keys.signing(NOW).kid


def test_the_old_key_verifies_until_the_last_token_it_signed_has_expired(keys):
    rotated = keys.rotated(NOW)
    last = NOW + PUBLISHED_BEFORE - timedelta(seconds=1)
    token = mint(rotated, SUBJECT, now=last)
    assert accepted(rotated, token, last + LONGEST - timedelta(seconds=2))
    later = NOW + PUBLISHED_BEFORE + KEPT_AFTER
    assert kid(rotated.public(later)) == {rotated.signing(later).kid}


def test_rotating_again_and_again_leaves_no_moment_without_a_key_that_signs_and_verifies(keys):
    now = NOW
    for _ in range(20):
        keys = keys.rotated(now)
        now += timedelta(seconds=7)
        assert accepted(keys, mint(keys, SUBJECT, now=now), now)
    now += KEPT_AFTER
    assert len(kid(keys.rotated(now).public(now))) <= 4


def test_after_the_loss_of_a_key_nothing_it_signed_is_accepted(keys):
    token = mint(keys, SUBJECT, now=NOW)
    replaced = keys.rotated(NOW, at_once=True)
    assert not accepted(replaced, token, NOW)
    assert accepted(replaced, mint(replaced, SUBJECT, now=NOW), NOW)


def test_a_verifier_that_is_given_other_keys_forgets_what_it_accepted(keys):
    verifier = Verifier(keys)
    token = mint(keys, SUBJECT, now=NOW)
    assert verifier.verify(token, now=NOW).subject.role is Role.AUDITOR
    verifier.use(keys.rotated(NOW, at_once=True))
    assert isinstance(verifier.verify(token, now=NOW), Refused)


def test_the_published_set_holds_no_private_part(keys):
    for key in keys.rotated(NOW).public(NOW)["keys"]:
        assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}


def test_a_process_notices_that_another_one_rotated(tmp_path):
    path = tmp_path / "keys.json"
    file = KeyFile(path)
    assert not file.changed()
    TokenKeys.load(path).rotated(NOW).save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert file.changed()
    assert not file.changed()
    assert len(kid(file.keys.public(NOW))) == 2


def test_a_damaged_file_is_refused_and_the_keys_read_before_stay(tmp_path):
    path = tmp_path / "keys.json"
    file = KeyFile(path)
    before = kid(file.keys.public(NOW))
    path.write_text('{"format": 2, "keys": [')
    with pytest.raises(KeyringError, match="restore it"):
        file.changed()
    assert kid(file.keys.public(NOW)) == before


def test_a_key_file_of_the_first_format_is_still_read(tmp_path, keys):
    path = tmp_path / "first.json"
    key = keys.signing(NOW)
    path.write_text(json.dumps({"format": 1, "current": key.kid, "keys": [key.as_dict(private=True)]}))
    assert accepted(TokenKeys.load(path), mint(keys, SUBJECT, now=NOW), NOW)


def test_no_key_shows_itself(keys):
    secret = keys.signing(NOW).as_dict(private=True)["d"]
    assert secret not in repr(keys)
    assert secret not in repr(keys._keys)
