"""What a write shows counts against the disclosure budget with the write, and is taken back with it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from authz.budget import Span
from tests.conftest import GRAPHQL
from tests.writing.claiming import ITEMS, cast_of
from tests.writing.conftest import row_id

ASSIGN = "mutation($input: AssignClaimInput!) { assignClaim(input: $input) { ... on Claim { id diagnosis } } }"
SPAN = Span.HOUR


@pytest.fixture(scope="module")
def cast(office):
    return cast_of(office)


@pytest.fixture(scope="module")
def policy(cast):
    return cast.policy(cast.insured, cast.insured)


def employ(office, name):
    """A new claims handler."""
    staff = uuid4()
    office.execute("INSERT INTO staff (id, username, role) VALUES ($1, $2, 'claims_handler')", staff, name)
    return staff


def leave(office, staff, rest):
    """As if earlier workers had leased all of a handler's hour but a rest."""
    begins = SPAN.begin(datetime.now(UTC))
    for at in (begins, begins + 3_600):
        start = datetime.fromtimestamp(at, UTC)
        office.execute(
            "INSERT INTO disclosure_lease (subject, role, purpose, span, begins_at, ends_at, leased, granted)"
            " VALUES ($1, 'claims_handler', 'claim_handling', 'hour', $2, $3, $4, 0)",
            *(staff, start, start + timedelta(hours=1), 2_000 - rest),
        )


def leased(office, staff):
    rows = office.rows(
        "SELECT leased FROM disclosure_lease WHERE subject = $1 AND span = 'hour' ORDER BY begins_at", staff
    )
    return max(row[0] for row in rows)


def take(cast, claim, name, **headers):
    caller = cast.handler(name)
    named = {"Accept": GRAPHQL, **headers}
    given = {"input": {"id": claim, "handler": name}}
    return cast.office.post(ASSIGN, given, token=caller.token, purpose=caller.purpose, **named)


def handled(office, claim):
    return bool(office.rows("SELECT FROM assignment WHERE claim_id = $1 AND ended_at IS NULL", row_id(claim)))


def test_a_write_counts_whom_it_shows_and_beyond_the_budget_is_done_without_showing_them(cast, policy):
    office, name = cast.office, "zz-handler1"
    staff = employ(office, name)
    leave(office, staff, 1)
    for rest in (1, 0):
        claim = (
            cast.claim(policy, "REPORTED") if rest else cast.claim(cast.policy(cast.holder, cast.holder), "REPORTED")
        )
        body = take(cast, claim, name).json()
        assert body["data"]["assignClaim"]["diagnosis"] == (ITEMS["diagnosis"] if rest else None)
        assert [one["extensions"]["reason"] for one in body.get("errors", ())] == ([] if rest else ["LIMIT"])
        assert handled(office, claim)
    assert leased(office, staff) == 2_000


def test_a_strict_write_beyond_the_budget_is_taken_back_with_what_it_leased(cast, policy):
    office, name = cast.office, "zz-handler2"
    staff = employ(office, name)
    leave(office, staff, 0)
    claim = cast.claim(policy, "REPORTED")
    answer = take(cast, claim, name, X_Authorization_Mode="strict")
    assert (answer.status_code, answer.json()["data"]) == (403, None)
    assert answer.json()["errors"][0]["extensions"]["again"]
    assert not handled(office, claim)
    assert leased(office, staff) == 2_000
