"""Notices: versions of the privacy policy, what they tell of, and what changes from one to the next (C75-C79, C82)."""

from datetime import date, datetime

import strawberry

from models.organizations import OrganizationKind
from models.vocabulary import Category, Purpose
from privacy.assessments import Risk
from privacy.comparison import Ground
from schema.fields import edge, public

strawberry.enum(Ground, name="NoticeGround", description="Why a change is major: section 九 of the policy, 1 to 6.")
strawberry.enum(Risk, name="ImpactRisk")


@strawberry.type
class NoticeParty:
    """Who answers for the processing, how to reach them, and where to complain."""

    department: str = public()
    contact: str = public()
    address: str = public()
    complaints: str = public()


@strawberry.type
class NoticeFunction:
    """What a kind of recipient processes for a purpose, and how; BROKER is the brokerage itself."""

    purpose: Purpose = public()
    recipient: OrganizationKind = public()
    categories: list[Category] = public()
    use: str = public()


@strawberry.type
class NoticeRight:
    """A right of the data subject, and how to use it."""

    name: str = public()
    how: str = public()


@strawberry.type
class NoticeClause:
    """One clause of the text by its number; `title`: the headings above it."""

    number: str = public()
    title: str = public()
    text: str = public()


@strawberry.type
class Notice:
    """One version of the privacy policy."""

    version: str = public()
    effective_on: date = public(description="The first day on which it counts, in Shanghai.")
    major: bool = public(description="Does it say something else than the version before it, not only in other words?")
    summary: str = public()
    hash: str = public(description="SHA-256 of its content, in hex: what one agrees to.")
    agreed: bool | None = public(
        description="Did the person it is told of, the caller elsewhere, or a guardian for them, agree to this version?"
        " Null: who asks is no person."
    )
    mode: str = public(description="How the service is provided.")
    controller: str = public()
    responsible: NoticeParty = edge()
    functions: list[NoticeFunction] = edge()
    rights: list[NoticeRight] = edge()
    clauses: list[NoticeClause] = edge()


@strawberry.type
class NoticeChange:
    """One difference. `ground` is null where it is only worded differently."""

    place: str = public(description="Which member: functions.marketing.INSURER.categories, clauses.一(一)1.")
    before: str | None = public()
    after: str | None = public()
    ground: Ground | None = public()


@strawberry.type
class NoticeComparison:
    """What changed from one version to another."""

    since: str = public(name="from")
    until: str = public(name="to")
    major: bool = public()
    grounds: list[Ground] = public()
    changes: list[NoticeChange] = edge()


@strawberry.type
class ImpactAssessment:
    """One impact assessment; of high risk it asks for a notice until a version answers it (C77)."""

    id: strawberry.ID = public()
    title: str = public()
    text: str = public()
    risk: Risk = public()
    assessed_at: datetime = public()
    answered_by: str | None = public(description="The version of the notice that tells of it.")
    asks_for_notice: bool = public()
