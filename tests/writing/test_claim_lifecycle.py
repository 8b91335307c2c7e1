"""The lifecycle of a claim, against a table written by hand: who may do what in which status, and where it leads."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from models.global_ids import NodeType, to_global
from tests.writing.claiming import (
    ADJUSTER,
    COLLEAGUE,
    HANDLER,
    ITEMS,
    OTHER_ADJUSTER,
    OTHER_INSURER,
    OWN,
    REPORTER,
    Caller,
    cast_of,
    insert,
)
from tests.writing.conftest import row_id

STATUSES = (
    *("DRAFT", "REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING"),
    *("APPROVED", "REJECTED", "PAID", "CLOSED", "WITHDRAWN"),
)
ACTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "draft": ("draftClaim", {"hospital": "浙大一院"}),
    "submit": ("submitClaim", {}),
    "withdraw": ("withdrawClaim", {}),
    "assign": ("assignClaim", {}),
    "engage": ("assignClaim", {"lossAdjuster": ADJUSTER}),
    "request": ("requestMaterials", {"items": ["DIAGNOSIS"]}),
    "approve": ("recordClaimDecision", {"decision": "APPROVE"}),
    "reject": ("recordClaimDecision", {"decision": "REJECT"}),
    "pay": ("recordClaimPayment", {"amount": "1000"}),
    "close": ("closeClaim", {}),
}
# By who acts and what they do, one letter a status, in the order above.
# x done; - there is no such claim; r not this role's; p not for this purpose; t not tied to it; b its basis is not
# open; s not in this status; h a colleague handles it.
TABLE: dict[str, dict[str, str]] = {
    "party": {
        "draft": "xsxssssssss",
        "submit": "xsxssssssss",
        "withdraw": "xxxxxxsssss",
        "*": "rrrrrrrrrrr",
    },
    "party asking for their rights": {
        "draft": "ppppppppppp",
        "submit": "ppppppppppp",
        "withdraw": "ppppppppppp",
        "*": "rrrrrrrrrrr",
    },
    "handler": {
        "assign": "-xxxxxxxxsx",
        "engage": "-sssxxsssss",
        "request": "-xxxxxsbbbb",
        "pay": "-sssssxbbbb",
        "close": "-ssssssxxsx",
        "*": "rrrrrrrrrrr",
    },
    "colleague": {
        "assign": "-hhhhhhhhsh",
        "engage": "-ssshhsssss",
        "request": "-tttttttttt",
        "pay": "-tttttttttt",
        "close": "-tttttttttt",
        "*": "rrrrrrrrrrr",
    },
    "first to take it": {
        "assign": "-xxxxxxxxsx",
        "engage": "-sssttsssss",
        "request": "-tttttttttt",
        "pay": "-tttttttttt",
        "close": "-tttttttttt",
        "*": "rrrrrrrrrrr",
    },
    "insurer": {
        "request": "-xxxxxsbbbb",
        "approve": "-ssxxxsbbbb",
        "reject": "-ssxxxsbbbb",
        "pay": "-sssssxbbbb",
        "*": "rrrrrrrrrrr",
    },
    "onlooker": {"*": "rrrrrrrrrrr"},
    "outsider": {"*": "rrrrrrrrrrr"},
    "stranger": {
        "draft": "-----------",
        "submit": "-----------",
        "withdraw": "-----------",
        "*": "rrrrrrrrrrr",
    },
    "other insurer": {
        "request": "-----------",
        "approve": "-----------",
        "reject": "-----------",
        "pay": "-----------",
        "*": "rrrrrrrrrrr",
    },
}
LEADS_TO: dict[str, dict[str, str]] = {
    "draft": {},
    "submit": {"DRAFT": "REPORTED", "MATERIALS_PENDING": "SUBMITTED"},
    "withdraw": dict.fromkeys(STATUSES, "WITHDRAWN"),
    "assign": {"REPORTED": "REVIEWING", "SUBMITTED": "REVIEWING"},
    "engage": dict.fromkeys(STATUSES, "INVESTIGATING"),
    "request": dict.fromkeys(STATUSES, "MATERIALS_PENDING"),
    "approve": dict.fromkeys(STATUSES, "APPROVED"),
    "reject": dict.fromkeys(STATUSES, "REJECTED"),
    "pay": dict.fromkeys(STATUSES, "PAID"),
    "close": dict.fromkeys(STATUSES, "CLOSED"),
}
"""Where what is done leads; not named: the status stays."""
LETTERS = {
    ("NOT_FOUND", None): "-",
    ("WRITE_DENIED", "ROLE"): "r",
    ("WRITE_DENIED", "PURPOSE"): "p",
    ("WRITE_DENIED", "RELATION"): "t",
    ("WRITE_DENIED", "BASIS"): "b",
    ("WRONG_STATUS", None): "s",
    ("CLAIM_IS_HANDLED", None): "h",
    ("VERSION_CONFLICT", None): "v",
    ("ITEM_MISSING", None): "m",
    ("ITEM_ON_RECORD", None): "o",
}
UNKNOWN = to_global(NodeType.CLAIM, UUID(int=9))


def expected(kind: str, action: str, status: str) -> str:
    return TABLE[kind].get(action, TABLE[kind]["*"])[STATUSES.index(status)]


def leads_to(action: str, status: str) -> str:
    return LEADS_TO[action].get(status, status)


def letter(payload: dict[str, Any] | None) -> str:
    if payload is None or "code" not in payload:
        return "x"
    return LETTERS[payload["code"], payload.get("reason")]


@pytest.fixture(scope="module")
def cast(office):
    return cast_of(office)


@pytest.fixture(scope="module")
def callers(cast):
    """By name: who writes, and what they are to a claim that the first handler and the first loss adjuster have."""
    token = cast.office.token
    rights = token("customer", user=cast.insured.username, purposes=[OWN, "rights_request"])
    return {
        "insured": (cast.customer(cast.insured), "party"),
        "holder": (cast.customer(cast.holder), "party"),
        "guardian": (Caller(cast.guardian.token, OWN), "party"),
        "insured, rights": (Caller(rights, "rights_request"), "party asking for their rights"),
        "stranger": (cast.customer(cast.stranger), "stranger"),
        HANDLER: (cast.handler(), "handler"),
        COLLEAGUE: (cast.handler(COLLEAGUE), "colleague"),
        "insurer": (cast.insurer(), "insurer"),
        "other insurer": (cast.insurer(OTHER_INSURER), "other insurer"),
        "adjuster": (cast.partner("loss_adjuster", ADJUSTER), "onlooker"),
        "other adjuster": (cast.partner("loss_adjuster", OTHER_ADJUSTER), "outsider"),
        "service": (Caller(token("customer_service", purposes=["policy_service"]), "policy_service"), "onlooker"),
        "agent": (Caller(token("broker_agent", purposes=["application"]), "application"), "outsider"),
    }


def attempt(cast, callers, who, action, claim, **more):
    """The payload of what somebody does."""
    name, given = ACTIONS[action]
    if action == "assign":
        given = {"handler": who if who in (HANDLER, COLLEAGUE) else HANDLER}
    return cast.write(callers[who][0], name, {"id": claim, **given, **more})


WRITING = ("insured", "holder", "guardian", HANDLER, COLLEAGUE, "insurer")
"""Who may do something: they try everything in every status, the others in these."""
TRIED_BY_OTHERS = ("DRAFT", "REVIEWING", "PAID")


@pytest.fixture(scope="module")
def cells(cast, callers):
    """A claim of its own for everybody, everything they could do and every status; the policy's holder is another."""
    cast.office.know(cast.insured.person, occupation="会计")
    cast.office.know(cast.child.person, occupation="学生")
    of_insured, of_child = cast.policy(cast.holder, cast.insured), cast.policy(cast.holder, cast.child)
    found = {}
    for policy, mine in ((of_child, ["guardian"]), (of_insured, [who for who in callers if who != "guardian"])):
        places = [
            (who, action, status)
            for who in mine
            for action in ACTIONS
            for status in (STATUSES if who in WRITING else TRIED_BY_OTHERS)
        ]
        reporters = {"holder": cast.holder, "guardian": cast.guardian}
        rows = [
            {
                "status": status,
                "reporter": reporters.get(who),
                # While materials are pending, only what was asked for is drafted.
                "requested_items": '["hospital"]' if (action, status) == ("draft", "MATERIALS_PENDING") else None,
            }
            for who, action, status in places
        ]
        found |= dict(zip(places, cast.claims(policy, rows), strict=True))
    for column, table, name in (("staff_id", "staff", HANDLER), ("organization_id", "organization", ADJUSTER)):
        known = "username" if table == "staff" else "code"
        assignee = cast.office.rows(f"SELECT id FROM {table} WHERE {known} = $1", name)[0][0]  # noqa: S608 - our words
        given = {column: assignee, "assigned_at": datetime.now(UTC)}
        insert(cast.office, "assignment", [{"id": uuid4(), "claim_id": row_id(one), **given} for one in found.values()])
    return found


def test_everybody_does_in_every_status_what_the_table_says_and_nothing_else(cast, callers, cells):
    def done(place):
        who, action, _ = place
        return attempt(cast, callers, who, action, cells[place])

    with ThreadPoolExecutor(4) as pool:
        payloads = dict(zip(cells, pool.map(done, cells), strict=True))
    rows = cast.office.rows("SELECT id, status, version FROM claim WHERE id = ANY($1)", [*map(row_id, cells.values())])
    stored = {row[0]: (row[1], row[2]) for row in rows}
    found, wanted = {}, {}
    for place, payload in payloads.items():
        who, action, status = place
        found[place] = (letter(payload), *stored[row_id(cells[place])])
        one = expected(callers[who][1], action, status)
        wanted[place] = (one, *((leads_to(action, status), 2) if one == "x" else (status, 1)))
    assert {place: (one, wanted[place]) for place, one in found.items() if one != wanted[place]} == {}
    assert len({one[0] for one in wanted.values()}) == 8
    for (_, action, status), payload in payloads.items():
        if payload["__typename"] == "Claim":
            assert (payload["state"], payload["version"]) == (leads_to(action, status), 2)
    # What is out of reach is as if it did not exist.
    unknown = {place[:2]: attempt(cast, callers, *place[:2], UNKNOWN) for place, one in wanted.items() if one[0] == "-"}
    assert {place for place, one in wanted.items() if one[0] == "-" and payloads[place] != unknown[place[:2]]} == set()


# A claim's life, with everybody acting on it.

PARTIES = ("insured", "holder")
ACTORS = (*PARTIES, HANDLER, COLLEAGUE, "insurer", "other insurer", "adjuster", "stranger", "agent")
REACHED: set[str] = set()


class ClaimsLife(RuleBasedStateMachine):
    """One claim, done to by everybody; what the tables say of it is kept beside it."""

    cast: Any
    callers: Any
    policy: str

    def __init__(self) -> None:
        super().__init__()
        drafted = self.cast.draft(self.callers["insured"][0], self.policy, **{**ITEMS, "hospital": "浙大一院"})
        self.claim = drafted["id"]
        self.status, self.version = "DRAFT", 1
        self.handler: str | None = None
        self.engaged = self.asked = self.reported = False
        self.drafter: str | None = None
        self.reporter: str | None = None
        self.hospital = "浙大一院"

    def kind(self, who: str) -> str:
        if who in (HANDLER, COLLEAGUE):
            return "handler" if who == self.handler else "colleague" if self.handler else "first to take it"
        if who == "adjuster":
            return "onlooker" if self.engaged else "outsider"
        if who in PARTIES:
            return "party"
        return who if who in ("insurer", "stranger", "other insurer") else "outsider"

    def wanted(self, who: str, action: str, version: int | None, **more: Any) -> str:
        hidden = self.status == "WITHDRAWN" and not self.reported
        status = "DRAFT" if hidden and who not in PARTIES else self.status
        found = expected(self.kind(who), action, status)
        if version not in (None, self.version) and found not in ("-", "r", "t", "b"):
            return "v"
        if version not in (None, self.version) and found == "t" and action == "engage":
            return "v"
        return self.refused(who, action, more) if found == "x" and who in PARTIES else found

    def refused(self, who: str, action: str, more: dict[str, Any]) -> str:
        """What keeps a party from what the table lets them do: what is missing, stands, or was reported by another."""
        drafted = self.status == "DRAFT"
        lacking = self.asked or (drafted and who == "holder" and self.drafter != "holder")
        stands = more.get("hospital", "浙大一院") is not None or not self.asked
        if action == "withdraw" and not drafted and who == "holder" != self.reporter:
            return "t"
        if action == "draft" and not drafted and stands:
            return "o"
        return "m" if action == "submit" and lacking else "x"

    def act(self, who: str, action: str, *, version: int | None = None, **more: Any) -> None:
        given = more if version is None else {**more, "ifVersion": version}
        wanted = self.wanted(who, action, version, **more)
        payload = attempt(self.cast, self.callers, who, action, self.claim, **given)
        assert letter(payload) == wanted, (who, action, self.status, payload)
        if wanted == "x":
            self.done(who, action, more)
            shown = (payload["state"], payload["version"], payload["requestedItems"])
            assert shown == (self.status, self.version, ["diagnosis"] if self.asked else [])

    def done(self, who: str, action: str, more: dict[str, Any]) -> None:
        if action == "submit" and self.status == "DRAFT":
            self.reporter = who
        self.reported = self.reported or self.status != "DRAFT" or action == "submit"
        self.status, self.version = leads_to(action, self.status), self.version + 1
        REACHED.add(self.status)
        if action == "draft":
            self.hospital = more.get("hospital") or self.hospital
            self.asked = self.asked and "diagnosis" not in more
            self.drafter = who if "reporter" in more else self.drafter
        elif action == "assign":
            self.handler = who
        elif action == "engage":
            self.engaged = True
        elif action in ("request", "withdraw"):
            self.asked = action == "request"

    @rule(
        who=st.sampled_from(ACTORS),
        action=st.sampled_from([one for one in ACTIONS if one != "draft"]),
        behind=st.sampled_from([None, None, 0, 1, -1]),
    )
    def anybody_tries_anything(self, who, action, behind):
        self.act(who, action, version=None if behind is None else self.version - behind)

    @rule(data=st.data())
    def somebody_takes_it_further(self, data):
        if self.asked:
            self.act(data.draw(st.sampled_from(PARTIES)), "draft", hospital=None, diagnosis="右桡骨骨折")
        moves = {
            action: [who for who in ACTORS if self.wanted(who, action, self.version) == "x"]
            for action in ACTIONS
            if action not in ("draft", "withdraw")
        }
        may = [action for action, who in moves.items() if who]
        if may:
            action = data.draw(st.sampled_from(may))
            self.act(data.draw(st.sampled_from(moves[action])), action, version=self.version)

    @rule(who=st.sampled_from(ACTORS), hospital=st.sampled_from(["甲医院", "乙医院"]), behind=st.sampled_from([0, 1]))
    def anybody_drafts(self, who, hospital, behind):
        self.act(who, "draft", version=self.version - behind, hospital=hospital)

    @rule(who=st.sampled_from(PARTIES))
    def what_was_asked_for_is_given(self, who):
        self.act(who, "draft", hospital=None, diagnosis="右桡骨骨折")

    @rule()
    def the_holder_says_who_reports(self):
        if self.status == "DRAFT":
            self.act("holder", "draft", hospital=self.hospital, reporter=REPORTER)

    @rule(first=st.sampled_from(PARTIES), second=st.sampled_from(PARTIES))
    def two_draft_at_once(self, first, second):
        if self.status != "DRAFT":
            return

        def change(place: int):
            who, hospital = (first, second)[place], ("东院", "西院")[place]
            return attempt(self.cast, self.callers, who, "draft", self.claim, hospital=hospital, ifVersion=self.version)

        with ThreadPoolExecutor(2) as pool:
            letters = list(map(letter, pool.map(change, range(2))))
        assert sorted(letters) == ["v", "x"]
        self.done("insured", "draft", {"hospital": ("东院", "西院")[letters.index("x")]})

    def teardown(self):
        """The claim is as what was acknowledged has left it, and what was refused left nothing."""
        fields = "state: status version requestedItems closedAt hospital"
        found = self.cast.ask(self.callers["insured"][0], self.claim, fields)
        over = self.status in ("REJECTED", "PAID", "CLOSED", "WITHDRAWN") and self.reported
        assert (found.pop("closedAt") is not None) == over
        asked = ["diagnosis"] if self.asked else []
        assert list(found.values()) == [self.status, self.version, asked, self.hospital]


def test_no_claim_takes_a_step_that_the_tables_do_not_have_and_no_acknowledged_change_is_lost(cast, callers):
    ClaimsLife.cast, ClaimsLife.callers = cast, callers
    ClaimsLife.policy = cast.policy(cast.holder, cast.insured)
    bounded = settings(
        max_examples=12,
        stateful_step_count=25,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(ClaimsLife, settings=bounded)
    assert len(REACHED) > 7, "the machine hardly moved"
