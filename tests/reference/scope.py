"""The reference's first wall: which rows exist for a subject (`docs/decisions/001-situations.md`, Rows)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.reference.callers import Subject
from tests.reference.rules import named
from tests.reference.witnesses import live_disclosure, reported
from tests.reference.world import Row

APPLIED_FOR = {"SUBMITTED", "UNDERWRITING", "DECLINED", "AWAITING_PAYMENT"}
ISSUED = {"IN_FORCE", "GRACE", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"}
NODES = ("User", "Policy", "Beneficiary", "Claim", "Consent", "Device")
WITHOUT_ID = ("Permission", "Correction")


@dataclass
class Scope:
    """The rows that exist, by type; `audience` maps users to the ids that a recipient knows them by."""

    rows: dict[str, set[Row]] = field(default_factory=lambda: {kind: set() for kind in (*NODES, *WITHOUT_ID)})
    audience: dict[Row, str] | None = None

    def add(self, rows: Iterable[Row]) -> None:
        """Let rows exist."""
        for row in rows:
            self.rows[row.type].add(row)

    def has(self, row: Row | None) -> bool:
        """Does this row exist?"""
        return row is not None and row in self.rows[row.type]


def scope(subject: Subject) -> Scope:
    """Everything that exists for a subject and purpose."""
    found = Scope()
    if subject.role in ("customer", "guardian"):
        _own(found, subject)
    elif subject.purpose not in named(subject.role):
        pass
    elif subject.purpose == "marketing":
        _audience(found, subject)
    else:
        SCOPES[subject.role](found, subject)
    return found


def _organization(subject: Subject) -> Row:
    if subject.organization is None:
        message = f"a {subject.role} has no organization"
        raise ValueError(message)
    return subject.organization


def _reported(claims: Iterable[Row]) -> list[Row]:
    return [claim for claim in claims if reported(claim)]


def _assigned_cases(subject: Subject) -> list[Row]:
    return [case for case in subject.world.all("VerificationCase") if subject.assigned("verificationCase", case)]


def _policies(found: Scope, subject: Subject, policies: list[Row], *, beneficiaries: bool) -> None:
    """Policies with their holders and insured."""
    found.add(policies)
    found.add(policy.policyholder for policy in policies)
    found.add(policy.insured for policy in policies)
    if beneficiaries:
        for policy in policies:
            found.add(subject.world.linked("Beneficiary", "policy", policy))


def _own(found: Scope, subject: Subject) -> None:
    """A customer's own rows; for a guardian the same of every child."""
    world = subject.world
    persons = [subject.person] if subject.role == "customer" else subject.children
    found.add(persons)
    for person in persons:
        for policy in world.linked("Policy", "policyholder", person):
            found.add([policy.insured])
            found.add(world.linked("Beneficiary", "policy", policy))
        found.add(world.policies_of(person))
        found.add(world.claims_of(person))
        found.add(world.linked("Consent", "user", person))
        found.add(world.linked("Device", "user", person))
        found.add(world.linked("Correction", "user", person))
        if subject.role == "customer":
            found.add(world.linked("Permission", "user", person))


def _audience(found: Scope, subject: Subject) -> None:
    consents = [
        consent
        for consent in subject.world.all("Consent")
        if consent.purpose == "MARKETING" and consent.recipient is subject.organization and subject.active(consent)
    ]
    found.add(consent.user for consent in consents)
    found.audience = {consent.user: consent.audienceId for consent in consents}


def _broker_agent(found: Scope, subject: Subject) -> None:
    world = subject.world
    policies = [policy for policy in world.all("Policy") if subject.assigned("policy", policy)]
    _policies(found, subject, policies, beneficiaries=True)
    for person in found.rows["User"]:
        found.add(consent for consent in world.linked("Consent", "user", person) if consent.purpose == "APPLICATION")


def _everything(found: Scope, subject: Subject) -> None:
    """All policies and what belongs to them; no consents, no devices."""
    _policies(found, subject, subject.world.all("Policy"), beneficiaries=True)
    found.add(_reported(subject.world.all("Claim")))


def _risk_analyst(found: Scope, subject: Subject) -> None:
    if subject.purpose == "security":
        found.add(subject.world.all("User"))
        found.add(subject.world.all("Device"))
        return
    cases = _assigned_cases(subject)
    claims = _reported(case.claim for case in cases if case.claim is not None)
    found.add(case.user for case in cases)
    found.add(claims)
    found.add(claim.policy for claim in claims)


def _privacy_officer(found: Scope, subject: Subject) -> None:
    world = subject.world
    if subject.purpose == "rights_request":
        requests = [row for row in world.all("RightsRequest") if subject.assigned("rightsRequest", row)]
        persons = [request.user for request in requests if request.closedAt is None]
    else:
        cases = [row for row in world.all("DisclosureCase") if subject.assigned("disclosureCase", row)]
        persons = [person for case in cases if live_disclosure(subject, case) for person in case.users]
    found.add(persons)
    for person in persons:
        for policy in world.linked("Policy", "policyholder", person):
            found.add(world.linked("Beneficiary", "policy", policy))
        found.add(world.policies_of(person))
        found.add(_reported(world.claims_of(person)))
        found.add(world.linked("Consent", "user", person))
        found.add(world.linked("Device", "user", person))
        if subject.purpose == "rights_request":
            found.add(world.linked("Correction", "user", person))


def _insurer(found: Scope, subject: Subject) -> None:
    world, insurer = subject.world, _organization(subject)
    policies = world.linked("Policy", "insurer", insurer)
    if subject.purpose == "application":
        policies = [policy for policy in policies if policy.status in APPLIED_FOR]
    elif subject.purpose == "policy_service":
        # What never began is a withdrawn application.
        policies = [policy for policy in policies if policy.status in ISSUED and policy.startsOn is not None]
    else:
        claims = [claim for policy in policies for claim in _reported(world.linked("Claim", "policy", policy))]
        policies = [claim.policy for claim in claims]
        found.add(claims)
    _policies(found, subject, policies, beneficiaries=True)
    found.add(world.linked("Consent", "recipient", insurer))


def _health_provider(found: Scope, subject: Subject) -> None:
    services = subject.world.linked("HealthService", "provider", _organization(subject))
    _policies(found, subject, [service.policy for service in services], beneficiaries=False)


def _loss_adjuster(found: Scope, subject: Subject) -> None:
    claims = _reported(claim for claim in subject.world.all("Claim") if subject.assigned("claim", claim))
    found.add(claims)
    _policies(found, subject, [claim.policy for claim in claims], beneficiaries=False)


def _service_provider(found: Scope, subject: Subject) -> None:
    cases = _assigned_cases(subject)
    _loss_adjuster(found, subject)
    claims = _reported(case.claim for case in cases if case.claim is not None)
    found.add(claims)
    _policies(found, subject, [claim.policy for claim in claims], beneficiaries=False)
    found.add(case.user for case in cases)


def _affiliate(found: Scope, subject: Subject) -> None:
    consents = subject.world.linked("Consent", "recipient", _organization(subject))
    found.add(row.user for row in consents if row.purpose == "VERIFICATION" and subject.active(row))


SCOPES = {
    "broker_agent": _broker_agent,
    "customer_service": _everything,
    "claims_handler": _everything,
    "risk_analyst": _risk_analyst,
    "privacy_officer": _privacy_officer,
    "insurer": _insurer,
    "health_provider": _health_provider,
    "loss_adjuster": _loss_adjuster,
    "service_provider": _service_provider,
    "affiliate": _affiliate,
}
"""Who has rows outside marketing, by role."""
