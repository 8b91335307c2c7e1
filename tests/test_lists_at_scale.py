"""Lists hold where there is much: what a page costs follows from what is the caller's, never from what there is."""

import asyncio
import json
from contextlib import asynccontextmanager
from functools import wraps

import asyncpg
import pytest

from authz.scope import scope_of
from models.database import PLANNING
from models.vocabulary import Purpose, Role
from resolvers.registry import NOUNS
from resolvers.statements import Columns, Listing, Reach, page_of

ENDED_WORK = 30_000
"""Pieces of work on policies, ended, that everyone has who is asked about here."""

IN_HAND = [
    (Role.RISK_ANALYST, Purpose.VERIFICATION, "verification_case_id"),
    (Role.SERVICE_PROVIDER, Purpose.VERIFICATION, "verification_case_id"),
    (Role.PRIVACY_OFFICER, Purpose.RIGHTS_REQUEST, "rights_request_id"),
    (Role.PRIVACY_OFFICER, Purpose.REGULATORY_DISCLOSURE, "disclosure_case_id"),
]
NARROW = [
    *((Role.CUSTOMER, Purpose.ACCOUNT_SERVICE, noun) for noun in ("User", "Policy", "Claim", "Consent")),
    *((Role.GUARDIAN, Purpose.ACCOUNT_SERVICE, noun) for noun in ("User", "Policy", "Claim", "Consent")),
    *((role, purpose, noun) for role, purpose, _ in IN_HAND for noun in ("User", "Policy", "Claim")),
    (Role.LOSS_ADJUSTER, Purpose.CLAIM_HANDLING, "User"),
    (Role.HEALTH_PROVIDER, Purpose.HEALTH_SERVICE, "User"),
    (Role.BROKER_AGENT, Purpose.POLICY_SERVICE, "User"),
]


def run_whole(test):
    """Run a test that is a coroutine."""

    @wraps(test)
    def run(*arguments, **given):
        return asyncio.run(test(*arguments, **given))

    return run


def page(role, purpose, name):
    noun = NOUNS[name]
    columns = Columns()
    columns.add("t.id")
    listing = Listing(noun, noun.orders[None], (), None)
    reach = Reach(role, purpose, scope_of(role, purpose))
    return page_of(reach, listing, columns, size=50, after=False, before=False, backward=False)


@asynccontextmanager
async def owning(server):
    """A connection as the owner of the tables; nothing that is done in it stays."""
    who = server.database.owner
    connection = await asyncpg.connect(
        host=who.host,
        port=who.port,
        user=who.user,
        password=who.password,
        database=who.database,
        server_settings=dict(PLANNING),
    )
    work = connection.transaction()
    await work.start()
    try:
        yield connection
    finally:
        await work.rollback()
        await connection.close()


async def explained(connection, statement, *, measured, **given):
    values = {"person": None, "wards": [], "account": None, "organization": None} | given
    options = "ANALYZE, BUFFERS, FORMAT JSON" if measured else "FORMAT JSON"
    found = await connection.fetchval(f"EXPLAIN ({options}) {statement.sql}", *statement.values(values))
    return json.loads(found)[0]["Plan"]


def nodes(plan):
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("role, purpose, noun", NARROW)
@run_whole
async def test_no_narrow_list_tries_row_after_row_by_a_sub_select(server, role, purpose, noun):
    async with owning(server) as connection:
        plan = await explained(connection, page(role, purpose, noun), measured=False)
    tried = [
        node
        for node in nodes(plan)
        if node.get("Alias", "").startswith("t") and "SubPlan" in str(node.get("Filter", ""))
    ]
    assert not tried


@pytest.mark.parametrize("role, purpose, work", IN_HAND)
@run_whole
async def test_a_list_of_cases_in_hand_costs_nothing_for_other_work_however_much(server, role, purpose, work):
    whose = "organization_id" if role is Role.SERVICE_PROVIDER else "staff_id"
    name = "organization" if role is Role.SERVICE_PROVIDER else "account"
    async with owning(server) as connection:
        worker = await connection.fetchval(
            f"SELECT {whose} FROM assignment WHERE {whose} IS NOT NULL AND {work} IS NOT NULL"  # noqa: S608 - our own
            " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
        )
        assert worker is not None
        await connection.execute(
            f"INSERT INTO assignment (id, {whose}, policy_id, assigned_at, ended_at)"  # noqa: S608 - our own
            " SELECT gen_random_uuid(), $1, (SELECT id FROM policy ORDER BY id LIMIT 1), now(), now()"
            f" FROM generate_series(1, {ENDED_WORK})",
            worker,
        )
        await connection.execute("ANALYZE assignment")
        pages = await connection.fetchval("SELECT relpages FROM pg_class WHERE oid = 'assignment'::regclass")
        plan = await explained(connection, page(role, purpose, "User"), measured=True, **{name: worker})
    read = [node for node in nodes(plan) if node.get("Relation Name") == "assignment"]
    assert read
    buffers = sum(node["Shared Hit Blocks"] + node["Shared Read Blocks"] for node in read)
    assert buffers < pages / 2, "some way to the work in hand reads the other work too"


@pytest.mark.parametrize("role", [Role.MARKETER, Role.INSURER])
@run_whole
async def test_an_audience_is_listed_by_an_index_of_its_own(server, role):
    noun = NOUNS["User"]
    reach = Reach(role, Purpose.MARKETING, scope_of(role, Purpose.MARKETING))
    async with owning(server) as connection:
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        organization = await connection.fetchval(
            "SELECT recipient_id FROM consent WHERE purpose = 'marketing' AND recipient_id IS NOT NULL LIMIT 1"
        )
        source = f"{reach.source(noun)} WHERE {reach.member(noun, listing=True)} ORDER BY audience.audience_id LIMIT 50"
        plan = await explained(connection, reach.statement(source), measured=False, organization=organization)
    assert "consent_marketing_audience" in {node.get("Index Name") for node in nodes(plan)}
