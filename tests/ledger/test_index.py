"""The index: what is asked for is what the rows say, whatever somebody wrote there, and can be made again from them."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.bodies import MALFORMED, read_body
from ledger.index import index_some, rebuild
from ledger.index_check import compare
from ledger.rows import decided
from models.database import connect_once
from tests.ledger.sealed import index, seal, write

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
COORDINATES = ("User.name", "User.phone", "Claim.diagnosis")
PEOPLE = (11, 22, 33, "beneficiary 00000000000000000000000000000001")
KINDS = ("READ", "WRITE", "REFUSAL")

entries = st.lists(
    st.tuples(
        st.lists(st.sampled_from(COORDINATES), min_size=1, max_size=3, unique=True),
        st.sampled_from(("REVEAL", "MASK", "DENY", "WRITE")),
        st.none(),
        st.integers(0, 2**40),
        st.integers(0, 2),
    ),
    max_size=4,
)
groups = st.lists(
    st.lists(st.integers(0, len(PEOPLE) - 1), max_size=4, unique=True).flatmap(
        lambda places: (
            st.just([places])
            | st.lists(st.none() | st.integers(0, 1), min_size=len(places), max_size=len(places)).map(
                lambda records: [places, records]
            )
        )
    ),
    min_size=3,
    max_size=3,
)
bodies = st.fixed_dictionaries(
    {
        "v": st.just(2),
        "kind": st.sampled_from(KINDS),
        "outcome": st.sampled_from(("DONE", "DONE", "DONE", "REPEATED", "REFUSED", "WITHHELD")),
        "decision": st.uuids().map(str),
        "role": st.sampled_from(("insurer", "claims_handler")),
        "purpose": st.just("claim_handling"),
        "persons": st.just(PEOPLE),
        "records": st.just((f"p{'0' * 32}", f"c{'1' * 32}")),
        "groups": groups,
        "entries": entries,
    },
    optional={"code": st.just("FIELD_DENIED"), "ruleset": st.integers(1, 9), "misses": st.integers(1, 5)},
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
NAMES = ("v", "at", "kind", "outcome", "code", "decision", "role", "organization", "account", "token", "client")
NAMES += (
    "purpose",
    "operation",
    "ruleset",
    "digest",
    "misses",
    "persons",
    "records",
    "groups",
    "entries",
    "cells",
    "detail",
)
broken = st.one_of(
    st.text().filter(lambda text: "\0" not in text),
    st.dictionaries(st.sampled_from(NAMES), anything).map(json.dumps),
    st.tuples(bodies, st.sampled_from(NAMES), anything).map(lambda one: json.dumps({**one[0], one[1]: one[2]})),
    bodies.map(lambda one: json.dumps(one)[:-7]),
)


def times(count):
    return [NOW + timedelta(seconds=place) for place in range(count)]


def mine(body, reference, effects):
    """Does a well-formed body say that something of this person befell so?"""
    at = PEOPLE.index(reference)
    return any(effect in effects and at in body["groups"][group][0] for _, effect, _, _, group in body["entries"])


def left(body):
    return body["outcome"] in ("DONE", "REPEATED") and body.get("code") != "FIELD_DENIED"


@given(st.lists(bodies, min_size=1, max_size=12), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_of_each_person_the_index_holds_the_rows_that_name_them_and_those_where_something_left(ledger, said, most):
    async def work(connection):
        await write(connection, *zip(times(len(said)), said, strict=True))
        await seal(connection)
        await index(connection, most)
        records = await connection.fetch("SELECT * FROM ledger_record ORDER BY index")
        return records, await connection.fetch("SELECT * FROM ledger_access ORDER BY reference, first")

    records, accesses = ledger.trying(work)
    assert [one["index"] for one in records] == list(range(len(said)))
    for one, body in zip(records, said, strict=True):
        assert (one["kind"], one["outcome"], one["code"]) == (body["kind"], body["outcome"], body.get("code"))
        assert str(one["decision"]) == body["decision"]
        assert one["coordinates"] == sorted({name for names, *_ in body["entries"] for name in names})
        for column, effect in (("revealed", "REVEAL"), ("masked", "MASK"), ("denied", "DENY")):
            assert one[column] == sum(mine(body, who, (effect,)) for who in PEOPLE)
    for reference in PEOPLE[:3]:
        rows = [one for one in accesses if one["reference"] == reference]
        assert [place for one in rows for place in one["indexes"]] == list(range(len(said)))
        shown = [place for one in rows for place in (one["indexes"] if one["shown"] is None else one["shown"])]
        effects = ("REVEAL", "MASK", "WRITE")
        assert shown == [at for at, body in enumerate(said) if left(body) and mine(body, reference, effects)]
    assert {one["reference"] for one in accesses} == set(PEOPLE[:3])


@given(bodies)
@example(
    {
        "kind": "READ",
        "outcome": "DONE",
        "persons": PEOPLE,
        "groups": [[[0, 1]], [[1, 2]], [[3, 0]]],
        "entries": [[["User.name"], effect, None, 1, group] for group in (0, 1, 2, 0) for effect in ("REVEAL", "MASK")],
    }
)
def test_whoever_is_counted_is_counted_once_however_entries_share_their_groups(body):
    said = read_body(json.dumps(body))
    for effect in ("REVEAL", "MASK", "DENY", "WRITE"):
        assert said.count(effect) == sum(mine(body, who, (effect,)) for who in PEOPLE)
    shown = {who for who in PEOPLE[:3] if mine(body, who, ("REVEAL", "MASK", "WRITE"))}
    assert said.concerned == (shown if left(body) else set())


def test_a_hostile_row_takes_no_longer_to_count_than_to_read():
    many = 5_000
    entries_ = [[[], effect, None, 1, 0] for effect in ("REVEAL", "MASK") for _ in range(many)]
    persons = list(range(many))
    text = json.dumps({"kind": "READ", "persons": persons, "groups": [[persons]], "entries": entries_})

    def fastest(work):
        spent = []
        for _ in range(3):
            begun = time.perf_counter()
            work()
            spent.append(time.perf_counter() - begun)
        return min(spent)

    said = read_body(text)
    assert (said.count("REVEAL"), len(said.concerned)) == (many, many)
    counting = fastest(lambda: (said.count("REVEAL"), said.count("MASK"), said.count("DENY"), said.concerned))
    assert counting < 4 * fastest(lambda: read_body(text))


@given(bodies)
def test_a_row_is_read_as_it_was_written(body):
    found = [(one.coordinates, one.effect, one.situation, list(one.of)) for one in read_body(json.dumps(body)).entries]
    said = decided(json.loads(json.dumps(body)))
    assert found == [(one.coordinates, one.effect, one.situation, of) for one, of in said]


@given(st.lists(broken, min_size=1, max_size=8))
@example(['{"kind": "READ", "role": "\\u0000", "entries": [[["\\u0000"], "MASK", null, 1, 0]]}'])
@example(['{"kind": "READ", "role": "' + "x" * 9_000 + '", "persons": [9223372036854775808, -1, true, 1e9]}'])
@settings(max_examples=80, deadline=None)
def test_no_text_stops_the_index_and_each_has_its_record(ledger, texts):
    async def work(connection):
        await write(connection, *zip(times(len(texts)), texts, strict=True))
        await seal(connection)
        await index(connection)
        assert await connection.fetchval("SELECT next FROM ledger_indexed") == len(texts)
        return await connection.fetch("SELECT kind FROM ledger_record ORDER BY index"), await compare(connection)

    records, difference = ledger.trying(work)
    assert [one["kind"] for one in records] == [read_body(text).kind for text in texts]
    assert (difference.rows, difference.places) == (len(texts), 0)


@pytest.mark.parametrize(
    "text,kind",
    [("", MALFORMED), ("[]", MALFORMED), ("{}", MALFORMED), ('{"kind": 3}', MALFORMED), ('{"kind": "ODD"}', "ODD")],
)
def test_a_row_that_is_none_is_of_the_kind_it_says_or_malformed(text, kind):
    assert read_body(text).kind == kind


def test_a_row_of_the_earlier_ledger_is_indexed_with_its_cells(ledger):
    body = {
        "v": 1,
        "kind": "EARLIER",
        "outcome": "DONE",
        "decision": str(uuid4()),
        "role": "insurer",
        "cells": [["User.name", "users.edges.@.node.name", "REVEAL", None, 3], ["User.phone", "x", "DENY", "ROLE", 2]],
    }

    async def work(connection):
        await write(connection, (NOW, body))
        await seal(connection)
        await index(connection)
        return await connection.fetchrow("SELECT * FROM ledger_record")

    record = ledger.trying(work)
    assert (record["kind"], record["coordinates"]) == ("EARLIER", ["User.name", "User.phone"])
    assert (record["revealed"], record["masked"], record["denied"]) == (3, 0, 2)


def read(*who, effect="REVEAL"):
    told = {"persons": who, "groups": [[list(range(len(who)))]], "entries": [[["User.name"], effect, None, 1, 0]]}
    return {"v": 2, "kind": "READ", "outcome": "DONE", "decision": str(uuid4()), **told}


def test_what_began_and_was_broken_off_begins_again(ledger):
    async def work(connection):
        await write(connection, *zip(times(5), [read(7)] * 5, strict=True))
        await seal(connection)
        assert await index_some(connection, most=2) == 2
        broken_off = connection.transaction()
        await broken_off.start()
        assert await index_some(connection, most=2) == 2
        await broken_off.rollback()
        await index(connection, 2)
        return await connection.fetch("SELECT indexes FROM ledger_access ORDER BY first"), await compare(connection)

    accesses, difference = ledger.trying(work)
    assert [list(one["indexes"]) for one in accesses] == [[0, 1], [2, 3], [4]]
    assert difference.places == 0


def test_accesses_end_with_the_month_lest_a_dropped_one_takes_more_along(ledger):
    moments = [datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)]

    async def work(connection):
        await write(connection, *((at, read(7)) for at in moments))
        await seal(connection)
        await index(connection)
        found = await connection.fetch("SELECT first, indexes FROM ledger_access ORDER BY first")
        for table in ("ledger", "ledger_record", "ledger_access"):
            await connection.execute(f"DROP TABLE {table}_2026_11")
        kept = await connection.fetch("SELECT indexes FROM ledger_access")
        assert (await compare(connection)).places == 0
        assert await rebuild(connection) == 3
        return found, kept, await connection.fetch("SELECT indexes FROM ledger_access"), await compare(connection)

    found, kept, again, difference = ledger.trying(work)
    assert [list(one["indexes"]) for one in found] == [[0], [1, 2]]
    assert [list(one["indexes"]) for one in kept] == [list(one["indexes"]) for one in again] == [[1, 2]]
    assert (difference.rows, difference.places) == (2, 0)


TAMPERED = {
    "a record is gone": "DELETE FROM ledger_record WHERE index = 3",
    "a record is at another time": "UPDATE ledger_record SET at = at + interval '1s' WHERE index = 3",
    "a record is there that is of no row": "UPDATE ledger_record SET index = 99 WHERE index = 3",
    "another did it": "UPDATE ledger_record SET role = 'marketer' WHERE index = 3",
    "for another purpose": "UPDATE ledger_record SET purpose = 'marketing' WHERE index = 3",
    "less was shown": "UPDATE ledger_record SET revealed = 0 WHERE index = 3",
    "other fields": "UPDATE ledger_record SET coordinates = '{}' WHERE index = 3",
    "a person has none": "DELETE FROM ledger_access WHERE reference = 22",
    "a person has one fewer": "UPDATE ledger_access SET indexes = array_remove(indexes, 3) WHERE reference = 22",
    "a person has one too many": "UPDATE ledger_access SET indexes = indexes || 99::bigint WHERE reference = 22",
    "one is another person's": "UPDATE ledger_access SET reference = 44 WHERE reference = 22",
    "one is not shown": "UPDATE ledger_access SET shown = array_remove(indexes, 3) WHERE reference = 22",
    "one is shown that was not": "UPDATE ledger_access SET shown = NULL WHERE reference = 33",
    "they cannot be found": "UPDATE ledger_access SET first = first + 1000 WHERE reference = 22",
}


@pytest.mark.parametrize("statement", TAMPERED.values(), ids=TAMPERED)
def test_whatever_is_changed_in_the_index_is_found_and_made_right_again(ledger, statement):
    async def work(connection):
        said = [read(11, 22) for _ in range(5)] + [read(33, effect="DENY")]
        await write(connection, *zip(times(6), said, strict=True))
        await seal(connection)
        await index(connection)
        before = await compare(connection)
        await connection.execute(statement)
        found = await compare(connection)
        await rebuild(connection)
        return before, found, await compare(connection)

    before, found, again = ledger.trying(work)
    assert before.places == again.places == 0
    assert found.places > 0
    assert found.first is not None


def test_only_the_owner_writes_the_index(server):
    async def work():
        connection = await connect_once(server.database.application)
        try:
            for table in ("ledger_record", "ledger_access", "ledger_indexed"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - one of three
        finally:
            await connection.close()

    asyncio.run(work())
