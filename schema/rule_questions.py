"""The four questions about rules: why this answer, what can be reached, by whom, and which decisions there were."""

from datetime import datetime

import strawberry

from authz.vocabulary import Reason
from authz.workbench.explain import Failed
from authz.workbench.readings import Act
from models.vocabulary import Category, Purpose
from schema.fields import edge, private_input, public
from schema.organizations import Organization

strawberry.enum(Act, name="RuleAct")
strawberry.enum(Failed, name="RuleCondition")


@private_input
class PairInput:
    """One record witnesses both: a `relation` (none, self, assigned, …) and a `basis` (none, contract_open, …)."""

    relation: str
    basis: str


@strawberry.type
class ExplainedRule:
    """A rule, word by word and as a sentence."""

    effect: str = public(description="allow or deny")
    role: str = public()
    purpose: Purpose = public()
    relation: str = public(description="A relation, or any.")
    basis: str = public(description="A basis, or any.")
    action: str = public(description="reveal, mask, filter or write")
    object: str = public(description="A category of data, a field, or a mutation.")
    clause: str = public()
    valid_from: str | None = public(description="Null: from ever.")
    valid_until: str | None = public(description="Null: without an end.")
    sentence: str = public()


@strawberry.type
class RuleCandidate:
    """A rule of the role that is about the field, and which of its conditions fail; those that speak come first."""

    rule: ExplainedRule = edge()
    holds: bool | None = public(description="Does it speak here? Null where what holds is not told.")
    failed: list[Failed] = public()
    sentence: str = public()


@strawberry.type
class MissingCondition:
    """The fewest changes that would give more: a pair, another purpose, another token, or several of them."""

    gives: str | None = public(description="REVEAL or MASK; null where that depends on what holds.")
    pair: str | None = public(description="`relation/basis` that one record would have to witness.")
    purpose: Purpose | None = public(description="If the same holds under it.")
    token: list[Reason] = public(description="TOKEN_SCOPE: one not narrowed so; STEP_UP: a second factor.")
    rule: ExplainedRule | None = edge(description="The rule that would allow it.")
    notice: bool = public(description="That the person agrees to a notice which tells of this use.")
    sentence: str = public()


@strawberry.type
class Explanation:
    """One answer and why. For look-ups and writes REVEAL stands for allowed."""

    role: str = public()
    purpose: Purpose = public()
    coordinate: str = public()
    act: Act = public()
    ruleset: int = public()
    situation: list[str] | None = public(description="The pairs `relation/basis`; null where they are not told.")
    effect: str | None = public(description="REVEAL, MASK or DENY.")
    reason: Reason | None = public()
    by_rules: str | None = public(description="What the rules alone give: the token may narrow it.")
    candidates: list[RuleCandidate] = edge()
    missing: MissingCondition | None = edge(description="Null: none of these changes would give more.")
    clauses: list[str] = public(description="Of the rules that decided.")
    sentence: str = public()


@strawberry.type
class ExplainedEntry:
    """One answer of a decision as it was recorded, and why."""

    coordinate: str = public()
    effect: str = public(description="REVEAL, MASK or DENY; FOUND by a look-up; WRITE for what was changed.")
    reason: Reason | None = public()
    agrees: bool | None = public(description="Do the rules give this? Null where more than rules and token decided.")
    explanation: Explanation | None = edge(description="Null where no rule decides on it, or the rules are gone.")


@strawberry.type
class DecisionExplanation:
    """A decision, explained under the rules of then. Nobody is told persons.

    Whoever made the operation is not told what held of others: which basis is open is a datum of theirs.
    """

    decision_id: str = public()
    at: datetime = public()
    kind: str = public()
    outcome: str | None = public()
    code: str | None = public(description="Of what was refused as a whole.")
    role: str | None = public()
    purpose: Purpose | None = public()
    ruleset: int | None = public()
    broken_glass: bool = public(description="More was shown than the rules give.")
    rules_known: bool = public(description="Are the rules of then at hand?")
    whole: bool = public(description="Is everything in it explained? Of a very large one, only its first part is.")
    entries: list[ExplainedEntry] = edge()


@strawberry.type
class ReachedUnder:
    """Pairs `relation/basis` that each alone give this effect; `any` stands for all there are."""

    effect: str = public()
    pairs: list[str] = public()


@strawberry.type
class Reachable:
    """What one role is given of one field for one purpose, by the rules alone."""

    role: str = public()
    purpose: Purpose = public()
    coordinate: str = public()
    category: Category | None = public(description="Null for a mutation.")
    act: Act = public()
    effect: str = public(description="The most in any situation; for look-ups and writes REVEAL stands for allowed.")
    under: list[ReachedUnder] = edge()
    clauses: list[str] = public()
    rules: list[ExplainedRule] = edge(description="All that decide on it, those that deny included.")


@strawberry.type
class RecentEntry:
    """Fields that were decided alike in one operation, and for how many persons."""

    coordinates: list[str] = public()
    effect: str = public()
    reason: Reason | None = public()
    persons: int = public()


@strawberry.type
class RecentDecision:
    """One operation and what was decided in it: no person, no record, no text of anybody."""

    decision_id: str | None = public(description="To ask `explainDecision` about.")
    at: datetime = public()
    kind: str = public()
    outcome: str | None = public()
    code: str | None = public()
    role: str | None = public()
    organization: Organization | None = public()
    purpose: Purpose | None = public()
    operation_hash: str | None = public()
    ruleset: int | None = public()
    broken_glass: bool = public()
    entries: list[RecentEntry] = edge()
