"""Key-encryption keys by version: added, made current and removed in one file, known to its holders at once (C48)."""

import json
import stat
import subprocess
import sys
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from vault.keyring import (
    LAST_VERSION,
    KeyringError,
    WrappingKeys,
    add_version,
    generate,
    load,
    load_or_create,
    make_current,
    remove_version,
)
from vault.sealing import SealedValueError, column_label, new_data_key, open_column, rewrap, seal, unwrap, wrapped_by

BEFORE = generate()
AFTER = BEFORE.__class__(
    **{
        **{name: getattr(BEFORE, name) for name in ("blind", "audience", "cursor", "login")},
        "wrapping": WrappingKeys(300, {**BEFORE.wrapping.stored(), 300: b"\x07" * 31 + b"\x01"}),
    }
)
LABEL = column_label("person", "name_sealed")
RETENTION = st.integers(1, 5)
KEEPER = """
import sys
from pathlib import Path
from vault.keyring import add_version
for _ in range(20):
    add_version(Path(sys.argv[1]))
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "keyring.json"
    load_or_create(path)
    return path


@given(st.uuids(), RETENTION, st.text())
def test_a_data_key_wrapped_anew_is_the_same_key(person, retention, text):
    key = new_data_key(BEFORE, person, retention=retention)
    blob = seal(key, text, label=LABEL, row=person.bytes)
    wrapped = rewrap(AFTER, key.wrapped, person_id=person, retention=retention)
    assert wrapped.startswith(wrapped_by(300))
    assert not key.wrapped.startswith(wrapped_by(300))
    again = unwrap(AFTER, wrapped, person_id=person, retention=retention)
    assert open_column([blob], [again], [person.bytes], label=LABEL) == [text]
    with pytest.raises(SealedValueError):
        unwrap(BEFORE, wrapped, person_id=person, retention=retention)


@given(st.uuids(), st.uuids(), RETENTION, RETENTION)
def test_no_key_is_wrapped_anew_for_another_person_or_class(person, other, retention, another):
    wrapped = new_data_key(BEFORE, person, retention=retention).wrapped
    if (person, retention) != (other, another):
        with pytest.raises(SealedValueError):
            rewrap(AFTER, wrapped, person_id=other, retention=another)
        anew = rewrap(AFTER, wrapped, person_id=person, retention=retention)
        with pytest.raises(SealedValueError):
            unwrap(AFTER, anew, person_id=other, retention=another)


@given(st.integers(min_value=0), st.integers(1, 255))
def test_an_altered_key_is_wrapped_anew_by_nobody(place, change):
    person = UUID(int=5)
    wrapped = bytearray(rewrap(AFTER, new_data_key(BEFORE, person, retention=1).wrapped, person_id=person, retention=1))
    wrapped[place % len(wrapped)] ^= change
    with pytest.raises(SealedValueError):
        rewrap(AFTER, bytes(wrapped), person_id=person, retention=1)


def test_a_new_version_wraps_nothing_until_it_is_current_and_then_at_once_everywhere(path):
    holder = load(path)
    assert add_version(path) == 2
    assert new_data_key(holder, UUID(int=1), retention=1).wrapped.startswith(wrapped_by(1))
    make_current(path, 2)
    assert new_data_key(holder, UUID(int=1), retention=1).wrapped.startswith(wrapped_by(2))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_whoever_meets_a_version_that_they_do_not_know_looks_into_the_file(path):
    holder = load(path)
    make_current(path, add_version(path))
    wrapped = new_data_key(load(path), UUID(int=1), retention=1).wrapped
    assert unwrap(holder, wrapped, person_id=UUID(int=1), retention=1).wrapped == wrapped


def test_everything_else_in_the_keyring_stays_as_it_was(path):
    before = json.loads(path.read_text())
    make_current(path, add_version(path))
    remove_version(path, 1)
    after = json.loads(path.read_text())
    assert list(after.pop("wrapping")) == ["2"]
    assert after.pop("current") == 2
    assert after == {name: value for name, value in before.items() if name not in ("wrapping", "current")}


def test_the_current_version_is_never_removed_nor_one_made_current_that_is_not_there(path):
    before = path.read_text()
    for change in (remove_version, lambda path, _: make_current(path, 9)):
        with pytest.raises(KeyringError, match="nothing has been changed"):
            change(path, 1)
    assert path.read_text() == before


def test_a_removed_version_opens_nothing_any_more_wherever_it_was_known(path):
    holder, person = load(path), UUID(int=1)
    wrapped = new_data_key(holder, person, retention=1).wrapped
    make_current(path, add_version(path))
    remove_version(path, 1)
    holder.wrapping.refresh()
    with pytest.raises(SealedValueError, match="the keyring lacks"):
        unwrap(holder, wrapped, person_id=person, retention=1)


def test_while_the_file_cannot_be_read_what_was_read_before_stays_in_use(path):
    holder, whole = load(path), path.read_text()
    path.write_text("{")
    assert new_data_key(holder, UUID(int=1), retention=1).wrapped.startswith(wrapped_by(1))
    assert not holder.wrapping.readable
    path.write_text(whole)
    holder.wrapping.refresh()
    assert holder.wrapping.readable


def test_a_file_without_its_current_version_is_no_keyring(path):
    path.write_text(path.read_text().replace('"current": 1', '"current": 2'))
    with pytest.raises(KeyringError, match="cannot be read as a keyring"):
        load(path)


def test_versions_end_where_a_wrapped_key_has_no_room_for_more(path):
    path.write_text(
        path.read_text().replace('"1":', f'"{LAST_VERSION}":').replace('"current": 1', f'"current": {LAST_VERSION}')
    )
    with pytest.raises(KeyringError, match="no room"):
        add_version(path)


def test_a_reader_never_meets_half_a_file(path):
    holder = load(path)
    process = subprocess.Popen([sys.executable, "-c", KEEPER, str(path)], cwd=ROOT)
    while process.poll() is None:
        assert holder.wrapping.current == 1
        assert holder.wrapping.readable
    assert holder.wrapping.versions == tuple(range(1, 22))
