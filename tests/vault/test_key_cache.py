"""What a worker keeps of data keys and of values: nothing that it could not open at that moment, and not for long."""

import asyncio
from contextlib import suppress
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.keyring import generate
from vault.sealing import KeyCache, SealedValueError, column_label, new_data_key, open_column, seal

KEYRING = generate()
PEOPLE = [UUID(int=number) for number in (7, 8)]
KEYS = [new_data_key(KEYRING, person, retention=1) for person in PEOPLE]
ROWS = [UUID(int=number).bytes for number in (3, 4)]
LABELS = [column_label("person", column) for column in ("name", "phone")]
TEXTS = ["张伟", "13800138000"]
BLOBS = [seal(key, text, label=label, row=row) for key in KEYS for text in TEXTS for label in LABELS for row in ROWS]
ALTERED = BLOBS[0][:-1] + bytes((BLOBS[0][-1] ^ 1,))


def starred(text: str) -> str:
    return text[0] + "*"


def outcome(opens):
    try:
        return opens()
    except SealedValueError:
        return "closed"


asked = st.tuples(
    st.sampled_from([*BLOBS, ALTERED, None]),
    st.sampled_from([0, 1, None]),
    st.sampled_from(ROWS),
    st.sampled_from(LABELS),
    st.sampled_from([None, starred]),
)


@given(st.lists(asked, max_size=40), st.sampled_from([1, 3, 1_000]))
def test_whatever_was_shown_before_a_value_opens_as_if_nothing_were_kept(questions, most):
    cache = KeyCache(KEYRING, most_kept=most)
    for blob, key, row, label, shown_as in questions:
        own = None if key is None else cache.get(KEYS[key].wrapped, person_id=PEOPLE[key], retention=1)
        column = ([blob], [own], [row])
        kept = outcome(
            lambda column=column, how={"label": label, "shown_as": shown_as}: cache.open_column(*column, **how)
        )
        alone = outcome(lambda column=column, how={"label": label, "shown_as": shown_as}: open_column(*column, **how))
        assert kept == alone
        assert sum(map(len, cache._kept.values())) <= most


def test_a_value_whose_key_is_destroyed_is_not_shown_from_what_is_kept():
    cache = KeyCache(KEYRING, most_kept=10)
    (key,) = cache.column([KEYS[0].wrapped], [PEOPLE[0]], retention=1)
    assert cache.open_column([BLOBS[0]], [key], [ROWS[0]], label=LABELS[0]) == [TEXTS[0]]
    (gone,) = cache.column([None], [PEOPLE[0]], retention=1)
    with pytest.raises(SealedValueError):
        cache.open_column([BLOBS[0]], [gone], [ROWS[0]], label=LABELS[0])


def test_of_a_masked_value_only_the_mask_is_kept():
    cache = KeyCache(KEYRING, most_kept=10)
    cache.open_column([BLOBS[0]], [KEYS[0]], [ROWS[0]], label=LABELS[0], shown_as=starred)
    kept = [value for column in cache._kept.values() for _, _, value in column.values()]
    assert kept == ["张*"]


def test_a_text_of_pages_is_not_kept():
    cache = KeyCache(KEYRING, most_kept=10)
    blob = seal(KEYS[0], "长" * 500, label=LABELS[0], row=ROWS[0])
    assert cache.open_column([blob], [KEYS[0]], [ROWS[0]], label=LABELS[0]) == ["长" * 500]
    assert not any(cache._kept.values())


def test_nothing_is_kept_where_that_is_switched_off():
    cache = KeyCache(KEYRING)
    cache.open_column([BLOBS[0]], [KEYS[0]], [ROWS[0]], label=LABELS[0])
    assert not cache._kept


def test_a_turn_forgets_every_value_and_a_second_one_every_key_that_nothing_needed():
    cache = KeyCache(KEYRING, most_kept=10)
    used, unused = (
        cache.get(key.wrapped, person_id=person, retention=1) for key, person in zip(KEYS, PEOPLE, strict=True)
    )
    cache.open_column([BLOBS[0]], [used], [ROWS[0]], label=LABELS[0])
    for _ in range(2):
        cache.turn()
        assert not cache._kept
        assert cache.get(KEYS[0].wrapped, person_id=PEOPLE[0], retention=1) is used
    assert cache.get(KEYS[1].wrapped, person_id=PEOPLE[1], retention=1) is not unused


def test_turns_come_by_themselves():
    cache = KeyCache(KEYRING, most_kept=10)
    cache.open_column([BLOBS[0]], [KEYS[0]], [ROWS[0]], label=LABELS[0])

    async def turning() -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(cache.keep_turning(every=0.01), 0.1)

    asyncio.run(turning())
    assert not cache._kept


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, None]), st.sampled_from([0, 1]), st.sampled_from([1, 2])), max_size=30)
)
def test_a_column_of_keys_is_what_each_row_alone_would_find(rows):
    wrapped = [None if key is None else KEYS[key].wrapped for key, _, _ in rows]
    people = [PEOPLE[person] for _, person, _ in rows]
    for retention in (1, 2):
        cache, alone = KeyCache(KEYRING, limit=1), KeyCache(KEYRING)
        found = cache.column(wrapped, people, retention=retention)
        single = [
            alone.find(blob, person_id=person, retention=retention)
            for blob, person in zip(wrapped, people, strict=True)
        ]
        assert [one and one.wrapped for one in found] == [one and one.wrapped for one in single]


def test_somebody_elses_key_is_nobodys():
    assert KeyCache(KEYRING).find(KEYS[0].wrapped, person_id=uuid4(), retention=1) is None
