"""Whoever was found by a full number had it confirmed: for the index, the person and an incident that is revealed."""

import orjson

from ledger.bodies import read_body

BODY = {
    "v": 2,
    "kind": "READ",
    "outcome": "DONE",
    "decision": "2414b5c9-35ff-43ad-8eaf-695a8a215bae",
    "persons": [5],
    "groups": [[[0]]],
    "entries": [[["User.phone"], "FOUND", None, 0, 0]],
}


def test_who_was_found_by_a_full_number_counts_as_revealed():
    said = read_body(orjson.dumps(BODY).decode())
    assert said.concerned == {5}
    assert (said.count("REVEAL", "FOUND"), said.coordinates) == (1, ["User.phone"])


def test_who_was_found_in_an_answer_that_never_left_does_not():
    said = read_body(orjson.dumps({**BODY, "outcome": "WITHHELD"}).decode())
    assert said.concerned == set()
