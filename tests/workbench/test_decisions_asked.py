"""Which recent decisions there were, and why one of them: without persons, for those who watch and whoever made it."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from authz.default_ruleset import default_content, keep_default
from authz.situations import pair_bit
from authz.vocabulary import Basis, Relation
from authz.workbench import decided, decisions
from authz.workbench.decided import explain_decision
from authz.workbench.decisions import Wanted, recent
from ledger.bodies import read_body
from ledger.rows import Entry, Kind, Operation, Outcome, body_of
from ledger.searches import NEWEST, Sought
from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from models.vocabulary import Category, Purpose, Role, to_bits
from schema.build import build_schema
from tests.ledger.sealed import index, seal, write
from tests.plain import lines
from tests.recorded import ROW, as_owner, said
from tests.rules import default_snapshot

EXPLANATION = """role purpose coordinate act ruleset situation effect reason byRules clauses sentence
  candidates { holds failed sentence rule { effect role purpose relation basis action object clause sentence } }
  missing { gives pair purpose token sentence rule { sentence } }"""
WHY = f"""query Why($id: String!) {{ explainDecision(decision: $id) {{
  decisionId at kind outcome code role purpose ruleset brokenGlass rulesKnown whole
  entries {{ coordinate effect reason agrees explanation {{ {EXPLANATION} }} }} }} }}"""
RECENT = """query Recent($first: Int, $after: String, $role: String, $organization: String, $purpose: Purpose,
  $coordinate: String, $effect: String, $reason: Reason, $ruleset: Int, $from: DateTime, $to: DateTime,
  $breakGlass: Boolean) {
  recentDecisions(first: $first, after: $after, role: $role, organization: $organization, purpose: $purpose,
    coordinate: $coordinate, effect: $effect, reason: $reason, ruleset: $ruleset, from: $from, to: $to,
    breakGlass: $breakGlass) {
    totalCount pageInfo { hasNextPage endCursor }
    edges { node { decisionId at kind outcome code role organization { code } purpose operationHash ruleset brokenGlass
      entries { coordinates effect reason persons } } } } }"""
CLAIMS = """query Asked { claims(first: 30) { edges { node { id diagnosis bankCard
  policy { premium insured { name idNumber phone tags } } } } } }"""
OWN = "query Own { viewer { user { name idNumber bankCard } } policies(first: 5) { edges { node { premium } } } }"
SNAPSHOT = default_snapshot(build_schema())
SECONDS = 15


def asked(server, document, variables=None, **caller):
    body = server.post(document, variables, **caller).json()
    return body["data"], body["extensions"]["authorization"]["decisionId"]


def why(server, decision, token, **more):
    return asked(server, WHY, {"id": decision}, token=token, **more)[0]["explainDecision"]


@pytest.fixture(scope="module")
def admin(server):
    return server.token("security_admin", purposes=["administration"])


@pytest.fixture(scope="module")
def insurer(server):
    return server.token("insurer", org="INS01", purposes=["claim_handling"])


@pytest.fixture(scope="module")
def person(server):
    return next(one for one in lines(server.plaintext)["User"] if one["username"])


@pytest.fixture(scope="module")
def customer(server, person):
    return server.token("customer", user=person["username"], purposes=["account_service"])


@pytest.fixture(scope="module")
def made(server, admin, handler, insurer, customer):
    """Decisions of some callers, once the ledger's index has them all."""
    found = {
        "handler": asked(server, CLAIMS, token=handler)[1],
        "insurer": asked(server, CLAIMS, token=insurer)[1],
        "customer": asked(server, OWN, token=customer)[1],
    }
    deadline = time.monotonic() + SECONDS
    while not all(why(server, decision, admin) for decision in found.values()):
        assert time.monotonic() < deadline, "the index is behind"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("who", ["handler", "insurer", "customer"])
def test_every_answer_of_a_decision_is_explained_as_the_rules_give_it(server, admin, made, who):
    told = why(server, made[who], admin)
    assert (told["decisionId"], told["ruleset"], told["rulesKnown"], told["whole"]) == (made[who], 1, True, True)
    assert len(told["entries"]) > 3
    for entry in told["entries"]:
        explained = entry["explanation"]
        assert entry["agrees"], entry
        assert (explained["effect"], explained["reason"]) == (entry["effect"], entry["reason"])
        assert explained["situation"]
        speaking = [one for one in explained["candidates"] if one["holds"]]
        assert bool(speaking) == (explained["effect"] != "DENY")
        assert (explained["missing"] is None) or explained["effect"] != "REVEAL"
    (row,) = said(as_owner(server, lambda one: one.fetch(ROW, made[who])))
    recorded = {(name, entry[1], entry[2]) for entry in row["entries"] for name in entry[0]}
    assert {(one["coordinate"], one["effect"], one["reason"]) for one in told["entries"]} == recorded


def test_nobody_is_told_persons_or_records(server, admin, made):
    for decision in made.values():
        text = json.dumps(why(server, decision, admin)).replace(decision, "")
        (row,) = said(as_owner(server, lambda one, sought=decision: one.fetch(ROW, sought)))
        assert row["persons"]
        for secret in (
            *map(str, row["persons"]),
            *row.get("records", ()),
            row.get("account", row["token"]),
            row["token"],
        ):
            assert secret not in text


def test_whoever_made_it_may_ask_and_nobody_else_learns_that_there_is_one(server, made, person):
    server_of = {
        "customer": server.token("customer", user=person["username"], purposes=["account_service", "rights_request"]),
        "insurer": server.token("insurer", org="INS01", purposes=["claim_handling", "policy_service"]),
    }
    for who, token in server_of.items():
        for purpose in ("account_service", "rights_request") if who == "customer" else ("policy_service",):
            assert why(server, made[who], token, purpose=purpose)["decisionId"] == made[who]
    others = [
        server.token("insurer", org="INS02", purposes=["claim_handling"]),
        server.token("claims_handler", purposes=["claim_handling"], user=another(server)),
        server.token("privacy_officer", purposes=["administration"]),
        server.token("developer", purposes=["administration"]),
        server.token("security_admin", purposes=["security"]),
        server.token("auditor", purposes=["administration"], categories=[]),
    ]
    for token in others:
        for decision in made.values():
            there = server.post(WHY, {"id": decision}, token=token)
            unknown = server.post(WHY, {"id": str(uuid4())}, token=token)
            answers = [one.json() for one in (there, unknown)]
            for one in answers:
                one["extensions"]["authorization"].pop("decisionId")
            assert answers[0] == answers[1] == {**answers[0], "data": {"explainDecision": None}}


def test_a_narrowed_token_asks_only_about_what_it_made_itself(server, made):
    """Its subject was shown more under another token: that is not for whoever has this one."""

    def insurer(categories):
        return server.token("insurer", org="INS01", purposes=["claim_handling"], categories=categories)

    assert why(server, made["insurer"], insurer(None))
    narrowed = insurer([])
    assert why(server, made["insurer"], narrowed) is None
    own = asked(server, CLAIMS, token=narrowed)[1]
    deadline = time.monotonic() + SECONDS
    while not why(server, own, narrowed):
        assert time.monotonic() < deadline, "the index is behind"
        time.sleep(0.1)


def another(server):
    """A claims handler who asked nothing."""
    find = "SELECT username FROM staff WHERE role = 'claims_handler' AND left_at IS NULL ORDER BY username DESC LIMIT 1"
    return as_owner(server, lambda one: one.fetchval(find))


@pytest.mark.parametrize(
    "document,given,argument",
    [
        (WHY, {"id": "x"}, "decision"),
        (RECENT, {"role": "nobody"}, "role"),
        (RECENT, {"organization": "NOBODY"}, "organization"),
        (RECENT, {"coordinate": "name"}, "coordinate"),
        (RECENT, {"effect": "SHOW"}, "effect"),
        (RECENT, {"ruleset": 0}, "ruleset"),
        (RECENT, {"from": "2026-11-22T00:00:00"}, "from"),
        (RECENT, {"from": "2026-11-22T00:00:00Z", "to": "2026-11-21T00:00:00Z"}, "to"),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_named(server, admin, document, given, argument):
    extensions = server.post(document, given, token=admin).json()["errors"][0]["extensions"]
    assert (extensions["code"], extensions["argument"]) == ("BAD_USER_INPUT", argument)


# Of rows made up for it, in a database of its own.

START = datetime(2026, 6, 1, tzinfo=UTC)
GLASS = uuid4()
OPEN = pair_bit(Relation.UNDERWRITER, Basis.CONTRACT_OPEN)
TIED = pair_bit(Relation.UNDERWRITER, Basis.NONE)
DIGEST = default_content().digest


@pytest.fixture(scope="module")
def own_ledger(tmp_path_factory, prepared):
    """The owner's connection to a database of the default rules whose ledger holds `ROWS`."""
    data_dir = tmp_path_factory.mktemp("decisions") / "data"
    prepared.empty(data_dir)
    with database(open_installation({"NEEDFUL_DATA": str(data_dir)})) as found, asyncio.Runner() as runner:
        connection = runner.run(connect_once(found.owner))

        async def fill():
            await keep_default(connection, now=START)
            await write(connection, *((one.at, body_of(one, lambda _: 7)) for one in ROWS.values()))
            await seal(connection)
            await index(connection)

        runner.run(fill())
        yield lambda work: runner.run(work(connection))
        runner.run(connection.close())


def row(at, *entries, **more):
    told = {
        "role": Role.INSURER,
        "purpose": Purpose.CLAIM_HANDLING,
        "kind": Kind.READ,
        "ruleset": 1,
        "digest": DIGEST,
        "scope": {"categories": to_bits(set(Category))},
        **more,
    }
    return Operation(
        decision=UUID(int=at + 1),
        at=START + timedelta(minutes=at),
        persons=("payee 5", "payee 6"),
        groups=(((0, 1), None),),
        entries=entries,
        **told,
    )


def entry(name, effect, reason=None, situation=OPEN):
    return Entry((name,), effect, reason, situation, 0)


ROWS = {
    "shown": row(0, entry("Claim.diagnosis", "REVEAL"), entry("User.email", "DENY", "PURPOSE")),
    "untied": row(1, entry("Claim.diagnosis", "DENY", "RELATION", TIED), entry("User.name", "REVEAL", situation=TIED)),
    "glass": row(2, entry("Claim.diagnosis", "REVEAL", situation=1), break_glass=str(GLASS), digest="0" * 64),
    "limited": row(3, entry("User.name", "DENY", "LIMIT")),
    "refused": row(4, kind=Kind.REFUSAL, outcome=Outcome.REFUSED, code="FILTER_DENIED", digest=None),
    "written": row(5, entry("Mutation.closeClaim", "WRITE", situation=0), kind=Kind.WRITE, role=Role.CLAIMS_HANDLER),
    "nothing": row(6),
    "login": row(7, entry("Mutation.logIn", "WRITE"), kind=Kind.LOGIN),
    "wrong": row(8, entry("Claim.diagnosis", "MASK"), ruleset=2, digest="1" * 64),
    "two": row(
        9,
        entry("Claim.diagnosis", "DENY", "RELATION", TIED),
        entry("Claim.diagnosis", "DENY", "RELATION", 1),
        ruleset=1,
    ),
    "narrowed": row(
        10, entry("User.idNumber", "MASK", None, TIED), scope={"categories": to_bits(set(Category)), "most": "MASK"}
    ),
    "differs": row(11, entry("Claim.diagnosis", "MASK")),
}
NAMES = {one.decision: name for name, one in ROWS.items()}
NEWEST_FIRST = ["differs", "narrowed", "two", "wrong", "written", "refused", "limited", "glass", "untied", "shown"]


@pytest.mark.parametrize(
    "filters,expected",
    [
        ({}, NEWEST_FIRST),
        ({"role": "claims_handler"}, ["written"]),
        ({"effect": "MASK"}, ["differs", "narrowed", "wrong"]),
        ({"effect": "DENY"}, ["two", "limited", "untied", "shown"]),
        ({"effect": "DENY", "coordinates": ("Claim.diagnosis",)}, ["two", "untied"]),
        ({"effect": "REVEAL", "coordinates": ("Claim.diagnosis",)}, ["glass", "shown"]),
        ({"reason": "RELATION"}, ["two", "untied"]),
        ({"reason": "RELATION", "coordinates": ("User.name",)}, []),
        ({"reason": "PURPOSE", "effect": "REVEAL"}, []),
        ({"reason": "LIMIT"}, ["limited"]),
        ({"ruleset": 2}, ["wrong"]),
        ({"broken_glass": True}, ["glass"]),
        ({"broken_glass": False, "effect": "REVEAL"}, ["untied", "shown"]),
        ({"purpose": "claim_handling", "since": START + timedelta(minutes=9)}, ["differs", "narrowed", "two"]),
        ({"until": START + timedelta(minutes=1)}, ["shown"]),
    ],
)
def test_filters_find_the_decisions_for_which_all_of_them_hold(own_ledger, filters, expected):
    beside = {name: filters[name] for name in ("reason", "broken_glass") if name in filters}
    sought = Sought(**{name: value for name, value in filters.items() if name not in beside})
    found = own_ledger(lambda one: recent(one.fetch, Wanted(sought, **beside), before=NEWEST, size=50))
    assert [NAMES[one.decision] for one in found.decisions] == expected
    assert found.before is None


@pytest.mark.parametrize("filters", [{}, {"reason": "RELATION"}])
@pytest.mark.parametrize("size,looked_through,at_once", [(1, 1_000, 250), (2, 2, 2), (3, 1, 1)])
def test_pages_join_to_the_whole_however_little_each_looks_through(
    own_ledger, monkeypatch, filters, size, looked_through, at_once
):
    wanted = Wanted(Sought(), **filters)
    whole = own_ledger(lambda one: recent(one.fetch, wanted, before=NEWEST, size=50)).decisions
    monkeypatch.setattr(decisions, "LOOKED_THROUGH", looked_through)
    monkeypatch.setattr(decisions, "_AT_ONCE", at_once)
    found, before = [], NEWEST
    while before is not None:
        start = before
        page = own_ledger(lambda one, start=start: recent(one.fetch, wanted, before=start, size=size))
        assert len(page.decisions) <= size
        assert page.before is None or page.before < before
        found, before = found + page.decisions, page.before
    assert [one.index for one in found] == [one.index for one in whole]


def explained(own_ledger, name, *, watches=True, own=True):
    return own_ledger(
        lambda one: explain_decision(one, ROWS[name].decision, snapshot=SNAPSHOT, watches=watches, own=lambda _: own)
    )


def test_what_differs_from_the_rules_is_told_as_differing(own_ledger):
    found = {name: explained(own_ledger, name) for name in ("shown", "untied", "two", "narrowed", "differs")}
    assert {name: {each.agrees for each in one.entries} for name, one in found.items()} == {
        "shown": {True},
        "untied": {True},
        "two": {True},
        "narrowed": {True},
        "differs": {False},
    }
    assert len(found["two"].entries) == 2


def test_what_rules_alone_did_not_decide_is_not_judged(own_ledger):
    limited, glass, wrong = (explained(own_ledger, name) for name in ("limited", "glass", "wrong"))
    assert [(one.agrees, one.explanation.effect.name) for one in limited.entries] == [(None, "REVEAL")]
    assert (glass.rules_known, [one.agrees for one in glass.entries]) == (False, [None])
    assert (wrong.rules_known, wrong.entries[0].explanation) == (False, None)


def test_a_write_and_a_refusal_are_explained_as_far_as_their_rows_say(own_ledger):
    (write_entry,) = explained(own_ledger, "written").entries
    assert write_entry.explanation.pairs is None
    assert {one.rule.object for one in write_entry.explanation.candidates} == {"Mutation.closeClaim"}
    refused = explained(own_ledger, "refused")
    assert (refused.said.code, refused.entries) == ("FILTER_DENIED", ())


def test_a_login_is_no_decision_of_rules(own_ledger):
    assert explained(own_ledger, "login") is None
    assert explained(own_ledger, "shown", watches=False, own=False) is None


def test_situations_that_were_answered_alike_are_one_for_whoever_may_not_know_them(own_ledger):
    (entry_told,) = explained(own_ledger, "two", watches=False).entries
    assert entry_told.explanation.pairs is None
    (limited,) = explained(own_ledger, "limited", watches=False).entries
    assert (limited.explanation.effect, limited.explanation.missing, limited.explanation.clauses) == (None, None, ())


def test_a_very_large_decision_is_explained_in_part(own_ledger, monkeypatch):
    monkeypatch.setattr(decided, "MOST", 1)
    found = explained(own_ledger, "shown")
    assert (len(found.entries), found.whole) == (1, False)
    assert explained(own_ledger, "limited").whole


def test_a_row_that_anybody_could_have_added_stops_no_question():
    for scope in (None, [], {"categories": "x"}, {"categories": 1, "most": "ALL"}, {"categories": 1, "only": 5}):
        body = {"kind": "READ", "role": "insurer", "purpose": "claim_handling", "scope": scope}
        assert decided._asked(read_body(json.dumps(body))) is None
    both = OPEN | TIED << 64
    text = {"groups": [[[0]]], "persons": [1], "entries": [[["User.name"], "MASK", None, str(both), 0]]}
    assert read_body(json.dumps(text)).entries[0].situation == both
    text["entries"][0][3] = "9" * 40
    assert read_body(json.dumps(text)).entries[0].situation == 0
