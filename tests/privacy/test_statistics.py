"""Statistics: aggregates within a budget, of which a row in the ledger is left (C18, C40)."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from models.database import connect_once
from models.installation import InstallationError
from models.statistics import Counts, Dimension
from models.vocabulary import Role
from privacy.statistics import (
    LEAST,
    question_text,
)
from privacy.statistics_releases import (
    BROKERAGE,
    QUESTIONS,
    SHANGHAI,
    ask,
    month_of,
    read_statistics,
    release,
)
from tests.recorded import ROW, as_owner, said, unwritable
from vault.keyring import load

BOTH = ("policyStatistics", "claimStatistics")
WHOLE = "{ asOf until least within questionsLeft groups { insurer product status quarter number persons } }"
# The budget.


def test_c40_the_budget_of_an_organization_holds_whoever_asks_at_once_and_repeats_are_free(server):
    payer, now, most = uuid4(), datetime.now(UTC), 5
    questions = [(Counts.POLICIES, (Dimension.STATUS,), {Dimension.STATUS: str(one)}) for one in range(12)]

    async def asked(some, *, ceiling=most):
        connection = await connect_once(server.database.application)
        try:
            return [await ask(connection.fetch, payer, month_of(now), one, most=ceiling, now=now) for one in some]
        finally:
            await connection.close()

    async def run():
        at_once = await asyncio.gather(*(asked(questions[at::4]) for at in range(4)))
        answered = [one for some in at_once for one in some if one.answered]
        known = [row async for row in _known(server, payer)]
        again = await asked([question for question in questions if question_text(*question) in known])
        none = await asked(questions[:1], ceiling=0)
        return answered, known, again, none

    answered, known, again, none = asyncio.run(run())
    try:
        assert len(answered) == len(known) == most
        assert [one.answered for one in again] == [True] * most
        assert {one.asked for one in again} == {most}
        assert len(none) == 1
    finally:
        forget(server, payer)


async def _known(server, payer):
    connection = await connect_once(server.database.owner)
    try:
        for row in await connection.fetch("SELECT question FROM statistics_question WHERE payer = $1", payer):
            yield row["question"]
    finally:
        await connection.close()


def forget(server, payer):
    async def gone(owner):
        for table in ("statistics_question", "statistics_budget"):
            await owner.execute(f"DELETE FROM {table} WHERE payer = $1", payer)  # noqa: S608 - our own names

    as_owner(server, gone)


@pytest.fixture
def partner(server):
    """An advertising partner's organization; what it has asked is forgotten before and after."""
    row = as_owner(server, lambda owner: owner.fetchrow("SELECT id, code FROM organization WHERE kind = 'AD_PARTNER'"))
    forget(server, row["id"])
    yield row["id"], row["code"]
    forget(server, row["id"])


def asking(server, token, purpose="analytics", field="policyStatistics", given=""):
    answer = server.post(f"{{ {field}{given} {WHOLE} }}", token=token, purpose=purpose)
    return answer, answer.json()


def test_c40_a_spent_budget_refuses_every_token_of_the_organization_until_the_next_month(server, partner):
    payer, code = partner
    first = server.token("ad_partner", org=code, purposes=["analytics"])
    second = server.token("ad_partner", org=code, purposes=["analytics"], categories=["tag"])
    _, body = asking(server, first)
    assert body["data"]["policyStatistics"]["questionsLeft"] == QUESTIONS - 1
    spend = "UPDATE statistics_budget SET asked = $2 WHERE payer = $1"
    as_owner(server, lambda owner: owner.execute(spend, payer, QUESTIONS - 1))
    _, body = asking(server, second, given="(groupBy: [STATUS])")
    assert body["data"]["policyStatistics"]["questionsLeft"] == 0
    for token in (first, second):
        response, body = asking(server, token, given="(groupBy: [PRODUCT])")
        (error,) = body["errors"]
        assert (response.status_code, error["extensions"]["code"]) == (429, "STATISTICS_BUDGET")
        again = datetime.fromisoformat(error["extensions"]["again"])
        assert again.astimezone(SHANGHAI).day == 1
        assert timedelta(0) < again - datetime.now(UTC) <= timedelta(days=31)
        assert int(response.headers["retry-after"]) > 0
        for known in ("", "(groupBy: [STATUS])"):
            _, body = asking(server, token, given=known)
            assert body["data"]["policyStatistics"]["questionsLeft"] == 0
    analyst = server.token("analyst", purposes=["analytics"])
    _, body = asking(server, analyst)
    assert body["data"]["policyStatistics"]["questionsLeft"] > 0, "the brokerage pays for its own"
    forget(server, BROKERAGE)


def test_c40_a_question_asked_in_another_form_is_the_same_question_with_the_same_answer(server, partner):
    token = server.token("ad_partner", org=partner[1], purposes=["analytics"])
    grouped = "(groupBy: [STATUS], where: {status: IN_FORCE})"
    _, one = asking(server, token, given=grouped)
    _, other = asking(server, token, given="(where: {status: IN_FORCE})")
    assert one["data"] == other["data"]
    assert one["data"]["policyStatistics"]["questionsLeft"] == QUESTIONS - 1


@pytest.fixture
def told(server):
    """A figure of this month that is shown for sure."""
    now = datetime.now(UTC)
    month = month_of(now)
    keyring = load(server.installation.keyring_path)
    place = ("POLICIES", "PRODUCT+STATUS", ["A-PRODUCT", "IN_FORCE"])
    insert = "INSERT INTO statistics_figure VALUES ($1, $2, $3, $4, 1205, 1110)"

    async def add(owner):
        await release(owner.fetch, keyring, least=LEAST, now=now)
        await owner.execute(insert, month, *place)

    as_owner(server, add)
    yield {
        "insurer": None,
        "product": "A-PRODUCT",
        "status": "IN_FORCE",
        "quarter": None,
        "number": 1205,
        "persons": 1110,
    }
    gone = "DELETE FROM statistics_figure WHERE month = $1 AND cell = $2"
    as_owner(server, lambda owner: owner.execute(gone, month, place[2]))


def test_c40_an_advertising_partner_is_told_groups_how_exact_they_are_and_until_when(server, partner, told):
    token = server.token("ad_partner", org=partner[1], purposes=["analytics"])
    for words in (
        'where: {product: "A-PRODUCT", status: IN_FORCE}',
        'groupBy: [STATUS], where: {product: "A-PRODUCT"}',
    ):
        _, body = asking(server, token, given=f"({words})")
        found = body["data"]["policyStatistics"]
        assert found["groups"] == [told]
        assert (found["least"], found["within"] >= 80) == (LEAST, True)
        assert date.fromisoformat(found["until"]).day == 1
        assert datetime.fromisoformat(found["asOf"]) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "given",
    [
        "(groupBy: [INSURER, STATUS])",
        '(groupBy: [PRODUCT, STATUS], where: {quarter: "2026Q3"})',
        '(where: {product: ""})',
        '(where: {product: "a\\u001fb"})',
    ],
)
def test_c40_what_is_not_published_is_refused_and_costs_nothing(server, partner, given):
    token = server.token("ad_partner", org=partner[1], purposes=["analytics"])
    _, body = asking(server, token, given=given)
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    _, body = asking(server, token)
    assert body["data"]["policyStatistics"]["questionsLeft"] == QUESTIONS - 1


# Who may ask, and what is left of it.


def test_c18_statistics_leave_their_purpose_and_question_on_the_audit_log_and_no_person(server):
    analyst = server.token("analyst", purposes=["analytics", "research"])
    for purpose in ("analytics", "research"):
        _, body = asking(server, analyst, purpose, "claimStatistics", "(groupBy: [QUARTER], where: {status: PAID})")
        decision = body["extensions"]["authorization"]["decisionId"]
        (row,) = as_owner(server, lambda owner, decision=decision: owner.fetch(ROW, decision))
        (row,) = said([row])
        assert (row["role"], row["purpose"]) == ("analyst", purpose)
        assert row["detail"]["asked"] == [{"field": "Query.claimStatistics", "groupBy": ["QUARTER"], "STATUS": "PAID"}]
        assert not row.get("persons")
    unnamed = asking(server, analyst, None, "claimStatistics")[1]
    assert unnamed["errors"][0]["extensions"]["code"] == "PURPOSE_REQUIRED"
    forget(server, BROKERAGE)


def test_c18_service_messages_and_analytics_show_nothing_under_each_others_purpose(server):
    """Each use has its own purpose: no role but the two counts, and under no other purpose."""
    insurer = as_owner(server, lambda owner: owner.fetchval("SELECT code FROM organization WHERE kind = 'INSURER'"))
    counting = {(Role.ANALYST, "analytics"), (Role.ANALYST, "research"), (Role.AD_PARTNER, "analytics")}
    for role, org, purpose in (
        ("customer_service", None, "service_message"),
        ("marketer", None, "marketing"),
        ("insurer", insurer, "policy_service"),
        ("auditor", None, "administration"),
        ("developer", None, "administration"),
        ("security_admin", None, "administration"),
        ("privacy_officer", None, "rights_request"),
    ):
        assert (Role(role), purpose) not in counting
        token = server.token(role, org=org, purposes=[purpose])
        for field in BOTH:
            _, body = asking(server, token, purpose, field)
            assert body["data"] == {field: None}


def test_c40_what_cannot_be_recorded_is_not_told(server, partner):
    token = server.token("ad_partner", org=partner[1], purposes=["analytics"])
    with unwritable(server):
        _, body = asking(server, token)
    assert body["data"] == {"policyStatistics": None}
    assert body["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


def test_c40_the_least_group_is_never_set_below_five_persons():
    with pytest.raises(InstallationError, match="NEEDFUL_STATISTICS_LEAST must be a number from 5 to 10000"):
        read_statistics({"NEEDFUL_STATISTICS_LEAST": "4"})


def test_settings_of_statistics_are_what_they_say():
    found = read_statistics({"NEEDFUL_STATISTICS_LEAST": "25", "NEEDFUL_STATISTICS_QUESTIONS": "0"})
    assert (found.least, found.questions) == (25, 0)
    assert (read_statistics({}).least, read_statistics({}).questions) == (LEAST, QUESTIONS)
