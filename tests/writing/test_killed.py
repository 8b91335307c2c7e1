"""Killed in the middle of writes: no write that was acknowledged is lost, and none is done twice."""

import asyncio
import itertools
import os
import time
from dataclasses import replace

import pytest

from tests.writing.conftest import row_id
from tests.writing.crashing import Crash, Load, a_crashing_server
from tests.writing.dealings import account_of, begin_application, policies_of, recorded, surrender

KILLS = int(os.environ.get("NEEDFUL_SOAK_KILLS", "3"))
CALLS_A_KILL = 400


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    with a_crashing_server(tmp_path_factory.mktemp("killed"), people=60, seed=5) as found:
        yield found


def test_killed_again_and_again_no_acknowledged_write_is_lost_and_none_is_done_twice(crashing, capsys):
    """Every client repeats its call with its key until it is acknowledged; then both sides are compared.

    Half of the calls begin an application: done twice, there would be two of it. Half surrender a policy: done twice,
    the second would be refused.
    """
    office = crashing.office
    customer = office.customer()
    token = office.token("customer", user=customer.username, purposes=["account_service"])
    policies = policies_of(office, customer, CALLS_A_KILL * KILLS // 2)
    surrendering, beginning = surrender(policies[0], token), begin_application(token)
    calls = [
        call
        for place, policy in enumerate(policies)
        for call in (surrendering.on(policy, key=f"end {place}"), replace(beginning, key=f"begin {place}"))
    ]
    load = Load(office.url, calls)
    alone = KILLS // 2
    kinds = [*itertools.islice(itertools.cycle((Crash.MACHINE, Crash.SERVER)), KILLS - alone)]
    started = time.monotonic()
    asyncio.run(crashing.ordeal(load, [*kinds, *[Crash.SERVER_ALONE] * alone]))
    seconds = time.monotonic() - started

    answers = load.acknowledged
    assert sorted(answers) == list(range(load.started)), "whatever was begun was brought to its end"
    ended = {policies[place // 2] for place in answers if not place % 2}
    begun = [row_id(one["id"]) for place, one in answers.items() if place % 2]
    assert {(one["status"], one["version"]) for one in answers.values()} == {("SURRENDERED", 2), ("DRAFT", 1)}
    rows = office.rows("SELECT id, status, version FROM policy WHERE holder_id = $1", customer.person)
    assert {row["id"] for row in rows if row["version"] != 1} == ended
    assert {(row["status"], row["version"]) for row in rows if row["id"] in ended} == {("SURRENDERED", 2)}
    assert sorted(row["id"] for row in rows if row["status"] == "DRAFT") == sorted(begun)
    keys = office.rows("SELECT row_id FROM idempotency_key WHERE client = $1", account_of(office, customer.person))
    assert sorted(row["row_id"] for row in keys) == sorted([*ended, *begun])
    outcomes = [outcome for call in (surrendering, beginning) for outcome, _ in recorded(office, call)]
    assert outcomes.count("DONE") == len(answers)
    assert set(outcomes) <= {"DONE", "REPEATED"}
    with capsys.disabled():
        print(  # noqa: T201 - what scripts/soak is run for
            f"\n{KILLS} kills in {seconds:.0f} s: {len(answers)} writes acknowledged and done once; calls were sent"
            f" again {load.sent_again} times, and {outcomes.count('REPEATED')} were found done."
        )
