"""Impact: what other rules would mean, in the consumer's words, over the API and by command (C46, C55, C56)."""

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from authz.commands import OperatorRefusedError
from authz.lapses import Lapses
from authz.vocabulary import Action, RuleEffect
from authz.workbench.drafts import Changes, open_draft
from authz.workbench.impact import impact, read_impact, sealed_impact
from authz.workbench.impact_moments import Sides, at_all_moments
from authz.workbench.impact_words import Language
from ledger.append import add_alone
from models.database import connect_once
from models.vocabulary import Purpose, Role
from resolvers.aside_turns import judging_turn, turn
from resolvers.client_operations import ClientOperation, every_operation, register
from resolvers.documents import Documents
from resolvers.impacts import in_a_hurry, planned_by, sides_of
from resolvers.previews import Previewer
from resolvers.problems import RequestRefusedError
from tests.conftest import run_cli
from tests.recorded import as_owner
from tests.workbench.made_up import (
    CATALOGUE,
    CLOSED,
    DEFAULT,
    NOW,
    NUMBER,
    REVEALED,
    SCHEMA,
    compiled,
    nothing_planned,
    operation,
    with_rules,
    without,
)

pytestmark = pytest.mark.anyio

CARD = "query CardPage { claims(first: 1) { edges { node { diagnosis policy { policyholder { name idNumber } } } } } }"


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def owner(server):
    """The owner's connection, in a transaction that is rolled back."""
    found = await connect_once(server.database.owner)
    undone = found.transaction()
    await undone.start()
    yield found
    await undone.rollback()
    await found.close()


@pytest.fixture(scope="module")
def planner():
    return Previewer(SCHEMA, Documents(SCHEMA), Lapses(), lambda: NOW)


# In words, and as it is kept.


async def test_the_impact_is_told_in_the_consumers_words_and_kept_as_canonical_json(owner, planner):
    ids = [row["id"] for row in await owner.fetch("SELECT id FROM organization WHERE kind = 'INSURER' LIMIT 2")]
    rows = [operation(NUMBER, organization=ids[place % 2]) for place in range(3)]
    rows += [operation(("User.name", "REVEAL", None, CLOSED, (0,)), organization=ids[0]) for _ in range(1_200)]
    await add_alone(owner, *rows)
    for name in ("CardPage", "Other"):
        text = CARD.replace("CardPage", name)
        one = ClientOperation("claims desk", name, Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING, text)
        await register(owner, one, by="operator", now=NOW)
    gone = without(Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING, "health")
    content = replace(gone, rules=(*gone.rules, REVEALED.rules[-1]))
    sides = await sides_of(owner, content, CATALOGUE, now=NOW)
    plan = planned_by(planner, await every_operation(owner))
    found = await impact(owner, sides, days=30, now=NOW, plan=plan)
    assert found.operations == 1_203
    first, *told = found.sentences()
    assert first.startswith("Looked at 1,203 operations from 2031-04-20 to 2031-05-20, and at ")
    assert told == [
        "reveals `User.idNumber`, masked so far, to 2 insurers in 3 of 1,203 claim operations",
        "breaks 2 operations of the claims desk (CardPage, Other)",
    ]
    chinese = found.sentences(Language.CHINESE)
    assert chinese[1:] == [
        "向 2 家保险公司完整显示此前打码的 `User.idNumber`，涉及 1,203 次理赔操作中的 3 次",
        "破坏 claims desk 的 2 个操作（CardPage、Other）",
    ]
    assert {(one.name, one.coordinate, one.before, one.after) for one in found.moved} == {
        (name, "Claim.diagnosis", "DEPENDS", "DENY") for name in ("CardPage", "Other")
    }
    assert read_impact(found.text) == found
    assert found.text == json.dumps(json.loads(found.text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    unchanged = await impact(owner, Sides(sides.before, sides.before), days=30, now=NOW, plan=plan)
    assert unchanged.sentences()[1:] == ["nothing changes for anybody."]
    assert unchanged.registered == len(await every_operation(owner)) > 2


JUNE, NEXT_YEAR, LATE = "2031-06-01T00:00:00Z", "2032-01-01T00:00:00Z", "2090-01-01T00:00:00Z"
WIDE = REVEALED.rules[-1]
HIDDEN = replace(WIDE, effect=RuleEffect.DENY, action=Action.MASK)
LIST = "query Numbers { claims(first: 1) { edges { node { policy { policyholder { idNumber } } } } } }"
BOTH = {("MASK", "REVEAL"), ("MASK", "DENY")}


def dummies(count):
    """Rows of one second each, in the slice that is changed, of which nobody is shown anything."""
    return [
        replace(
            WIDE, effect=RuleEffect.DENY, object="Claim.hospital",
            valid_from=f"2090-01-01T00:00:{2 * one:02}Z", valid_until=f"2090-01-01T00:00:{2 * one + 1:02}Z",
        )
        for one in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "added, found, moments, worst",
    [
        ([replace(WIDE, valid_from=JUNE)], {("MASK", "REVEAL")}, 1, 0),
        ([replace(WIDE, valid_until=NEXT_YEAR), *dummies(1)], {("MASK", "REVEAL")}, 3, 0),
        ([replace(WIDE, valid_from=JUNE, valid_until=NEXT_YEAR), *dummies(1)], {("MASK", "REVEAL")}, 4, 0),
        ([replace(WIDE, valid_until=JUNE), replace(HIDDEN, valid_from=JUNE)], BOTH, 1, 0),
        ([replace(WIDE, valid_from=JUNE, valid_until=NEXT_YEAR), *dummies(20)], {("MASK", "REVEAL")}, 0, 42),
        ([replace(WIDE, valid_until=JUNE), replace(HIDDEN, valid_from=JUNE), *dummies(20)], BOTH, 0, 41),
    ],
    ids=["later", "until next year", "next month", "first more then less", "too many moments", "too many both ways"],
)  # fmt: skip
async def test_whatever_changes_at_any_moment_to_come_is_told(owner, planner, added, found, moments, worst):
    await add_alone(owner, operation(NUMBER))
    sides = await sides_of(owner, with_rules(*added), CATALOGUE, now=NOW)
    plan = planned_by(planner, [ClientOperation("desk", "Numbers", Role.INSURER, Purpose.CLAIM_HANDLING, LIST)])
    told = await impact(owner, sides, days=30, now=NOW, plan=plan)
    number = [one for one in told.changes if one.coordinate == "User.idNumber"]
    assert {(one.before, one.after) for one in number} == found
    assert {(one.operations, one.certain) for one in number} == {(1, True)}
    moved = {(one.coordinate, one.breaks) for one in told.moved}
    assert moved == {("User.idNumber", after == "DENY") for _, after in found}
    assert (len(told.moments), told.worst, told.registered) == (moments, worst, 1)
    last = told.sentences()[-1]
    assert all(one in last for one in told.moments)
    assert f"at {worst} moments to come" in last if worst else last.startswith("told is what changes now or at any")
    assert read_impact(told.text) == told


async def test_a_change_that_shows_once_a_rule_that_stays_ends_is_told(owner, planner):
    await add_alone(owner, operation(NUMBER))
    stays = with_rules(replace(WIDE, effect=RuleEffect.DENY, valid_until=JUNE))
    whole, planned = (one.ruleset(1, CATALOGUE) for one in (stays, with_rules(WIDE, content=stays)))
    found = at_all_moments(whole, planned, CATALOGUE, now=NOW)
    told = await impact(owner, found, days=30, now=NOW, plan=planned_by(planner, []))
    assert [(one.before, one.after) for one in told.changes] == [("MASK", "REVEAL")]


# Where time is short.


async def test_what_there_is_no_time_for_is_left_out_and_counted(owner, planner):
    await add_alone(owner, *(operation(NUMBER) for _ in range(3)))
    operations = [
        ClientOperation("desk", f"Page{one}", Role.INSURER, Purpose.CLAIM_HANDLING, LIST.replace("Numbers", f"N{one}"))
        for one in range(3)
    ]
    sides = await sides_of(owner, with_rules(WIDE), CATALOGUE, now=NOW)
    ticks = iter((0, 1, 8, 9))
    plan = planned_by(planner, operations, hurry=in_a_hurry(8, timer=lambda: next(ticks)))
    found = await impact(owner, sides, days=30, now=NOW, plan=plan)
    assert [one.name for one in found.moved] == ["Page0"]
    assert (found.registered, found.unplanned) == (1, 2)
    assert found.sentences()[-1].startswith("no time was left for 2 registered operations")
    assert read_impact(found.text) == found


async def test_in_a_hurry_the_newest_rows_are_looked_at_and_the_report_says_that_there_are_more():
    async def fetch(statement, *values):
        if "ledger_record" in statement:
            return [{"index": one, "at": NOW, "body": "{}"} for one in range(values[-1])]
        return [{"pending": 0}] if "pending" in statement else []

    asked = {"days": 1, "now": NOW, "plan": nothing_planned, "most": 100_000}
    found = await sealed_impact(fetch, compiled(REVEALED), **asked, hurry=lambda: True)
    assert found.limited == 500


async def test_each_document_is_read_once_and_planned_once_for_rules_that_answer_alike(planner):
    planned = []

    class Counting:
        def check(self, text):
            planned.append("check")
            return planner.check(text)

        async def preview(self, previewed, snapshot):
            planned.append("preview")
            return await planner.preview(previewed, snapshot)

    added = with_rules(replace(WIDE, valid_until=NEXT_YEAR), *dummies(1))
    sides = at_all_moments(DEFAULT.ruleset(1, CATALOGUE), added.ruleset(1, CATALOGUE), CATALOGUE, now=NOW)
    one = ClientOperation("desk", "Numbers", Role.INSURER, Purpose.CLAIM_HANDLING, LIST)
    other = replace(one, role=Role.MARKETER, purpose=Purpose.MARKETING)
    plans = await planned_by(Counting(), [one, other])(sides)
    assert planned == ["check", "preview"] * 3
    assert (len(plans.before), plans.total) == (2, 2)


async def test_questions_keep_nobody_from_proposing_and_proposals_wait_for_each_other():
    async with turn(), judging_turn():
        for busy in (turn, judging_turn):
            with pytest.raises(RequestRefusedError) as refused:
                async with busy():
                    pass
            assert refused.value.code == "RATE_LIMITED"


async def test_a_registered_operation_that_would_be_refused_is_broken_and_one_let_in_is_not(owner, planner):
    document = 'query Find { users(phone: "+86 139 1234 5678") { edges { node { name } } } }'
    one = ClientOperation("desk", "Find", Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE, document)
    plan = planned_by(planner, [one])
    content = without(Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE, "phone", action=Action.FILTER)
    sides = await sides_of(owner, content, CATALOGUE, now=NOW)
    for way, breaks in ((sides, True), (Sides(sides.after, sides.before), False)):
        (found,) = (await impact(owner, way, days=1, now=NOW, plan=plan)).moved
        assert (found.coordinate, found.breaks, found.opens) == (None, breaks, not breaks)


# Where it is asked.


def ask_three_times(server):
    """Three operations of an insurer, which are sealed soon."""
    insurer = server.token("insurer", org="INS01", purposes=["claim_handling"])
    document = "{ claims(first: 5) { edges { node { policy { policyholder { name idNumber } } } } } }"
    for _ in range(3):
        answer = server.post(document, token=insurer).json()
        assert answer["data"]["claims"]["edges"], answer


async def test_the_application_looks_at_the_newest_rows_and_says_where_there_are_more(server):
    await asyncio.to_thread(ask_three_times, server)
    sides = compiled(REVEALED)
    application = await connect_once(server.database.application)
    try:
        for _ in range(100):
            asked = {"days": 1, "now": datetime.now(UTC), "plan": nothing_planned}
            every = await sealed_impact(application.fetch, sides, **asked, most=100_000)
            if every.operations > 2:
                break
            await asyncio.sleep(0.2)
        assert every.operations > 2
        assert every.limited is None
        few = await sealed_impact(application.fetch, sides, **asked, most=2)
        assert (few.operations, few.limited) == (2, 2)
        with pytest.raises(Exception, match="permission denied"):
            await impact(application, sides, **asked)
    finally:
        await application.close()


IMPACT = """query Impact($draft: ID!, $days: Int! = 1, $language: String) {
  ruleImpact(draft: $draft, days: $days, language: $language) { ruleset operations registered sentences text
    changes { role organization purpose coordinate before after certain operations persons }
    moved { team name coordinate breaks } leftOut { unsealed limitedTo } } }"""


def of_insurer(told):
    return [one for one in told["changes"] if (one["organization"], one["coordinate"]) == ("INS01", "User.idNumber")]


@pytest.fixture
def draft(server):
    """A draft by which insurers are revealed more; nobody else finds it open."""

    async def begin(owner):
        words = {"parent": 1, "author": "operator", "title": "ID numbers", "reason": "a trial"}
        return await open_draft(owner, **words, now=datetime.now(UTC), changes=Changes(add=(REVEALED.rules[-1],)))

    found = as_owner(server, begin)
    yield str(found)
    as_owner(server, lambda owner: owner.execute("DELETE FROM rule_draft WHERE id = $1", found))


def test_the_watchers_over_rules_ask_over_the_api_what_the_operator_asks_by_command(server, draft):
    ask_three_times(server)

    def ask(token, **more):
        return server.post(IMPACT, {"draft": draft, **more}, token=token, purpose="administration").json()

    auditor = server.token("auditor", purposes=["administration"])
    # The command looks at every row, the API at those that are sealed: soon at the same.
    for _ in range(100):
        told = ask(auditor)["data"]["ruleImpact"]
        commanded = server.operate("rules", "impact", "--draft", draft, "--days", "1")
        if of_insurer(json.loads(told["text"])) == of_insurer(commanded) != []:
            break
        time.sleep(0.2)
    (change,) = of_insurer(told)
    assert (change["before"], change["after"], change["certain"]) == ("MASK", "REVEAL", True)
    assert change["operations"] >= 3
    assert of_insurer(commanded) == of_insurer(json.loads(told["text"])) == [{**change, "purpose": "claim_handling"}]
    assert told["sentences"][1].startswith("reveals `User.idNumber`, masked so far, to ")
    assert "保险公司" in ask(auditor, language="zh")["data"]["ruleImpact"]["sentences"][1]
    for role in ("security_admin", "privacy_officer"):
        found = ask(server.token(role, purposes=["administration"]))["data"]["ruleImpact"]
        assert found["changes"]
    assert ask(server.token("developer", purposes=["administration"]))["data"]["ruleImpact"] is None
    assert ask(auditor, draft=str(uuid4()))["data"]["ruleImpact"] is None
    for more, argument in (({"days": 0}, "days"), ({"days": 401}, "days"), ({"language": "fr"}, "language")):
        assert ask(auditor, **more)["errors"][0]["extensions"]["argument"] == argument
    assert ask(auditor, draft="x")["errors"][0]["extensions"]["code"] == "BAD_ID"


def test_the_command_takes_a_folder_as_it_is_exported_and_refuses_what_is_none(server, tmp_path):
    folder = str(tmp_path / "files")
    server.operate("rules", "export", folder)
    told = server.operate("rules", "impact", folder, "--days", "1")
    assert (told["changes"], told["moved"]) == ([], [])
    for words in ((str(tmp_path / "none"),), (folder, "--draft", str(uuid4())), ("--draft", str(uuid4()))):
        with pytest.raises(OperatorRefusedError):
            server.operate("rules", "impact", *words, "--days", "1")
    (tmp_path / "files" / "rules" / "budget.csv").unlink()
    done = run_cli("rules", "impact", folder, data_dir=server.data_dir, check=False)
    assert done.returncode == 1
    assert "rules/budget.csv" in done.stderr
