"""Whom a breach befell is everybody that the rows tell of, and nobody else (C63)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.incidents import TooManyRowsError, extent_of
from ledger.searches import Sought
from tests.ledger.sealed import index, seal, write
from tests.ledger.test_index import COORDINATES, KINDS, PEOPLE, bodies, left, times

FIRST = datetime(2026, 11, 23, 3, tzinfo=UTC)
IDS = [str(UUID(int=place)) for place in (1, 2)]
WHO = ("organization", "account", "token", "client", "role", "purpose", "decision")
acts = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.sampled_from(IDS) for name in ("organization", "account", "decision")},
        **{name: st.sampled_from(("one", "other")) for name in ("token", "client")},
        "role": st.sampled_from(("insurer", "marketer")),
        "purpose": st.sampled_from(("marketing", "claim_handling")),
    },
)
rows = st.lists(st.tuples(bodies, acts).map(lambda pair: {**pair[0], **pair[1]}), min_size=1, max_size=12)
known = st.just({}) | acts.map(lambda some: dict(list(some.items())[:1]))
incidents = st.tuples(known, st.integers(0, 6), st.integers(7, 13), st.lists(st.sampled_from(COORDINATES), max_size=2))


def naive(said, incident):
    """Everybody affected, recomputed from every body there is."""
    known, start, end, names = incident
    found, total = {}, 0
    for place, body in enumerate(said):
        if not start <= place < end or not left(body):
            continue
        if any(body.get(name) != value for name, value in known.items()):
            continue
        touched = {}
        for coordinates, effect, _, _, group in body["entries"]:
            told = [name for name in coordinates if not names or name in names]
            for person in body["groups"][group][0]:
                if told and effect != "DENY":
                    touched.setdefault(PEOPLE[person], set()).update((effect, name) for name in told)
        total += bool(touched)
        for who, what in touched.items():
            one = found.setdefault(who, {"what": set(), "times": []})
            one["what"] |= what
            one["times"].append(place)
    return found, total


@given(rows, incidents)
@settings(max_examples=80, deadline=None)
def test_everybody_of_whom_something_left_in_the_incident_is_found_with_what_left(ledger, said, incident):
    known, start, end, names = incident
    sought = Sought(
        **{name: UUID(value) if value in IDS else value for name, value in known.items()},
        coordinates=tuple(names),
        since=FIRST + timedelta(seconds=start),
        until=FIRST + timedelta(seconds=end),
    )

    async def work(connection):
        await write(connection, *zip(times(len(said)), said, strict=True))
        await seal(connection)
        await index(connection)
        return await extent_of(connection.fetch, sought)

    extent = ledger.trying(work)
    expected, total = naive(said, incident)
    assert extent.rows == total
    assert [one.place for one in extent.people] == sorted(one.place for one in extent.people)
    effects = {"revealed": "REVEAL", "masked": "MASK", "changed": "WRITE"}
    assert {one.who for one in extent.people} == expected.keys()
    for one in extent.people:
        what = {(effect, name) for kind, effect in effects.items() for name in getattr(one, kind)}
        seconds = [int((moment - FIRST).total_seconds()) for moment in (one.first, one.last)]
        told = expected[one.who]
        assert (what, one.times, seconds) == (told["what"], len(told["times"]), [told["times"][0], told["times"][-1]])


def test_an_incident_over_many_statements_is_read_to_its_end(ledger):
    said = {
        "v": 2,
        "kind": KINDS[0],
        "outcome": "DONE",
        "persons": [5],
        "groups": [[[0]]],
        "entries": [[["User.name"], "MASK", None, 1, 0]],
    }

    async def work(connection):
        await write(connection, *((moment, said) for moment in times(1_203)))
        await seal(connection)
        await index(connection)
        with pytest.raises(TooManyRowsError):
            await extent_of(connection.fetch, Sought(since=FIRST), most=1_000)
        return await extent_of(connection.fetch, Sought(since=FIRST))

    extent = ledger.trying(work)
    assert (extent.rows, [(one.who, one.times) for one in extent.people]) == (1_203, [(5, 1_203)])
