"""What a draft of rules would change: for which consumers, and in which registered operations."""

from datetime import datetime

import strawberry

from models.vocabulary import Purpose
from schema.fields import edge, public


@strawberry.type
class ImpactChange:
    """A field that comes to something else for one consumer: a role, and of a partner its code."""

    role: str = public()
    organization: str | None = public(description="The code of a partner.")
    purpose: Purpose = public()
    coordinate: str = public()
    before: str = public(description="REVEAL, MASK, DENY; FOUND of a look-up by it; WRITE of a mutation.")
    after: str = public(description="The same; REFUSED for a look-up or a mutation that is not allowed any more.")
    certain: bool = public(
        description="If not, `after` is the most it may come to: the rows do not hold what is asked."
    )
    operations: int = public()
    persons: int = public(description="Distinct persons in these operations.")


@strawberry.type
class OperationChange:
    """A field of a registered operation that comes to something else, before any row is read."""

    team: str | None = public(description="Null for what anonymous callers may run.")
    name: str = public()
    hash: str = public()
    role: str = public()
    purpose: Purpose = public()
    coordinate: str | None = public(description="Null where the operation as a whole is refused, or is no more.")
    path_pattern: str | None = public()
    before: str = public(description="REVEAL, MASK, DENY, DEPENDS, RUN or REFUSED.")
    after: str = public()
    breaks: bool = public(description="Is something gone that was shown, at least in some situation?")


@strawberry.type
class ImpactLeftOut:
    """What an impact could not decide anew, or did not look at."""

    stale: int = public(description="Registered operations that are refused anyway.")
    decisions: int = public(description="Of a ceiling, a budget or a fault.")
    broken_glass: int = public(description="Operations under a broken glass.")
    unreadable: int = public(description="Texts in the ledger that are no rows.")
    unsealed: int = public(description="Rows, of any time, that are not sealed yet.")
    limited_to: int | None = public(description="How many rows were looked at, where there are more.")


@strawberry.type
class RuleImpact:
    """What the operations of some days, and those that are registered, would come to under a draft."""

    since: datetime = public()
    until: datetime = public()
    ruleset: int = public(description="The rules it is compared with.")
    operations: int = public(description="Past operations looked at.")
    registered: int = public(description="Registered operations looked at.")
    sentences: list[str] = public()
    changes: list[ImpactChange] = edge()
    moved: list[OperationChange] = edge()
    left_out: ImpactLeftOut = edge()
    text: str = public(description="All of it as canonical JSON, as it is kept with a proposal.")
