"""What those who watch over access are told: how partners behave, and which grants are used."""

from datetime import datetime

import strawberry

from authz.reviews import GrantState
from ledger.anomalies import Anomaly
from models.reviews import Decision
from models.vocabulary import Category, Purpose
from schema.fields import edge, public
from schema.organizations import Organization

strawberry.enum(Anomaly)
strawberry.enum(GrantState)
strawberry.enum(Decision, name="GrantDecision")


@strawberry.type
class Counted:
    """How often something was: a purpose, a field, a code."""

    name: str = public()
    operations: int = public()


@strawberry.type
class PartnerAnomaly:
    """Something out of the ordinary: by which rule, the figure, what it exceeds, and decisions to look at."""

    rule: Anomaly = public()
    figure: float = public()
    threshold: float = public()
    since: datetime = public()
    until: datetime = public()
    decision_ids: list[str] = public()


@strawberry.type
class PartnerReport:
    """What one partner did in a period (C41). Persons are counted and not named."""

    organization: Organization = edge()
    since: datetime = public()
    until: datetime = public()
    operations: int = public()
    persons: int = public(description="Distinct persons of whom something was shown.")
    misses: int = public(description="Ids it asked for that do not exist for it.")
    denied: int = public(description="Operations in which something was denied.")
    statistics: int = public(description="Operations in which statistics were answered.")
    purposes: list[Counted] = edge()
    coordinates: list[Counted] = edge()
    refusals: list[Counted] = edge(description="By code.")
    hours: list[int] = public(description="Operations by hour of the day in Shanghai, from 0 to 23.")
    anomalies: list[PartnerAnomaly] = edge()


@strawberry.type
class ReviewedGrant:
    """What a role or a partner may be shown for one purpose, and whether it is used (C56)."""

    holder: str = public(description="A role, or the code of a partner.")
    purpose: Purpose = public()
    category: Category = public()
    state: GrantState = public()
    since: datetime = public(description="Since when it is known to stand without a break.")
    last_used_at: datetime | None = public(description="To the hour; null: never.")
    idle_days: int = public(description="Since it was granted, last used or last restored.")
    recertified_until: datetime | None = public()
    lapses_at: datetime | None = public(description="Unless somebody recertifies or uses it before.")
    decision: Decision | None = public(description="The last one on it.")
    decided_at: datetime | None = public()
    decided_by: str | None = public(description="An account, `operator`, or `needful` itself.")
