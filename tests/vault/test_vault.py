"""The vault: what is sealed opens only in its own cell, under its own key, and shows itself nowhere."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.token_keys import TokenKeys
from vault.blind import audience_id, blind
from vault.files import create_file, replace_file
from vault.keyring import Keyring, KeyringError, generate, load, load_or_create
from vault.messages import close_message, open_message
from vault.sealing import KeyCache, SealedValueError, column_label, new_data_key, open_column, seal, unwrap

KEYRING = generate()
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PERSON = UUID(int=7)
KEY = new_data_key(KEYRING, PERSON, retention=1)
LABEL = column_label("person", "name_sealed")
ROW = UUID(int=9).bytes


def opened(blob, *, key=KEY, row=ROW, label=LABEL):
    return open_column([blob], [key], [row], label=label)[0]


@given(st.text())
def test_what_is_sealed_opens_again(text):
    assert opened(seal(KEY, text, label=LABEL, row=ROW)) == text


def test_a_sealed_value_opens_in_no_other_row_column_or_key():
    blob = seal(KEY, "张伟", label=LABEL, row=ROW)
    other = new_data_key(KEYRING, PERSON, retention=2)
    for change in ({"row": UUID(int=8).bytes}, {"label": column_label("person", "phone_sealed")}, {"key": other}):
        with pytest.raises(SealedValueError):
            opened(blob, **change)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_sealed_value_with_any_altered_byte_is_refused(place, change):
    blob = bytearray(seal(KEY, "110101199003070011", label=LABEL, row=ROW))
    blob[place % len(blob)] ^= change
    with pytest.raises(SealedValueError):
        opened(bytes(blob))


def test_a_destroyed_key_opens_nothing_and_null_stays_null():
    with pytest.raises(SealedValueError):
        opened(seal(KEY, "x", label=LABEL, row=ROW), key=None)
    assert opened(None, key=None) is None


def test_the_stored_forms_begin_with_their_version():
    assert seal(KEY, "x", label=LABEL, row=ROW, nonce=bytes(12))[:14] == b"\x01\x01" + bytes(12)
    assert KEY.wrapped[:3] == b"\x01\x00\x01"


def test_a_wrapped_key_opens_for_its_own_person_and_class_only():
    assert unwrap(KEYRING, KEY.wrapped, person_id=PERSON, retention=1).wrapped == KEY.wrapped
    for person, retention in ((UUID(int=8), 1), (PERSON, 2)):
        with pytest.raises(SealedValueError):
            unwrap(KEYRING, KEY.wrapped, person_id=person, retention=retention)
    with pytest.raises(SealedValueError):
        unwrap(generate(), KEY.wrapped, person_id=PERSON, retention=1)
    with pytest.raises(SealedValueError):
        unwrap(KEYRING, b"\x02" + KEY.wrapped[1:], person_id=PERSON, retention=1)
    with pytest.raises(SealedValueError):
        unwrap(KEYRING, b"\x01\x00\x09" + KEY.wrapped[3:], person_id=PERSON, retention=1)


def test_the_key_cache_is_bounded_and_never_answers_for_another_person():
    cache = KeyCache(KEYRING, limit=2)
    people = [uuid4() for _ in range(5)]
    keys = [new_data_key(KEYRING, person, retention=1) for person in people]
    for person, key in zip(people, keys, strict=True):
        cache.get(key.wrapped, person_id=person, retention=1)
        assert len(cache._keys) + len(cache._earlier) <= 2 * 2
    with pytest.raises(SealedValueError):
        cache.get(keys[-1].wrapped, person_id=people[0], retention=1)


def test_nothing_of_a_key_or_a_value_shows_in_a_repr():
    assert "b'" not in repr(KEY)
    assert "b'" not in repr(KEYRING)


def test_equal_values_meet_in_the_blind_index_and_columns_do_not():
    assert blind(KEYRING, "phone", "138-0013 8000") == blind(KEYRING, "phone", "１３８００１３８０００")
    assert blind(KEYRING, "phone", "13800138000") != blind(KEYRING, "id_number", "13800138000")
    with pytest.raises(KeyError):
        blind(KEYRING, "name", "张伟")


def test_two_recipients_know_a_person_by_unrelated_ids():
    first, second = uuid4(), uuid4()
    ids = {audience_id(KEYRING, recipient, PERSON) for recipient in (first, second, None)}
    assert len(ids) == 3
    assert PERSON not in ids
    assert audience_id(KEYRING, first, PERSON) == audience_id(KEYRING, first, PERSON)


@given(st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=20))
def test_a_message_opens_in_its_own_context_only(message, context, other):
    text = close_message(KEYRING.cursor, message, context=context)
    assert open_message(KEYRING.cursor, text, context=context) == message
    if other != context:
        assert open_message(KEYRING.cursor, text, context=other) is None


@given(st.text(max_size=80))
def test_any_other_text_is_no_message(text):
    assert open_message(KEYRING.cursor, text, context=b"") is None


def test_a_keyring_is_made_once_and_kept_private(tmp_path):
    path = tmp_path / "keyring.json"
    assert load_or_create(path) == load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_keyring_of_before_has_a_key_for_log_ins_that_is_none_of_its_others(tmp_path):
    path = tmp_path / "keyring.json"
    load_or_create(path)
    stored = json.loads(path.read_text())
    del stored["login"]
    path.write_text(json.dumps(stored))
    assert load(path) == load(path)
    assert len(set(load(path).secrets())) == len(list(load(path).secrets()))
    assert stored == json.loads(path.read_text())


def test_of_many_that_create_a_file_at_once_the_first_counts_and_each_reads_it_whole(tmp_path):
    def first_start(place: int) -> tuple[Keyring, str]:
        folder = tmp_path / str(place % 10)
        started.wait()
        keys = TokenKeys.load_or_create(folder / "token-keys.json")
        return load_or_create(folder / "keyring.json"), keys.signing(NOW).kid

    for place in range(10):
        (tmp_path / str(place)).mkdir()
    started = threading.Barrier(8)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(first_start, sorted(range(80), key=lambda place: place % 10)))
    for place in range(0, 80, 8):
        assert all(one == made[place] for one in made[place : place + 8])
    assert {path.name for path in tmp_path.rglob("*.json*")} == {"keyring.json", "token-keys.json"}


def test_a_start_that_dies_while_it_writes_leaves_nothing_that_the_next_one_stumbles_over(tmp_path, monkeypatch):
    def dies(_: object) -> None:
        raise OSError

    path = tmp_path / "keyring.json"
    with monkeypatch.context() as broken:
        broken.setattr("vault.files.os.fsync", dies)
        with pytest.raises(OSError):  # noqa: PT011 - the one above
            load_or_create(path)
    assert not path.exists()
    assert load_or_create(path) == load(path)


def test_a_file_that_is_there_stays_and_one_that_is_replaced_is_private(tmp_path):
    path = tmp_path / "file"
    create_file(path, "one")
    create_file(path, "two")
    assert path.read_text() == "one"
    replace_file(path, "three")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("three", 0o600)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}', '{"format": 2}'])
def test_a_damaged_or_newer_keyring_is_refused_with_a_sentence(tmp_path, damage):
    path = tmp_path / "keyring.json"
    path.write_text(damage)
    with pytest.raises(KeyringError):
        load(path)


def test_a_keyring_with_a_short_key_is_refused(tmp_path):
    path = tmp_path / "keyring.json"
    load_or_create(path)
    stored = json.loads(path.read_text())
    stored["cursor"] = "AAAA"
    path.write_text(json.dumps(stored))
    with pytest.raises(KeyringError):
        load(path)
    assert isinstance(generate(), Keyring)
