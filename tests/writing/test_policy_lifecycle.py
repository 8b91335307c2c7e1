"""A policy's lifecycle under anybody's random writes: no step that the model does not know, and none that gets lost.

The model is written down by hand: statuses, who takes part, what each may do, and what a version is for.
"""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.writing.applying import SHOW, TODAY, Desk, beneficiary, code, cover
from tests.writing.conftest import row_id

STEPS = {
    "edit": {"DRAFT": "DRAFT"},
    "submit": {"DRAFT": "SUBMITTED"},
    "withdraw": dict.fromkeys(("DRAFT", "SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"), "TERMINATED"),
    "begin": {"SUBMITTED": "UNDERWRITING"},
    "accept": {"SUBMITTED": "AWAITING_PAYMENT", "UNDERWRITING": "AWAITING_PAYMENT"},
    "decline": {"SUBMITTED": "DECLINED", "UNDERWRITING": "DECLINED"},
    "pay": {"AWAITING_PAYMENT": "IN_FORCE", "GRACE": "IN_FORCE"},
    "name": {"DRAFT": "DRAFT", "IN_FORCE": "IN_FORCE", "GRACE": "GRACE"},
    "surrender": {"IN_FORCE": "SURRENDERED", "GRACE": "SURRENDERED"},
}
FIELDS = {
    "edit": "draftApplication",
    "submit": "submitApplication",
    "withdraw": "withdrawApplication",
    **dict.fromkeys(("begin", "accept", "decline"), "recordUnderwriting"),
    "pay": "recordPayment",
    "name": "setBeneficiaries",
    "surrender": "surrenderPolicy",
}
OPEN = {"SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"}
RUNNING = {"IN_FORCE", "GRACE"}
EVER = {"SUBMITTED", "UNDERWRITING", "DECLINED", "AWAITING_PAYMENT"}
UNDERWRITES = {"begin", "accept", "decline", "pay"}
MAY = {
    "holder": dict.fromkeys(("edit", "submit", "withdraw", "name", "surrender")),
    "agent": dict.fromkeys(("edit", "withdraw", "pay"), OPEN | {"DRAFT"}),
    "insurer": dict.fromkeys(UNDERWRITES, OPEN),
    "insurer afterwards": {"pay": RUNNING},
    "stranger": {},
    "other insurer": {},
}
"""By who: what they may do at all, and in which statuses only while that is open."""
DOES = {"stranger": MAY["holder"], "other insurer": MAY["insurer"]}
"""What they do to policies of their own; whoever never does it is told so, whatever the row."""
PASSES = {"IN_FORCE": "GRACE", "GRACE": "LAPSED"}
"""What time does, and no write."""
ONWARD = {
    "DRAFT": ("holder", "submit"),
    "SUBMITTED": ("insurer", "begin"),
    "UNDERWRITING": ("insurer", "accept"),
    "AWAITING_PAYMENT": ("insurer", "pay"),
}
"""What brings a policy towards its cover, and by whom."""

_STORED = """
SELECT status, version, starts_on IS NOT NULL AND ends_on IS NOT NULL, (SELECT array_agg(x.total) FROM
(SELECT sum(b.share) AS total FROM beneficiary b WHERE b.policy_id = p.id GROUP BY b.position) x)
FROM policy p WHERE id = $1
"""


class PolicyLife(RuleBasedStateMachine):
    """One policy after another, everybody's tokens, and what the model says of it."""

    desk: Desk
    tokens: dict
    holder: object
    look: object

    @initialize(onward=st.sampled_from([0, 5, 2, 3, 4, 1]))
    def drafted(self, onward):
        """An application begins as a complete draft; some are well on their way."""
        made = self.desk.drafted(self.holder, agent="agent01")
        self.policy, self.status, self.version, self.begun = made["id"], made["status"], made["version"], False
        self.sum = made["sumInsured"]
        assert (self.status, self.version) == ("DRAFT", 1)
        for _ in range(onward):
            if self.status in ONWARD:
                self._moves(*ONWARD[self.status])
            else:
                self._time_passes()

    # One rule: of several, Hypothesis leaves some out of most runs.
    @rule(
        kind=st.sampled_from(["legal", "any", "legal", "clients", "twice", "legal", "time"]),
        who=st.sampled_from(sorted(MAY)),
        what=st.sampled_from(sorted(STEPS)),
        amount=st.integers(1, 10**6),
        behind=st.sampled_from([None, 0, 1]),
        whole=st.booleans(),
    )
    def something_happens(self, kind, who, what, amount, behind, whole):
        """A legal step, anybody's attempt, two clients at once, a repeated request, or time passing."""
        if kind == "any":
            self._somebody_tries(who, what, amount, behind=behind, whole=whole)
        elif kind == "clients" and self.status == "DRAFT":
            self._two_clients_change_what_both_have_read(amount)
        elif kind == "twice":
            self._a_client_sends_the_same_write_twice(what, amount)
        elif kind == "time" and self.status in PASSES:
            self._time_passes()
        else:
            moves = [(who, what) for who in MAY for what in STEPS if self._wanted(who, what) == "Policy"]
            if moves:
                self._moves(*moves[amount % len(moves)])
            else:
                self._is_what_was_told()
                self.drafted(amount % 6)

    def _moves(self, who, what):
        done = self._write(who, what, self._given(what, 77, whole=True))
        assert (code(done) or "Policy") == "Policy", (who, what, self.status, done)
        self._count(what, 77)

    def _somebody_tries(self, who, what, amount, *, behind, whole):
        version = None if behind is None else self.version - behind
        wanted = self._wanted(who, what, version=version, whole=whole)
        done = self._write(who, what, {**self._given(what, amount, whole=whole), "ifVersion": version})
        assert (code(done) or "Policy") == wanted, (who, what, self.status, done)
        if wanted == "Policy":
            self._count(what, amount)

    def _two_clients_change_what_both_have_read(self, amount):
        # The second one is told, instead of overwriting what it has not seen.
        read = self.version
        done = self._write("holder", "edit", {"sumInsured": amount, "ifVersion": read})
        late = self._write("agent", "edit", {"sumInsured": amount + 1, "ifVersion": read})
        assert (code(done), code(late), late["version"]) == ("Policy", "VERSION_CONFLICT", read + 1)
        self._count("edit", amount)

    def _a_client_sends_the_same_write_twice(self, what, amount):
        # Under one key it is done once.
        wanted = self._wanted("holder", what)
        key, given = str(uuid4()), self._given(what, amount, whole=True)
        answers = [self._write("holder", what, given, Idempotency_Key=key) for _ in range(2)]
        assert [code(one) for one in answers] == [wanted] * 2, (what, self.status)
        assert answers[0] == answers[1]
        if wanted == "Policy":
            self._count(what, amount)

    def _time_passes(self):
        self.status = PASSES[self.status]
        self.desk.move(self.policy, self.status)

    @invariant()
    def the_database_says_what_the_model_says(self):
        """Status, version and dates; and shares always total 100 % of their order."""
        row = self.look(_STORED, row_id(self.policy))
        assert tuple(row)[:3] == (self.status, self.version, self.begun)
        assert set(row[3]) == {100}

    def teardown(self):
        """The last sum that somebody was told is stored is the one that is."""
        self._is_what_was_told()

    def _is_what_was_told(self):
        assert self.desk.seen(self.holder, self.policy)["sumInsured"] == self.sum

    def _wanted(self, who, what, *, version=None, whole=True):
        if what not in DOES.get(who, MAY[who]):
            return "WRITE_DENIED"
        if not self._exists_for(who):
            return "NOT_FOUND"
        if what not in MAY[who] or self.status not in (MAY[who][what] or {self.status}):
            return "WRITE_DENIED"
        if version not in (None, self.version):
            return "VERSION_CONFLICT"
        if self.status not in STEPS[what]:
            return "WRONG_STATUS"
        return "SHARES_NOT_WHOLE" if what == "name" and not whole else "Policy"

    def _exists_for(self, who):
        return {
            "holder": True,
            "agent": True,
            "insurer": self.status in EVER,
            "insurer afterwards": self.begun,
        }.get(who, False)

    def _given(self, what, amount, *, whole):
        cents = amount % 9_999 + 1
        rest = 10_000 - cents + (0 if whole else 1)
        shares = [beneficiary(f"{part // 100}.{part % 100:02d}") for part in (cents, rest)]
        longer = {"endsOn": (TODAY + timedelta(days=400 + self.version)).isoformat()}
        return {
            "edit": {"sumInsured": amount},
            "begin": {"outcome": "BEGIN"},
            "accept": {"outcome": "ACCEPT", "premium": amount},
            "decline": {"outcome": "DECLINE"},
            "pay": longer if self.begun else cover(),
            "name": {"beneficiaries": shares},
        }.get(what, {})

    def _count(self, what, amount):
        self.status = STEPS[what][self.status]
        self.version += 1
        self.begun = self.begun or what == "pay"
        if what == "edit":
            self.sum = f"{amount}.00"

    def _write(self, who, what, given, **headers):
        token, purpose = self.tokens[who]
        sent = {"id": self.policy, **given}
        return self.desk.office.write(FIELDS[what], sent, token=token, purpose=purpose, show=SHOW, **headers)


@pytest.fixture(scope="module")
def parts(office):
    """The desk, a holder, and everybody's token and purpose."""
    holder, stranger = office.customer(), office.customer()

    def insurer(org, purpose):
        return office.token("insurer", org=org, purposes=[purpose]), purpose

    tokens = {
        "holder": (holder.token, "account_service"),
        "stranger": (stranger.token, "account_service"),
        "agent": (office.token("broker_agent", user="agent01", purposes=["application"]), "application"),
        "insurer": insurer("INS01", "application"),
        "insurer afterwards": insurer("INS01", "policy_service"),
        "other insurer": insurer("INS02", "application"),
    }
    who = office.database.owner
    with asyncio.Runner() as runner:
        connecting = asyncpg.connect(
            host=who.host, port=who.port, user=who.user, password=who.password, database=who.database
        )
        owner = runner.run(_begun(connecting))

        def look(_, statement, *values):
            return runner.run(owner.fetchrow(statement, *values))

        yield {"desk": Desk(office), "holder": holder, "tokens": tokens, "look": look}
        runner.run(owner.close())


async def _begun(connecting):
    return await connecting


def test_whatever_anybody_does_a_policy_takes_no_unknown_step_and_loses_no_change(parts):
    machine = type("PolicyLifeHere", (PolicyLife,), parts)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10,
            stateful_step_count=24,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
