"""The keyring's file, replaced or cut short under whoever serves, or another's at a start (C48)."""

import json
from datetime import UTC, datetime

import pytest

from privacy.rotation import KeysRefusedError, know
from vault.files import create_file
from vault.keyring import _to_json as to_json
from vault.keyring import add_version, generate, load, make_current

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_file_that_is_cut_short_missing_or_anothers_changes_nothing_for_whoever_serves(tmp_path):
    path = tmp_path / "keyring.json"
    create_file(path, to_json(generate()))
    keyring, before = load(path), path.read_text()
    current = keyring.wrapping.newest()
    # Another installation's, of the same version: what it would wrap the right one would never open.
    for wrong in (before[:40], "", None, to_json(generate())):
        path.unlink(missing_ok=True)
        if wrong is not None:
            path.write_text(wrong)
        assert keyring.wrapping.newest() == current
        assert keyring.wrapping.get(2) is None
        assert not keyring.wrapping.readable
    path.write_text(before)
    assert (keyring.wrapping.newest(), keyring.wrapping.readable) == (current, True)
    make_current(path, add_version(path))
    assert keyring.wrapping.newest()[0] == 2
    assert keyring.wrapping.get(1) == current[1]


def test_a_keyring_of_another_installation_stops_a_start_though_its_versions_are_the_same(kept, tmp_path):
    told = json.loads(to_json(generate()))
    own = json.loads(kept.installation.keyring_path.read_text())
    key = next(iter(told["wrapping"].values()))
    other = {**told, "current": own["current"], "wrapping": dict.fromkeys(own["wrapping"], key)}
    path = tmp_path / "keyring.json"
    path.write_text(json.dumps(other))

    async def work(connection, _):
        await know(connection, kept.keyring, now=NOW)
        await know(connection, load(path), now=NOW)

    with pytest.raises(KeysRefusedError, match="opens nothing of this database"):
        kept.beside(work)
