"""Organizations, products and staff: who the people of the demo data deal with."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from models.demo.draws import Draws, Weighted, weighted
from models.demo.rows import Batch
from models.demo.vocabulary import (
    AD_PARTNERS,
    AFFILIATES,
    BROKER_NAME,
    HEALTH_PROVIDERS,
    INSURERS,
    LOSS_ADJUSTERS,
    PRODUCT_LINES,
    SERVICE_PROVIDERS,
    ProductLine,
)
from models.organizations import OrganizationKind
from models.partners import Responsibility
from models.products import Part
from models.vocabulary import Category, Purpose, Role, to_bits

PEOPLE_A_TEAM = 500
"""Staff work in teams, each for so many people in a row: their number grows with the population."""

_TEAM_STAFF = (
    (Role.CLAIMS_HANDLER, "handler", 3),
    (Role.CUSTOMER_SERVICE, "service", 2),
    (Role.BROKER_AGENT, "agent", 4),
    (Role.RISK_ANALYST, "risk", 2),
    (Role.PRIVACY_OFFICER, "privacy", 2),
    (Role.MARKETER, "marketer", 1),
)
_HEAD_OFFICE = (
    (Role.ANALYST, "analyst", 2),
    (Role.SECURITY_ADMIN, "security", 2),
    (Role.AUDITOR, "auditor", 2),
    (Role.DEVELOPER, "developer", 2),
)
_LEFT_AT = datetime(2026, 8, 31, 10, tzinfo=UTC)
_PARTNERS = (
    (OrganizationKind.HEALTH_PROVIDER, "HP", HEALTH_PROVIDERS),
    (OrganizationKind.LOSS_ADJUSTER, "LA", LOSS_ADJUSTERS),
    (OrganizationKind.AFFILIATE, "AF", AFFILIATES),
    (OrganizationKind.SERVICE_PROVIDER, "SP", SERVICE_PROVIDERS),
    (OrganizationKind.AD_PARTNER, "AD", AD_PARTNERS),
)
_AGREED: dict[OrganizationKind, tuple[tuple[Purpose, ...], str]] = {
    OrganizationKind.INSURER: (
        (Purpose.APPLICATION, Purpose.POLICY_SERVICE, Purpose.CLAIM_HANDLING, Purpose.MARKETING),
        (
            "name government_id demographic phone relay email address bank_account occupation health incident expense"
            " financial tag"
        ),
    ),
    OrganizationKind.HEALTH_PROVIDER: (
        (Purpose.HEALTH_SERVICE, Purpose.MARKETING),
        "name government_id phone relay tag",
    ),
    OrganizationKind.LOSS_ADJUSTER: (
        (Purpose.CLAIM_HANDLING,),
        "name government_id phone health incident expense financial",
    ),
    OrganizationKind.AFFILIATE: ((Purpose.VERIFICATION, Purpose.MARKETING), "name government_id phone relay tag"),
    OrganizationKind.SERVICE_PROVIDER: ((Purpose.VERIFICATION,), "name government_id phone"),
    OrganizationKind.AD_PARTNER: ((Purpose.ANALYTICS,), ""),
}
"""What each kind of partner agreed on: purposes and categories (C35, C38, C39)."""
_ITEMS = (
    (Part.POLICYHOLDER, "C04", "name idNumber phone address bankCard occupation email"),
    (Part.INSURED, "C05", "name idNumber phone healthDeclaration occupation"),
    (Part.BENEFICIARY, "C06", "name idNumber phone"),
    (Part.CLAIM, "C08", "incidentDescription hospital occupation bankCard diagnosis medicalRecord expenses"),
    (Part.CLAIM, "C08", "incidentDate amountClaimed"),
)
_PRICED_BY_AGE = frozenset({"CI", "LIFE", "CARE"})
_AGREED_FROM = datetime(2024, 1, 1, tzinfo=UTC)
_AGREED_TO = datetime(2034, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Assignee:
    """Who can be given work: a member of staff or an organization."""

    staff: UUID | None = None
    organization: UUID | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """One product on sale."""

    id: UUID
    insurer: UUID
    line: ProductLine


@dataclass(frozen=True, slots=True)
class Directory:
    """The organizations and products, the same for every population of a seed."""

    organizations: dict[OrganizationKind, tuple[UUID, ...]]
    products: dict[UUID, Weighted[Product]]
    market: Weighted[UUID]
    assignees: dict[OrganizationKind, tuple[Assignee, ...]]
    """The organizations of a kind, as they are given work."""


@dataclass(frozen=True, slots=True)
class Team:
    """The staff who look after some people in a row."""

    staff: dict[Role, tuple[Assignee, ...]]
    leaver: Assignee | None


def build_directory(seed: int, batch: Batch) -> Directory:
    """Draw the organizations and products and add their rows."""
    draws = Draws(f"{seed}/directory")
    _add_organization(draws, batch, code="BROKER", name=BROKER_NAME, kind=OrganizationKind.BROKER)
    organizations = {kind: _add_partners(draws, batch, kind=kind) for kind, _, _ in _PARTNERS}
    organizations[OrganizationKind.INSURER] = insurers = tuple(
        _add_organization(draws, batch, code=f"INS{number:02d}", name=name, kind=OrganizationKind.INSURER)
        for number, (name, _, _) in enumerate(INSURERS, start=1)
    )
    _add_agreements(seed, batch, organizations)
    return Directory(
        organizations=organizations,
        products={
            insurer: _add_products(seed, draws, batch, insurers=insurers, insurer=insurer) for insurer in insurers
        },
        market=weighted(dict(zip(insurers, (share for _, _, share in INSURERS), strict=True))),
        assignees={
            kind: tuple(Assignee(organization=organization) for organization in found)
            for kind, found in organizations.items()
        },
    )


def build_team(seed: int, number: int, *, batch: Batch) -> Team:
    """Draw the staff of one team and add their rows; the first team's batch carries the head office as well."""
    draws = Draws(f"{seed}/team/{number}")
    staff = {
        role: tuple(_add_staff(draws, batch, role=role, username=name) for name in _names(stem, number * size, size))
        for role, stem, size in _TEAM_STAFF
    }
    if number:
        return Team(staff=staff, leaver=None)
    for role, stem, size in _HEAD_OFFICE:
        for name in _names(stem, 0, size):
            _add_staff(draws, batch, role=role, username=name)
    leaver = _add_staff(draws, batch, role=Role.CLAIMS_HANDLER, username="leaver01", left_at=_LEFT_AT)
    return Team(staff=staff, leaver=leaver)


def _names(stem: str, before: int, size: int) -> list[str]:
    return [f"{stem}{before + position:02d}" for position in range(1, size + 1)]


def _add_staff(
    draws: Draws,
    batch: Batch,
    *,
    role: Role,
    username: str,
    left_at: datetime | None = None,
) -> Assignee:
    row_id = draws.uuid()
    batch.add("staff", row_id, plain=(username, role.value, left_at))
    return Assignee(staff=row_id)


def _add_organization(draws: Draws, batch: Batch, *, code: str, name: str, kind: OrganizationKind) -> UUID:
    row_id = draws.uuid()
    batch.add("organization", row_id, plain=(code, name, kind.value, f"https://{code.lower()}.example/privacy"))
    return row_id


def _add_partners(draws: Draws, batch: Batch, *, kind: OrganizationKind) -> tuple[UUID, ...]:
    stem, names = next((stem, names) for partner, stem, names in _PARTNERS if partner is kind)
    return tuple(
        _add_organization(draws, batch, code=f"{stem}{number:02d}", name=name, kind=kind)
        for number, name in enumerate(names, start=1)
    )


def _add_agreements(seed: int, batch: Batch, organizations: dict[OrganizationKind, tuple[UUID, ...]]) -> None:
    draws = Draws(f"{seed}/agreements")
    for kind, (purposes, categories) in _AGREED.items():
        responsibility = Responsibility.INDEPENDENT_CONTROLLER
        if kind is OrganizationKind.SERVICE_PROVIDER:
            responsibility = Responsibility.PROCESSOR
        for number, organization in enumerate(organizations[kind], start=1):
            terms = (
                organization,
                f"{kind.value}-{number:02d}-2024",
                responsibility.value,
                json.dumps([purpose.value for purpose in purposes]),
                to_bits({Category(name) for name in categories.split()}),
                _AGREED_FROM,
                _AGREED_TO,
                _AGREED_FROM if kind is OrganizationKind.AFFILIATE else None,
            )
            batch.add("agreement", draws.uuid(), plain=terms)


def items_of(line: str) -> Iterator[tuple[Part, str, str]]:
    """The data items that a line of products needs, each with its clause (C04-C06, C08)."""
    for part, clause, items in _ITEMS:
        yield from ((part, item, clause) for item in items.split())
    if line in _PRICED_BY_AGE:
        yield from ((Part.INSURED, item, "C06") for item in ("gender", "birthDate"))


def _add_products(
    seed: int,
    draws: Draws,
    batch: Batch,
    *,
    insurers: tuple[UUID, ...],
    insurer: UUID,
) -> Weighted[Product]:
    number = insurers.index(insurer) + 1
    items = Draws(f"{seed}/product items/{number}")
    brand = INSURERS[number - 1][1]
    products = tuple(Product(id=draws.uuid(), insurer=insurer, line=line) for line in PRODUCT_LINES.options)
    for product in products:
        plain = (f"INS{number:02d}-{product.line.code}", f"{brand}{product.line.name}（2024版）", insurer)
        batch.add("product", product.id, plain=plain)
        for part, item, clause in items_of(product.line.code):
            batch.add("product_item", items.uuid(), plain=(product.id, part.value, item, clause))
    return Weighted(options=products, bounds=PRODUCT_LINES.bounds)
