"""What ordinary people have going on: claims, assignments, health services, consents, cases and requests."""

from collections.abc import Sequence
from uuid import UUID

from models.claims import ClaimStatus
from models.demo.assignments import Target, assign
from models.demo.books import Book
from models.demo.cases import Scope, Standing, add_disclosure, add_rights_request, add_service, add_verification
from models.demo.claims import CLOSED, draw_claim
from models.demo.consents import ALL_CATEGORIES, CHECKED, IDENTITY, Given, Grant, draw_consent, draw_consents, narrowed
from models.demo.directory import Assignee
from models.demo.draws import weighted
from models.demo.people import Home, Member, add_device, add_virtual_phone
from models.demo.policies import LIVE, UNISSUED, Contract, draw_beneficiaries
from models.organizations import OrganizationKind
from models.vocabulary import Purpose, Role

_CLAIMS = weighted({0: 21, 1: 28, 2: 24, 3: 15, 4: 8, 5: 4})
_DEVICES = weighted({0: 8, 1: 38, 2: 34, 3: 20})


def draw_contract_dealings(
    book: Book,
    contract: Contract,
    *,
    household: Sequence[Member],
    home: Home,
) -> list[tuple[UUID, Member]]:
    """Beneficiaries, agent, health service and claims of one policy; tells each claim and its insured."""
    draws = book.draws
    draw_beneficiaries(book, contract, household=household, home=home)
    if draws.chance(0.7 if contract.status in UNISSUED else 0.45):
        agent = draws.one(book.team.staff[Role.BROKER_AGENT])
        assign(book, agent, target=Target.POLICY, row=contract.id, ended=draws.chance(0.12))
    if contract.status in UNISSUED:
        return []
    _draw_service(book, contract)
    return [(_draw_claim(book, contract, home=home), contract.insured) for _ in range(draws.pick(_CLAIMS))]


def _draw_service(book: Book, contract: Contract) -> None:
    draws, live = book.draws, contract.status in LIVE
    if draws.chance(0.14 if live else 0.06):
        provider = draws.one(book.directory.organizations[OrganizationKind.HEALTH_PROVIDER])
        add_service(book, contract, provider=provider, running=live and draws.chance(0.7))


def _draw_claim(book: Book, contract: Contract, *, home: Home) -> UUID:
    draws = book.draws
    claim, status = draw_claim(book, contract, home=home)
    if status is ClaimStatus.DRAFT:
        return claim
    if draws.chance(0.65):
        handler = draws.one(book.team.staff[Role.CLAIMS_HANDLER])
        assign(book, handler, target=Target.CLAIM, row=claim, ended=draws.chance(0.4 if status in CLOSED else 0.06))
    if draws.chance(0.1):
        adjuster = draws.one(book.directory.assignees[OrganizationKind.LOSS_ADJUSTER])
        assign(book, adjuster, target=Target.CLAIM, row=claim, ended=draws.chance(0.3))
    return claim


def draw_person_dealings(book: Book, member: Member, *, guardian: Member, claims: Sequence[UUID]) -> None:
    """Devices, relay numbers, consents and cases of one person."""
    draws = book.draws
    given = draw_consents(book, member)
    if member.account or not member.minor:
        for _ in range(draws.pick(_DEVICES)):
            add_device(book, member)
        if draws.chance(0.5) or (Purpose.MARKETING, None) in given:
            add_virtual_phone(book, member, organization=None, ended=draws.chance(0.15))
    if draws.chance(0.09):
        _draw_verification(book, member, given=given, claims=claims)
    if draws.chance(0.06):
        _draw_request(book, member, requester=guardian if member.minor else member)


def _draw_verification(book: Book, member: Member, *, given: Given, claims: Sequence[UUID]) -> None:
    """A case for our analysts or for a service provider, whatever has become of the consent it names."""
    draws = book.draws
    if draws.chance(0.6):
        to, categories = draws.one(book.team.staff[Role.RISK_ANALYST]), CHECKED
    else:
        to, categories = draws.one(book.directory.assignees[OrganizationKind.SERVICE_PROVIDER]), IDENTITY
    grant = Grant(Purpose.VERIFICATION, to.organization, categories)
    consent = _verification_consent(book, member, given=given, grant=grant)
    claim = draws.one(claims) if claims and draws.chance(0.8) else None
    case = add_verification(book, member, claim=claim, consent=consent, closed=draws.chance(0.3))
    _assign_mostly(book, to, target=Target.VERIFICATION_CASE, row=case)


def _verification_consent(book: Book, member: Member, *, given: Given, grant: Grant) -> UUID:
    if (grant.purpose, grant.recipient) not in given:
        given[grant.purpose, grant.recipient] = draw_consent(book, member, grant=grant)
    return given[grant.purpose, grant.recipient]


def _draw_request(book: Book, member: Member, *, requester: Member) -> None:
    request = add_rights_request(book, member, requester=requester, closed=book.draws.chance(0.5))
    officer = book.draws.one(book.team.staff[Role.PRIVACY_OFFICER])
    _assign_mostly(book, officer, target=Target.RIGHTS_REQUEST, row=request)


def draw_disclosure(book: Book, people: Sequence[Member]) -> None:
    """Now and then an authority asks about a household; not every case is approved, whole or still open."""
    draws = book.draws
    if not draws.chance(0.02):
        return
    insurers = book.directory.organizations[OrganizationKind.INSURER]
    officers = book.team.staff[Role.PRIVACY_OFFICER]
    categories = narrowed(draws, ALL_CATEGORIES) if draws.chance(0.4) else ALL_CATEGORIES
    scope = Scope(categories=categories, recipient=draws.one(insurers) if draws.chance(0.2) else None)
    approver = draws.one(officers) if draws.chance(0.8) else None
    standing = Standing(approved_by=approver, expired=draws.chance(0.2), closed=draws.chance(0.2))
    case = add_disclosure(book, people, scope=scope, standing=standing)
    _assign_mostly(book, draws.one(officers), target=Target.DISCLOSURE_CASE, row=case)


def _assign_mostly(book: Book, to: Assignee, *, target: Target, row: UUID) -> None:
    if book.draws.chance(0.92):
        assign(book, to, target=target, row=row, ended=book.draws.chance(0.1))
