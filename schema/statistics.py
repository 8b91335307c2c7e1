"""Statistics: groups of policies and claims, each large enough and inexact enough to tell of nobody (C40)."""

from datetime import date, datetime

import strawberry

from models.claims import ClaimStatus
from models.policies import PolicyStatus
from models.statistics import Dimension
from schema.fields import edge, private_input, public

strawberry.enum(Dimension, name="StatisticsDimension")


@private_input
class PolicyStatisticsFilter:
    """Which policies: one value each. `insurer` and `product` are codes, `quarter` is that of the start: `2026Q3`."""

    insurer: str | None = None
    product: str | None = None
    status: PolicyStatus | None = None
    quarter: str | None = None


@private_input
class ClaimStatisticsFilter:
    """Which claims: one value each. `insurer` and `product` are codes, `quarter` is that of the report: `2026Q3`."""

    insurer: str | None = None
    product: str | None = None
    status: ClaimStatus | None = None
    quarter: str | None = None


@strawberry.type
class StatisticsGroup:
    """One group, by what it was grouped and filtered by; the rest is null."""

    insurer: str | None = public(description="Its code.")
    product: str | None = public(description="Its code.")
    status: str | None = public()
    quarter: str | None = public()
    number: int = public(description="Policies or claims: rounded, and off by noise.")
    persons: int = public(description="Policyholders, or of claims those insured: rounded, and off by noise.")


@strawberry.type
class Statistics:
    """What this month's release says. Groups that are too small for it are not among `groups`."""

    groups: list[StatisticsGroup] = edge()
    as_of: datetime = public(description="When it was counted.")
    until: date = public(description="From this day on there is another release.")
    least: int = public(description="No group of fewer distinct persons is ever shown.")
    within: int = public(description="Of 100 figures 95 are off by no more than this.")
    questions_left: int = public(description="Different questions that the organization may still ask until then.")
