"""Break glass: somebody else opens it, it shows exactly what it names to exactly one, it ends, and it is looked at."""

import asyncio
import json
import time
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from authz.broken_glasses import BROKEN, REVIEW_WITHIN, UNREVIEWED, BrokenGlasses, Running, tell
from authz.compile import compile_ruleset
from authz.default_ruleset import default_content
from authz.glass import Glass, glass_rules, under_glass, widened
from authz.replay import Replayer, Replayers
from authz.rules import RulesetError, parse_rule
from authz.rulesets import CONFIRM_SECONDS, Rulesets
from authz.situations import pair_bit
from authz.token_keys import TokenKeys
from authz.tokens import mint, new_subject, utc_now
from authz.vocabulary import Basis, Effect, Relation
from ledger.alarms import Alarms
from models.database import connect_once
from models.global_ids import from_global
from models.vocabulary import Category, Purpose, Role, to_bits
from schema.build import build_schema
from tests.recorded import ROW, said
from tests.rules import default_snapshot
from tests.workbench.governing import FIRST, OFFICER, PROBLEM, SECOND, Governing

GLASS = f"... on GlassStanding {{ id until endedAt verdict }} {PROBLEM}"
CLAIMS = "{ claims(first: 40) { edges { node { id diagnosis incidentDescription } } } }"
SNAPSHOT = default_snapshot(build_schema())
HANDLING = Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING
GLASS_FIELDS = [one.name for one in fields(Glass)]
UNTIED = pair_bit(Relation.NONE, Basis.NONE)


@pytest.fixture(scope="module")
def rules(governed):
    return Governing(governed)


@pytest.fixture(scope="module")
def handlers(rules):
    """Two claims handlers: work name and token of each."""
    names = [
        row["username"]
        for row in rules.execute("SELECT username FROM staff WHERE role = 'claims_handler' AND left_at IS NULL")
    ]
    assert len(names) > 1
    return [(name, rules.server.token("claims_handler", user=name, purposes=["claim_handling"])) for name in names[:2]]


@pytest.fixture
def broken(rules):
    """Breaks the glass; whatever runs is ended in the end."""
    opened = []

    def break_it(username, who=FIRST, /, token=None, **given):
        wanted = {"purpose": "CLAIM_HANDLING", "categories": ["HEALTH"], "reason": "A fire.", "minutes": 5, **given}
        found = rules.write("breakGlass", who, GLASS, token=token, username=username, **wanted)
        if "id" in found:
            opened.append(found["id"])
        return found

    yield break_it
    for one in opened:
        rules.write("endGlass", FIRST, GLASS, glass=one)


def felt(rules, token, purpose=None):
    """Of some claims: ids, how many diagnoses and incidents are shown, and what the answer says of the decision."""
    body = rules.server.post(CLAIMS, token=token, purpose=purpose).json()
    nodes = [edge["node"] for edge in body["data"]["claims"]["edges"]]
    counts = [sum(one[name] is not None for one in nodes) for name in ("diagnosis", "incidentDescription")]
    return [one["id"] for one in nodes], *counts, body["extensions"]["authorization"]


def test_it_shows_one_person_for_one_purpose_what_it_names_and_nothing_else_until_it_ends(rules, handlers, broken):
    (name, token), (_, other) = handlers
    ids, before, incidents, _ = plain(rules, token)
    others = plain(rules, other)[:3]
    glass = broken(name)
    assert "code" not in glass
    seen, after, still, told = heeded(rules, token)
    assert seen == ids, "rows that did not exist still do not"
    assert after > before
    assert (still, told["breakGlass"]) == (incidents, True)
    assert felt(rules, other)[:3] == others
    (row,) = said(rules.execute(ROW, told["decisionId"]))
    assert row["breakGlass"] == str(from_global(glass["id"])[1])
    assert row["ruleset"] == told["ruleset"]
    assert replayed(rules, row, {Category.HEALTH})
    ended = rules.write("endGlass", SECOND, GLASS, glass=glass["id"])
    assert ended["endedAt"]
    assert plain(rules, token)[:3] == (ids, before, incidents)


def plain(rules, token):
    """The same, once no worker heeds what an earlier test has ended."""
    begun = time.monotonic()
    while "breakGlass" in (found := felt(rules, token))[3]:
        assert time.monotonic() - begun < 2
        time.sleep(0.05)
    return found


def heeded(rules, token):
    """The same, once the worker heeds what has been broken."""
    begun = time.monotonic()
    while "breakGlass" not in (found := felt(rules, token))[3]:
        assert time.monotonic() - begun < 2
        time.sleep(0.05)
    return found


def replayed(rules, body, categories):
    """Is every decision of a row made again by the rules in force and the glass's, and by nothing less?"""
    content = default_content()
    base = compile_ruleset(content.ruleset(body["ruleset"], SNAPSHOT.catalogue), SNAPSHOT.catalogue)
    assert not Replayer(base).knows(body)
    replayer = Replayer(under_glass(base, *HANDLING, categories))
    found = list(replayer.replay(body))
    return replayer.knows(body) and found and all(one.equal for one in found)


WHY = """query($id: String!) { explainDecision(decision: $id) { brokenGlass rulesKnown
  entries { coordinate effect agrees explanation { effect candidates { holds rule { clause } } } } } }"""


def test_what_was_shown_is_decided_again_and_explained_by_the_rules_and_the_glass(rules, handlers, broken):
    (name, token), _ = handlers
    broken(name)
    told = heeded(rules, token)[3]
    (row,) = said(rules.execute(ROW, told["decisionId"]))
    assert row["breakGlass"]
    found = json.loads(rules.cli("ledger", "replay", "--from", row["at"][:10]).stdout)
    assert (found["otherRules"], found["differences"]) == (0, 0)
    assert found["rows"] > 0
    begun = time.monotonic()
    while (why := rules.ask(WHY, id=told["decisionId"])["explainDecision"]) is None:
        assert time.monotonic() - begun < 15, "the index is behind"
        time.sleep(0.1)
    assert (why["brokenGlass"], why["rulesKnown"], {one["agrees"] for one in why["entries"]}) == (True, True, {True})
    shown = [one for one in why["entries"] if (one["coordinate"], one["effect"]) == ("Claim.diagnosis", "REVEAL")]
    clauses = {rule["rule"]["clause"] for one in shown for rule in one["explanation"]["candidates"] if rule["holds"]}
    assert "C55 break glass" in clauses


def test_a_row_that_names_another_glass_is_not_taken_for_one_of_these_rules():
    """Nor does it hide one that is: what is found for a digest depends on the glass that a row names."""
    content = default_content()
    base = content.ruleset(1, SNAPSHOT.catalogue)
    digest = widened(base, *HANDLING, {Category.HEALTH}).digest
    glass = {
        "id": uuid4(),
        "role": HANDLING[0].value,
        "purpose": HANDLING[1].value,
        "categories": to_bits({Category.HEALTH}),
    }

    class Rows:
        async def fetchrow(self, query, sought):
            known = "broken_glass" in query and sought == glass["id"]
            return {**dict.fromkeys(GLASS_FIELDS), **glass} if known else None

        async def fetchval(self, *_):
            return None

    replayers = Replayers(Rows(), SNAPSHOT.catalogue)
    replayers._whole[1] = base
    body = {"ruleset": 1, "digest": digest, "at": "2026-11-20T00:00:00+00:00"}

    async def known(**more):
        return await replayers.of({**body, **more}) is not None

    async def run():
        named = {"breakGlass": str(glass["id"])}
        return [await known(), await known(breakGlass=str(uuid4())), await known(**named), await known()]

    assert asyncio.run(run()) == [False, False, True, False]
    for wrong in ("x", 7, [], {}):
        with pytest.raises((ValueError, AttributeError, TypeError)):
            asyncio.run(known(breakGlass=wrong))


ACCOUNT = """SELECT a.id, a.person_id FROM account a JOIN person_reference r ON r.person_id = a.person_id
WHERE r.reference = ANY($1::bigint[]) LIMIT 1"""
HISTORY = "{ viewer { user { accessHistory(first: 50) { edges { node { decisionId role revealed } } } } } }"


def test_those_whose_data_were_seen_find_it_in_their_history_like_any_other_access(rules, handlers, broken):
    (name, token), _ = handlers
    broken(name)
    told = heeded(rules, token)[3]
    (row,) = said(rules.execute(ROW, told["decisionId"]))
    (found,) = rules.execute(ACCOUNT, [one for one in row["persons"] if isinstance(one, int)])
    person = new_subject(
        Role.CUSTOMER,
        [Purpose.ACCOUNT_SERVICE],
        categories=to_bits(set(Category)),
        account=found["id"],
        person=found["person_id"],
    )
    own = mint(TokenKeys.load_or_create(rules.server.installation.token_keys_path), person, now=utc_now())
    begun, seen = time.monotonic(), {}
    while told["decisionId"] not in seen:
        assert time.monotonic() - begun < 20
        edges = rules.server.post(HISTORY, token=own).json()["data"]["viewer"]["user"]["accessHistory"]["edges"]
        seen = {edge["node"]["decisionId"]: edge["node"] for edge in edges}
        time.sleep(0.2)
    assert seen[told["decisionId"]]["role"] == "claims_handler"
    assert "Claim.diagnosis" in json.dumps(seen[told["decisionId"]]["revealed"])


def test_a_narrowed_token_is_shown_no_more_than_it_lists(rules, handlers, broken):
    (name, wide), _ = handlers
    narrow = rules.server.token("claims_handler", user=name, purposes=["claim_handling"], categories=["name"])
    broken(name)
    assert heeded(rules, wide)[1] > 0
    assert felt(rules, narrow)[1] == 0


def test_it_ends_by_itself_to_the_second(rules, handlers, broken):
    (name, token), _ = handlers
    before = plain(rules, token)[1]
    glass = broken(name)
    until = datetime.now(UTC) + timedelta(seconds=3)
    row = from_global(glass["id"])[1]
    rules.execute("UPDATE broken_glass SET until = $2 WHERE id = $1", row, until)
    assert heeded(rules, token)[1] > before
    time.sleep(max((until - datetime.now(UTC)).total_seconds(), 0))
    assert felt(rules, token)[1] == before
    assert rules.write("endGlass", FIRST, GLASS, glass=glass["id"])["code"] == "GLASS_STATE"


def test_nobody_breaks_it_for_themself_or_for_whom_no_data_are_or_without_saying_why(rules, handlers, broken):
    (name, _), _ = handlers
    for given, code, field in (
        ((name, {"minutes": 0}), "MINUTES_INVALID", "minutes"),
        ((name, {"minutes": 61}), "MINUTES_INVALID", "minutes"),
        ((name, {"categories": []}), "CATEGORIES_INVALID", "categories"),
        ((name, {"reason": " "}), "TEXT_INVALID", "reason"),
        ((name, {"purpose": "MARKETING"}), "PURPOSE_UNKNOWN", "purpose"),
        ((name, {"categories": ["DEMOGRAPHIC"]}), "RULES_INVALID", "add"),
        (("nobody.at-all", {}), "MEMBER_UNKNOWN", "username"),
        ((FIRST, {}), "GLASS_YOURS", None),
        ((SECOND, {"purpose": "ADMINISTRATION"}), "ROLE_SEES_NOTHING", None),
    ):
        username, wanted = given
        found = broken(username, **wanted)
        assert (found["code"], found["field"]) == (code, field), given
    for role in ("auditor", "developer", "marketer"):
        (member,) = rules.execute(
            "SELECT username FROM staff WHERE role = $1 AND left_at IS NULL ORDER BY username LIMIT 1", role
        )
        purpose = "MARKETING" if role == "marketer" else "ADMINISTRATION"
        assert broken(member["username"], purpose=purpose)["code"] == "ROLE_SEES_NOTHING"
    for role, who in (("privacy_officer", OFFICER), ("auditor", None)):
        token = rules.token(who) if who else rules.server.token(role, purposes=["administration"])
        assert broken(name, None, token=token)["code"] == "WRITE_DENIED"
    assert "id" in broken(name)
    assert broken(name)["code"] == "GLASS_OPEN"


def test_somebody_who_neither_opened_it_nor_saw_by_it_reviews_it_once_it_is_over(rules, handlers, broken):
    (name, _), _ = handlers
    glass = broken(name)

    def review(who, verdict="APPROVED"):
        return rules.write("reviewGlass", who, GLASS, glass=glass["id"], verdict=verdict, note="Seen.")

    assert review(OFFICER)["code"] == "GLASS_STATE"
    rules.write("endGlass", FIRST, GLASS, glass=glass["id"])
    assert review(FIRST)["code"] == "GLASS_YOURS"
    assert review(OFFICER, "REJECTED")["verdict"] == "REJECTED"
    assert review(SECOND)["code"] == "GLASS_STATE"
    document = "{ brokenGlasses(first: 1) { id purpose categories reason verdict endedAt openedBy reviewedBy } }"
    (found,) = rules.ask(document, SECOND)["brokenGlasses"]
    assert (found["id"], found["categories"], found["verdict"]) == (glass["id"], ["HEALTH"], "REJECTED")
    document = "{ brokenGlasses(first: 1) { accountName openedByName endedByName reviewedByName } }"
    assert list(rules.ask(document, SECOND)["brokenGlasses"][0].values()) == [name, FIRST, FIRST, OFFICER]
    acts = rules.execute(
        "SELECT body FROM ledger WHERE body::jsonb -> 'detail' ->> 'glass' = $1 AND body::jsonb ->> 'kind' = 'RULES'"
        " ORDER BY at",
        str(from_global(glass["id"])[1]),
    )
    assert [json.loads(one["body"])["detail"]["act"] for one in acts] == ["breakGlass", "endGlass", "reviewGlass"]


def test_the_alarm_sounds_within_seconds_and_is_in_the_ledger(rules, handlers, broken):
    (name, _), _ = handlers
    glass = str(from_global(broken(name)["id"])[1])
    statement = "SELECT body FROM ledger WHERE body LIKE '%GLASS_BROKEN%' AND body LIKE '%' || $1 || '%'"
    begun = time.monotonic()
    while not (rows := rules.execute(statement, glass)):
        assert time.monotonic() - begun < 10
        time.sleep(0.2)
    (row,) = said(rows)
    assert (row["code"], row["detail"]["role"], row["detail"]["minutes"]) == (BROKEN, "claims_handler", 5)


def test_what_nobody_reviews_is_an_alarm_a_day_later_and_each_day_anew(governed):
    heard = []
    now = datetime(2030, 1, 1, tzinfo=UTC)
    insert = """INSERT INTO broken_glass (id, account, role, purpose, categories, reason, opened_by, opened_at, until)
    VALUES ($1, $2, 'claims_handler', 'claim_handling', 512, 'x', 'y', $3, $4)"""

    async def work():
        connection = await connect_once(governed.database.owner)
        try:
            undone = connection.transaction()
            await undone.start()
            await connection.execute("DELETE FROM broken_glass")
            glass = uuid4()
            await connection.execute(insert, glass, uuid4(), now - timedelta(minutes=5), now)

            async def after(span):
                alarms = Alarms(lambda: now + span, lambda row: heard.append(row.code))
                await tell(connection, now=now + span, sound=alarms.sound)
                found, heard[:] = list(heard), []
                return found

            assert await after(timedelta()) == [BROKEN]
            assert await after(REVIEW_WITHIN - timedelta(seconds=1)) == []
            assert await after(REVIEW_WITHIN) == [UNREVIEWED]
            assert await after(REVIEW_WITHIN + timedelta(hours=1)) == []
            assert await after(2 * REVIEW_WITHIN) == [UNREVIEWED]
            await connection.execute("UPDATE broken_glass SET reviewed_at = $1", now)
            assert await after(9 * REVIEW_WITHIN) == []
            await undone.rollback()
        finally:
            await connection.close()

    asyncio.run(work())


# On the command line, a person proves themself.


def test_on_the_command_line_it_takes_the_token_of_whoever_opens_and_reviews_it(rules, handlers):
    (_, _), (name, _) = handlers
    words = ("glass", "open", name, "--purpose", "claim_handling", "--category", "health", "--minutes", "3")
    nobody = rules.cli(*words, "--reason", "A fire.", check=False)
    assert (nobody.returncode, "your own access token" in nobody.stderr) == (1, True)
    opened = json.loads(rules.cli(*words, "--reason", "A fire.", who=FIRST).stdout)
    assert json.loads(rules.cli("glass", "end", opened["glass"]).stdout)["ended"]
    review = ("glass", "review", opened["glass"], "--verdict", "APPROVED")
    assert "Nobody breaks the glass for themself" in rules.cli(*review, who=FIRST, check=False).stderr
    assert json.loads(rules.cli(*review, who=OFFICER).stdout)["verdict"] == "APPROVED"
    (found, *_) = json.loads(rules.cli("glass", "list").stdout)
    assert (found["glass"], found["verdict"]) == (opened["glass"], "APPROVED")


# What decides.


def test_a_deny_wins_and_everything_else_is_answered_as_before():
    denied = parse_rule(["deny", *(one.value for one in HANDLING), "any", "any", "mask", "health", "C55"], place="test")
    content = default_content()
    ruleset = content.ruleset(1, SNAPSHOT.catalogue)
    plain, opened = SNAPSHOT.slice(*HANDLING), under_glass(SNAPSHOT, *HANDLING, {Category.HEALTH})
    for name, coordinate in SNAPSHOT.catalogue.items():
        expected = Effect.REVEAL if coordinate.category is Category.HEALTH else plain.decide(name, UNTIED)
        assert opened.slice(*HANDLING).decide(name, UNTIED) is expected, name
    assert {place: one for place, one in opened.slices.items() if place != HANDLING} == {
        place: one for place, one in SNAPSHOT.slices.items() if place != HANDLING
    }
    assert opened.writes is SNAPSHOT.writes
    assert opened.ruleset.budgets == SNAPSHOT.ruleset.budgets
    assert opened.ruleset.digest != ruleset.digest
    with_deny = type(content)((*content.rules, denied), content.budgets).ruleset(1, SNAPSHOT.catalogue)
    harder = under_glass(compile_ruleset(with_deny, SNAPSHOT.catalogue), *HANDLING, {Category.HEALTH})
    health = [name for name, one in SNAPSHOT.catalogue.items() if one.category is Category.HEALTH]
    assert {harder.slice(*HANDLING).decide(name, UNTIED) for name in health} == {Effect.DENY}


def test_a_worker_answers_by_a_glass_only_whom_it_names_and_as_long_as_the_rules_go_with_it():
    now = datetime(2026, 11, 20, 4, tzinfo=UTC)
    account, glass = uuid4(), uuid4()
    row = {
        "id": glass,
        "account": account,
        "role": Role.CLAIMS_HANDLER.value,
        "purpose": Purpose.CLAIM_HANDLING.value,
        "categories": to_bits({Category.HEALTH}),
        "until": now + timedelta(minutes=1),
    }

    class Rows:
        def __init__(self, *rows):
            self.rows = rows

        async def fetch(self, _):
            return list(self.rows)

    def subject(role=Role.CLAIMS_HANDLER, who=account):
        return new_subject(role, [Purpose.CLAIM_HANDLING], categories=0, account=who)

    known = BrokenGlasses()

    def answered(asker, purpose=Purpose.CLAIM_HANDLING, at=now, rules=SNAPSHOT):
        return known.applied(rules, asker, purpose, now=at)

    assert answered(subject()) == (SNAPSHOT, None)
    asyncio.run(known.learn(Rows(row)))
    compiled, named = answered(subject())
    assert named == glass
    assert answered(subject())[0] is compiled, "compiled once"
    assert answered(subject(who=uuid4())) == (SNAPSHOT, None)
    assert answered(subject(role=Role.RISK_ANALYST)) == (SNAPSHOT, None)
    assert answered(subject(), Purpose.VERIFICATION) == (SNAPSHOT, None)
    assert answered(subject(), at=now + timedelta(seconds=59))[1] == glass
    assert answered(subject(), at=now + timedelta(seconds=60)) == (SNAPSHOT, None)
    masked = {**row, "categories": to_bits({Category.DEMOGRAPHIC})}
    asyncio.run(known.learn(Rows(masked)))
    assert answered(subject()) == (SNAPSHOT, None), "a birth date never stands beside a masked ID number"
    asyncio.run(known.learn(Rows()))
    assert answered(subject()) == (SNAPSHOT, None)


BESIDE_A_MASKED_ID = parse_rule(
    [
        "allow",
        *(one.value for one in HANDLING),
        "any",
        "any",
        "reveal",
        "demographic",
        "C55",
        "2026-11-20T04:00:01Z",
        "",
    ],
    place="test",
)


@pytest.mark.parametrize("unusable", [False, True])
def test_no_glass_opens_what_is_closed_since_nobody_can_tell_which_rules_are_in_force(unusable):
    """Whether a worker could not confirm its ruleset, or what of it holds now cannot be used."""
    now = datetime(2026, 11, 20, 4, tzinfo=UTC)
    account, seconds = uuid4(), [0.0]
    glass = Running(uuid4(), HANDLING[0], to_bits({Category.HEALTH}), now + timedelta(minutes=1))
    known = BrokenGlasses()
    known._running = {(account, HANDLING[1]): glass}
    content = default_content()
    content = replace(content, rules=(*content.rules, BESIDE_A_MASKED_ID)) if unusable else content
    moments = [now]
    rulesets = Rulesets(SNAPSHOT.catalogue, lambda: moments[0], passed=lambda: seconds[0])
    rulesets.use(content.ruleset(1, SNAPSHOT.catalogue))
    subject = new_subject(HANDLING[0], [HANDLING[1]], categories=0, account=account)

    def answered():
        return known.applied(rulesets.snapshot(), subject, HANDLING[1], now=now)

    assert answered()[1] == glass.id
    if unusable:
        moments[0] += timedelta(seconds=1)
    else:
        seconds[0] += CONFIRM_SECONDS + 0.1
    found, named = answered()
    assert named is None
    assert found.is_closed
    assert {found.slice(*HANDLING).table(name)[UNTIED] for name in SNAPSHOT.catalogue} == {Effect.DENY}
    with pytest.raises(RulesetError):
        under_glass(found, *HANDLING, {Category.HEALTH})


def test_its_rules_say_what_they_are_for():
    (rule,) = glass_rules(*HANDLING, {Category.HEALTH})
    assert rule.line == "allow,claims_handler,claim_handling,any,any,reveal,health,C55 break glass"
