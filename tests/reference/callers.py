"""Who asks the reference: a caller, and what the world says of them."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from tests.reference.world import Row, World, age, moment

STAFF = frozenset(
    {
        "broker_agent",
        "customer_service",
        "claims_handler",
        "risk_analyst",
        "marketer",
        "analyst",
        "privacy_officer",
        "security_admin",
        "auditor",
        "developer",
    },
)

OPEN_POLICY = {
    "application": {"SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"},
    "policy_service": {"IN_FORCE", "GRACE"},
    "service_message": {"IN_FORCE", "GRACE"},
    "account_service": {"IN_FORCE", "GRACE"},
}
OPEN_CLAIM = {"REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING", "APPROVED"}

ADULT = 18


@dataclass(frozen=True)
class Caller:
    """Who asks, for what. `username` names a customer, guardian or member of staff, `org_code` a partner."""

    role: str
    purpose: str
    org_code: str | None = None
    username: str | None = None
    categories: frozenset[str] = frozenset()
    purposes: tuple[str, ...] = ()


class Subject:
    """A caller found in the world."""

    def __init__(self, world: World, caller: Caller, *, at: datetime) -> None:
        """Look the caller up; one who is not there is an error."""
        self.world, self.caller, self.at = world, caller, at
        self.role, self.purpose = caller.role, caller.purpose
        self.person: Row | None = None
        self.staff: Row | None = None
        self.organization: Row | None = None
        if self.role in STAFF:
            (self.staff,) = [row for row in world.all("Staff") if row.username == caller.username] or [None]
        elif self.role in ("customer", "guardian"):
            accounts = [row for row in world.all("Account") if row.user is not None]
            (self.person,) = [row.user for row in accounts if row.username == caller.username]
        else:
            (self.organization,) = [row for row in world.all("Organization") if row.code == caller.org_code]

    @cached_property
    def children(self) -> list[Row]:
        """A guardian's children: link verified and not revoked, the child under age today."""
        if self.role != "guardian" or self.person is None:
            return []
        links = self.world.linked("GuardianLink", "guardian", self.person)
        return [link.child for link in links if self.link_counts(link)]

    def link_counts(self, link: Row) -> bool:
        """Is this guardian link verified, not revoked, and its child under age?"""
        if link.verifiedAt is None or link.revokedAt is not None or link.child.birthDate is None:
            return False
        return age(link.child.birthDate, self.at) < ADULT

    def assigned(self, target: str, row: Row) -> bool:
        """Has the caller an assignment of this row that has not ended?"""
        return any(
            (self.staff is not None and work.staff is self.staff)
            or (self.organization is not None and work.organization is self.organization)
            for work in self.world.linked("Assignment", target, row)
            if not self.past(work.endedAt)
        )

    def past(self, text: str | None) -> bool:
        """Is there such a moment, and has it come?"""
        return text is not None and moment(text) <= self.at

    def active(self, consent: Row) -> bool:
        """Is a consent neither withdrawn nor past its expiry?"""
        return consent.withdrawnAt is None and not self.past(consent.expiresAt)
