"""The tables demo data fill: their columns, which are sealed under which key, and what the plain lines call them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, auto
from uuid import UUID

from models.global_ids import NodeType
from models.vocabulary import Retention

Cell = UUID | str | int | date | datetime | Decimal | None
Row = tuple[UUID, UUID, tuple[Cell, ...], tuple[str | None, ...]]
"""(id, the person under whose key it is sealed, plain cells, texts to seal): tuples, for speed."""


class Form(Enum):
    """How a cell is written in a plain line."""

    TEXT = auto()
    UPPER = auto()
    DATE = auto()
    TIME = auto()
    CATEGORIES = auto()
    TAGS = auto()
    NAMED = auto()
    """An organization or product by its code, staff by user name."""
    USER = auto()
    POLICY = auto()
    CLAIM = auto()
    CONSENT = auto()
    RECORD = auto()
    AUDIENCE = auto()
    HIDDEN = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column, the field of a plain line that shows it, and how."""

    name: str
    field: str
    form: Form = Form.TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """One table. Without a `node`, its lines go by their first cell; without `line`, it has none of its own."""

    name: str
    line: str | None
    node: NodeType | None
    plain: tuple[Column, ...]
    sealed: tuple[Column, ...] = ()
    retention: Retention | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, in the order of a record."""
        return ("id", *(column.name for column in self.plain), *(column.name for column in self.sealed))


def _hidden(name: str) -> Column:
    return Column(name, name, Form.HIDDEN)


def _sealed(**fields: Form) -> tuple[Column, ...]:
    return tuple(Column(_snake(name) + "_sealed", name, form) for name, form in fields.items())


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name)


TABLES: tuple[Table, ...] = (
    Table(
        name="organization",
        line="Organization",
        node=None,
        plain=(
            Column("code", "code"),
            Column("name", "name"),
            Column("kind", "kind"),
            Column("privacy_policy", "privacyPolicy"),
        ),
    ),
    Table(
        name="agreement",
        line=None,
        node=None,
        plain=tuple(
            _hidden(name)
            for name in (
                "organization_id",
                "reference",
                "responsibility",
                "purposes",
                "categories",
                "valid_from",
                "valid_to",
                "attested_at",
            )
        ),
    ),
    Table(
        name="product",
        line="Product",
        node=None,
        plain=(Column("code", "code"), Column("name", "name"), Column("insurer_id", "insurer", Form.NAMED)),
    ),
    Table(
        name="product_item",
        line=None,
        node=None,
        plain=tuple(_hidden(name) for name in ("product_id", "part", "item", "clause")),
    ),
    Table(
        name="staff",
        line="Staff",
        node=NodeType.RECORD,
        plain=(Column("username", "username"), Column("role", "role"), Column("left_at", "leftAt", Form.TIME)),
    ),
    Table(
        name="person",
        line="User",
        node=NodeType.USER,
        plain=(_hidden("source"), Column("id_type", "idType")),
        sealed=_sealed(
            name=Form.TEXT,
            idNumber=Form.TEXT,
            gender=Form.TEXT,
            birthDate=Form.TEXT,
            phone=Form.TEXT,
            email=Form.TEXT,
            address=Form.TEXT,
            bankCard=Form.TEXT,
            occupation=Form.TEXT,
            healthDeclaration=Form.TEXT,
            region=Form.TEXT,
            nickname=Form.TEXT,
            tags=Form.TAGS,
        ),
        retention=Retention.ACCOUNT,
    ),
    Table(
        name="account",
        line="Account",
        node=NodeType.RECORD,
        plain=(Column("person_id", "user", Form.USER), Column("opened_at", "openedAt", Form.TIME)),
        sealed=_sealed(username=Form.TEXT),
        retention=Retention.ACCOUNT,
    ),
    Table(
        name="guardian_link",
        line="GuardianLink",
        node=NodeType.RECORD,
        plain=(
            Column("guardian_id", "guardian", Form.USER),
            Column("child_id", "child", Form.USER),
            Column("verified_at", "verifiedAt", Form.TIME),
            Column("revoked_at", "revokedAt", Form.TIME),
        ),
    ),
    Table(
        name="device",
        line="Device",
        node=NodeType.DEVICE,
        plain=(Column("person_id", "user", Form.USER),),
        sealed=_sealed(model=Form.TEXT, ipAddress=Form.TEXT, pushId=Form.TEXT, lastSeenAt=Form.TEXT),
        retention=Retention.DEVICE,
    ),
    Table(
        name="virtual_phone",
        line="VirtualPhone",
        node=NodeType.RECORD,
        plain=(
            Column("person_id", "user", Form.USER),
            Column("organization_id", "organization", Form.NAMED),
            Column("issued_at", "issuedAt", Form.TIME),
            Column("ended_at", "endedAt", Form.TIME),
        ),
        sealed=_sealed(number=Form.TEXT),
        retention=Retention.ACCOUNT,
    ),
    Table(
        name="consent",
        line="Consent",
        node=NodeType.CONSENT,
        plain=(
            Column("person_id", "user", Form.USER),
            Column("purpose", "purpose", Form.UPPER),
            Column("recipient_id", "recipient", Form.NAMED),
            Column("categories", "categories", Form.CATEGORIES),
            Column("notice_version", "noticeVersion"),
            Column("notice_hash", "noticeHash"),
            Column("granted_at", "grantedAt", Form.TIME),
            Column("withdrawn_at", "withdrawnAt", Form.TIME),
            Column("expires_at", "expiresAt", Form.TIME),
            Column("audience_id", "audienceId", Form.AUDIENCE),
        ),
    ),
    Table(
        name="policy",
        line="Policy",
        node=NodeType.POLICY,
        plain=(
            Column("policy_number", "policyNumber"),
            Column("product_id", "product", Form.NAMED),
            Column("insurer_id", "insurer", Form.NAMED),
            Column("status", "status"),
            Column("holder_id", "policyholder", Form.USER),
            Column("insured_id", "insured", Form.USER),
            Column("currency", "currency"),
            Column("starts_on", "startsOn", Form.DATE),
            Column("ends_on", "endsOn", Form.DATE),
        ),
        sealed=_sealed(premium=Form.TEXT, sumInsured=Form.TEXT),
        retention=Retention.CONTRACT,
    ),
    Table(
        name="beneficiary",
        line="Beneficiary",
        node=NodeType.BENEFICIARY,
        plain=(
            Column("policy_id", "policy", Form.POLICY),
            _hidden("holder_id"),
            Column("person_id", "person", Form.USER),
            Column("person_verified_at", "personVerifiedAt", Form.TIME),
            Column("relation", "relation"),
            Column("position", "order"),
            Column("share", "share"),
        ),
        sealed=_sealed(name=Form.TEXT, idNumber=Form.TEXT, phone=Form.TEXT),
        retention=Retention.CONTRACT,
    ),
    Table(
        name="claim",
        line="Claim",
        node=NodeType.CLAIM,
        plain=(
            Column("claim_number", "claimNumber"),
            Column("policy_id", "policy", Form.POLICY),
            _hidden("insurer_id"),
            _hidden("holder_id"),
            _hidden("insured_id"),
            Column("status", "status"),
            Column("reporter_id", "reporter", Form.USER),
            Column("reporter_verified_at", "reporterVerifiedAt", Form.TIME),
            Column("payee_id", "payee", Form.USER),
            Column("payee_verified_at", "payeeVerifiedAt", Form.TIME),
            Column("reported_at", "reportedAt", Form.TIME),
            Column("closed_at", "closedAt", Form.TIME),
        ),
        sealed=_sealed(
            reporterName=Form.TEXT,
            reporterPhone=Form.TEXT,
            incidentDate=Form.TEXT,
            incidentDescription=Form.TEXT,
            hospital=Form.TEXT,
            diagnosis=Form.TEXT,
            medicalRecord=Form.TEXT,
            expenses=Form.TEXT,
            amountClaimed=Form.TEXT,
            amountPaid=Form.TEXT,
            bankCard=Form.TEXT,
        ),
        retention=Retention.CLAIM,
    ),
    Table(
        name="health_service",
        line="HealthService",
        node=NodeType.RECORD,
        plain=(
            Column("policy_id", "policy", Form.POLICY),
            Column("provider_id", "provider", Form.NAMED),
            Column("starts_at", "startsAt", Form.TIME),
            Column("ends_at", "endsAt", Form.TIME),
        ),
    ),
    Table(
        name="verification_case",
        line="VerificationCase",
        node=NodeType.RECORD,
        plain=(
            Column("person_id", "user", Form.USER),
            Column("claim_id", "claim", Form.CLAIM),
            Column("consent_id", "consent", Form.CONSENT),
            Column("opened_at", "openedAt", Form.TIME),
            Column("closed_at", "closedAt", Form.TIME),
        ),
    ),
    Table(
        name="rights_request",
        line="RightsRequest",
        node=NodeType.RECORD,
        plain=(
            Column("person_id", "user", Form.USER),
            Column("requester_id", "requester", Form.USER),
            Column("kind", "kind"),
            Column("opened_at", "openedAt", Form.TIME),
            Column("closed_at", "closedAt", Form.TIME),
        ),
    ),
    Table(
        name="disclosure_case",
        line="DisclosureCase",
        node=NodeType.RECORD,
        plain=(
            Column("kind", "kind"),
            Column("purpose", "purpose", Form.UPPER),
            Column("recipient_id", "recipient", Form.NAMED),
            Column("authority", "authority"),
            Column("document", "document"),
            Column("categories", "categories", Form.CATEGORIES),
            Column("approved_by_id", "approvedBy", Form.NAMED),
            Column("approved_at", "approvedAt", Form.TIME),
            Column("expires_at", "expiresAt", Form.TIME),
            Column("closed_at", "closedAt", Form.TIME),
        ),
    ),
    Table(
        name="disclosure_person",
        line=None,
        node=None,
        plain=(_hidden("case_id"), _hidden("person_id")),
    ),
    Table(
        name="assignment",
        line="Assignment",
        node=NodeType.RECORD,
        plain=(
            Column("staff_id", "staff", Form.NAMED),
            Column("organization_id", "organization", Form.NAMED),
            Column("policy_id", "policy", Form.POLICY),
            Column("claim_id", "claim", Form.CLAIM),
            Column("verification_case_id", "verificationCase", Form.RECORD),
            Column("rights_request_id", "rightsRequest", Form.RECORD),
            Column("disclosure_case_id", "disclosureCase", Form.RECORD),
            Column("assigned_at", "assignedAt", Form.TIME),
            Column("ended_at", "endedAt", Form.TIME),
        ),
    ),
)


def _no_rows() -> dict[str, list[Row]]:
    return {table.name: [] for table in TABLES}


@dataclass(slots=True)
class Batch:
    """Rows of some whole households, by table, not yet sealed. Foreign keys stay within it or point to earlier ones."""

    people: int = 0
    rows: dict[str, list[Row]] = field(default_factory=_no_rows, repr=False)

    def add(self, table: str, row_id: UUID, *, plain: tuple[Cell, ...]) -> None:
        """Add a row without sealed columns."""
        self.rows[table].append((row_id, row_id, plain, ()))
