"""The reference's situations: which pairs of relation and basis some record witnesses for a data subject."""

from collections.abc import Iterator

from tests.reference.callers import OPEN_CLAIM, OPEN_POLICY, Subject
from tests.reference.rules import rules
from tests.reference.world import Row

Pair = tuple[str, str]


def pairs(subject: Subject, of: str, record: Row, category: str) -> frozenset[Pair]:
    """The situation of one cell of a user, policy, beneficiary or claim; `of` says whose datum it is."""
    found = set(_record_pairs(subject, of, record))
    person = data_subject(of, record)
    if person is not None:
        found |= set(_case_pairs(subject, person, category, record))
    return frozenset(found) or frozenset({("none", "none")})


def data_subject(of: str, record: Row) -> Row | None:
    """Whose datum it is; a beneficiary, reporter or payee is the person of the verified link, if any."""
    match of:
        case "USER":
            return record
        case "HOLDER":
            return record.policyholder
        case "INSURED":
            return record.policy.insured
        case "BENEFICIARY":
            return record.person if record.personVerifiedAt else None
        case "REPORTER":
            return record.reporter if record.reporterVerifiedAt else None
        case _:
            return record.payee if record.payeeVerifiedAt else None


def _record_pairs(subject: Subject, of: str, record: Row) -> Iterator[Pair]:
    """What the policies, claims and health services witness that count for this field."""
    world, purpose = subject.world, subject.purpose
    person = data_subject(of, record)
    if record.type == "User":
        policies = world.policies_of(record)
        yield from _identity_pairs(subject, record)
    else:
        policies = [record if record.type == "Policy" else record.policy]
    if purpose == "claim_handling":
        claims = (
            [record] if record.type == "Claim" else [c for p in policies for c in world.linked("Claim", "policy", p)]
        )
        for claim in claims:
            yield from _claim_pairs(subject, of, person, claim)
        return
    if purpose == "health_service" and record.type != "Claim":
        for policy in policies:
            for service in world.linked("HealthService", "policy", policy):
                yield _health_service_pair(subject, service)
    if not (purpose == "health_service" and record.type == "User"):
        for policy in policies:
            yield from _policy_pairs(subject, of, person, policy)


def _identity_pairs(subject: Subject, person: Row) -> Iterator[Pair]:
    """Identity and guardian links, which witness a person's own fields only."""
    if subject.role == "customer" and person is subject.person:
        yield "self", "none"
    if person in subject.children:
        yield "guardian_of", "none"


def _policy_pairs(subject: Subject, of: str, person: Row | None, policy: Row) -> Iterator[Pair]:
    opened = policy.status in OPEN_POLICY.get(subject.purpose, ()) or (
        subject.role == "broker_agent" and subject.purpose == "application" and policy.status == "DRAFT"
    )
    relations = _personal(subject, of, person, policy)
    if subject.assigned("policy", policy):
        relations.add("assigned")
    if subject.organization is not None and policy.insurer is subject.organization:
        relations.add("underwriter")
    yield from _with(relations, "contract_open" if opened else "none")


def reported(claim: Row) -> bool:
    """Was this claim ever more than a draft? A draft that was withdrawn has no time of closing."""
    return claim.status != "DRAFT" and (claim.status != "WITHDRAWN" or claim.closedAt is not None)


def _claim_pairs(subject: Subject, of: str, person: Row | None, claim: Row) -> Iterator[Pair]:
    if not reported(claim):
        return
    relations = _personal(subject, of, person, claim.policy)
    if subject.assigned("claim", claim):
        relations.add("assigned")
    if subject.organization is not None and claim.policy.insurer is subject.organization:
        relations.add("underwriter")
    yield from _with(relations, "contract_open" if claim.status in OPEN_CLAIM else "none")


def _personal(subject: Subject, of: str, person: Row | None, policy: Row) -> set[str]:
    """The relations that depend on which data subject the field is about."""
    relations = set()
    if subject.role == "customer":
        if person is subject.person:
            relations.add("self")
        elif policy.policyholder is subject.person and (
            of in ("INSURED", "BENEFICIARY") or (of == "USER" and person is policy.insured)
        ):
            relations.add("holder_of")
    if person in subject.children:
        relations.add("guardian_of")
    return relations


def _health_service_pair(subject: Subject, service: Row) -> Pair:
    tied = subject.organization is not None and service.provider is subject.organization
    running = subject.past(service.startsAt) and not subject.past(service.endsAt)
    return "provider" if tied else "none", "contract_open" if running else "none"


def _case_pairs(subject: Subject, person: Row, category: str, record: Row) -> Iterator[Pair]:
    """What the data subject's cases, requests and consents of this purpose witness, if they cover the record."""
    world = subject.world
    if subject.purpose == "verification":
        cases = world.linked("VerificationCase", "user", person)
        yield from (_verification_pair(subject, case, category) for case in cases if _case_covers(case, record))
    if subject.purpose == "rights_request":
        for request in world.linked("RightsRequest", "user", person):
            yield from _request_pairs(subject, request)
    disclosures = [case for case in world.all("DisclosureCase") if _same_purpose(subject, case)]
    if _names_exception(subject):
        yield from (_disclosure_pair(subject, case, category) for case in disclosures if person in case.users)
    consents = [consent for consent in world.linked("Consent", "user", person) if _same_purpose(subject, consent)]
    yield from (_consent_pair(subject, consent, category) for consent in consents)


def _same_purpose(subject: Subject, record: Row) -> bool:
    return bool(record.purpose.lower() == subject.purpose)


def _case_covers(case: Row, record: Row) -> bool:
    """A verification case covers its person, and of records only its claim and that claim's policy."""
    if record.type == "User":
        return True
    if case.claim is None:
        return False
    if record.type == "Claim":
        return record is case.claim
    return case.claim.policy is (record if record.type == "Policy" else record.policy)


def _names_exception(subject: Subject) -> bool:
    """Does a rule of the role and purpose name `exception`?"""
    return any(
        (rule.role, rule.purpose, rule.basis) == (subject.role, subject.purpose, "exception") for rule in rules()
    )


def _verification_pair(subject: Subject, case: Row, category: str) -> Pair:
    live = (
        case.closedAt is None
        and case.consent.user is case.user
        and case.consent.purpose == "VERIFICATION"
        and _consents(subject, case.consent, category)
    )
    return "assigned" if subject.assigned("verificationCase", case) else "none", "consent" if live else "none"


def _request_pairs(subject: Subject, request: Row) -> Iterator[Pair]:
    relations = set()
    if subject.assigned("rightsRequest", request):
        relations.add("assigned")
    if request.requester is subject.person and request.user in subject.children:
        relations.add("guardian_of")
    if subject.role == "customer" and request.user is subject.person:
        relations.add("self")
    yield from _with(relations, "request" if request.closedAt is None else "none")


def _disclosure_pair(subject: Subject, case: Row, category: str) -> Pair:
    holds = (
        live_disclosure(subject, case)
        and case.purpose.lower() == subject.purpose
        and case.recipient is subject.organization
        and category.upper() in case.categories
    )
    return "assigned" if subject.assigned("disclosureCase", case) else "none", "exception" if holds else "none"


def live_disclosure(subject: Subject, case: Row) -> bool:
    """Is a disclosure case approved, not closed and not expired?"""
    return case.approvedAt is not None and case.closedAt is None and not subject.past(case.expiresAt)


def _consent_pair(subject: Subject, consent: Row, category: str) -> Pair:
    audience = subject.purpose == "marketing" and consent.recipient is subject.organization
    return "audience" if audience else "none", "consent" if _consents(subject, consent, category) else "none"


def _consents(subject: Subject, consent: Row, category: str) -> bool:
    """Is a consent active, for this operation's purpose, this recipient and this category?"""
    return (
        subject.active(consent)
        and consent.purpose.lower() == subject.purpose
        and consent.recipient is subject.organization
        and category.upper() in consent.categories
    )


def _with(relations: set[str], basis: str) -> list[Pair]:
    return [(relation, basis) for relation in relations or {"none"}]
