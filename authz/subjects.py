"""What belongs to the caller in a compiled statement: bind parameters by name, never text."""

from dataclasses import dataclass, field
from uuid import UUID

from authz.caveats import Caveat
from models.cases import SHOWN, Aspect
from models.vocabulary import PARTNER_ROLES, Purpose, Role


@dataclass(frozen=True, slots=True)
class Subject:
    """The authenticated caller, as the token tells it; `categories` is a stored set (`to_bits`)."""

    role: Role
    purposes: tuple[Purpose, ...]
    categories: int
    token_id: str
    account: UUID | None = None
    """The account of a customer or guardian, the row of a member of staff; None for a partner."""
    person: UUID | None = field(default=None, repr=False)
    organization: UUID | None = None
    organization_code: str | None = None
    caveats: tuple[Caveat, ...] = ()
    session: UUID | None = None
    stepped_up_until: int = 0
    """Until when, in seconds since the epoch, a second factor given lately counts."""

    client: str | None = None
    """The client that a token was issued to, and for a partner the agreement it was issued under."""
    agreement: UUID | None = None

    @property
    def identity(self) -> UUID | None:
        """Who acts: the account, or for a partner the organization."""
        return self.account or self.organization


ANONYMOUS = Subject(Role.ANONYMOUS, (Purpose.PRODUCT_DISPLAY,), categories=0, token_id="anonymous")  # noqa: S106 - none
"""Whoever brings no token: registered operations only, and nothing of anybody in them (C07, C79)."""


def assignee(role: Role, alias: str) -> str:
    """SQL: is this assignment the caller's, and not ended?"""
    column = "organization_id = :organization" if role in PARTNER_ROLES else "staff_id = :account"
    return f"{alias}.{column} AND ({alias}.ended_at IS NULL OR {alias}.ended_at > now())"


def recipient(role: Role, column: str) -> str:
    """SQL: is the caller the recipient in this column? Everyone but a partner acts for the brokerage, null."""
    return f"{column} = :organization" if role in PARTNER_ROLES else f"{column} IS NULL"


def active(alias: str) -> str:
    """SQL: is this consent neither withdrawn nor expired?"""
    return f"{alias}.withdrawn_at IS NULL AND ({alias}.expires_at IS NULL OR {alias}.expires_at > now())"


def lasting(alias: str, longest_days: int) -> str:
    """SQL: the same, and is it no older than the law lets a consent last? 0 days: that is for ever."""
    if not longest_days:
        return active(alias)
    return f"{active(alias)} AND {alias}.granted_at > now() - interval '{longest_days} days'"


def of_aspects(alias: str) -> str:
    """SQL: the categories that this verification case opens at most; one that names no aspect, all (C11)."""
    each = (
        f"CASE WHEN {alias}.aspects & {1 << place} <> 0 THEN {SHOWN[aspect]} ELSE 0 END"
        for place, aspect in enumerate(Aspect)
    )
    return f"(CASE WHEN {alias}.aspects IS NULL THEN -1 ELSE {' | '.join(each)} END)"


def willing(person: str) -> str:
    """SQL: has this person refused marketing by no channel? Who refused one is in nobody's audience (C20)."""
    return f"NOT EXISTS (SELECT FROM marketing_refusal mr WHERE mr.person_id = {person} AND mr.allowed_at IS NULL)"
