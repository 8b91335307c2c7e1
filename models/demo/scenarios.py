"""The situations every population holds: for each row of the necessity matrix a case of it, and its near misses.

People of a scenario are complete: no column of theirs is empty, nor one of their claims. What a scenario does not
write does not exist: its people have no other policies, claims, assignments or cases.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from models.claims import ClaimStatus
from models.demo.assignments import Target, assign
from models.demo.books import Book
from models.demo.cases import Scope, Standing, add_disclosure, add_rights_request, add_service, add_verification
from models.demo.claims import Event, add_claim
from models.demo.consents import (
    ALL_CATEGORIES,
    CHECKED,
    IDENTITY,
    MARKETING,
    Grant,
    State,
    add_consent,
    draw_consents,
)
from models.demo.directory import Assignee
from models.demo.people import (
    Home,
    Member,
    Profile,
    add_device,
    add_guardian,
    add_person,
    add_virtual_phone,
    draw_gender,
    draw_home,
)
from models.demo.policies import SELF, UNKNOWN, Contract, Party, Place, add_beneficiary, add_policy, draw_product
from models.organizations import OrganizationKind
from models.policies import PolicyStatus
from models.vocabulary import Category, Purpose, Role, to_bits

_ADULT = date(1968, 1, 1), date(1996, 12, 31)
_PUPIL = date(2015, 1, 1), date(2017, 12, 31)
_GROWN = date(2003, 1, 1), date(2005, 12, 31)
_WHOLE = Decimal("100.00")

_HANDLER, _RISK, _PRIVACY, _AGENT = (
    Role.CLAIMS_HANDLER,
    Role.RISK_ANALYST,
    Role.PRIVACY_OFFICER,
    Role.BROKER_AGENT,
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """So many people, and what writes them."""

    people: int
    write: Callable[[Book], None]


@dataclass(frozen=True, slots=True)
class _Stage:
    """A household at one address, for the scenario's people."""

    book: Book
    home: Home

    def person(self, born: tuple[date, date] = _ADULT) -> Member:
        """Someone with every column filled, an account, a device and a relay number of ours."""
        draws = self.book.draws
        profile = Profile(
            born=draws.day(*born),
            gender=draw_gender(draws),
            home=self.home,
            family_name=True,
            complete=True,
        )
        member = add_person(self.book, profile)
        add_device(self.book, member)
        add_virtual_phone(self.book, member, organization=None)
        return member

    def policy(
        self,
        holder: Member,
        status: PolicyStatus = PolicyStatus.IN_FORCE,
        *,
        insurer: int = 1,
        insured: Member | None = None,
    ) -> Contract:
        """A policy with one of the insurers, INS01 by default, whose verified beneficiary is the insured."""
        subject = insured or holder
        product = draw_product(self.book, insurer=self.organization(OrganizationKind.INSURER, insurer))
        contract = add_policy(self.book, holder, insured=subject, status=status, product=product)
        place = Place(relation=SELF, order=1, share=_WHOLE)
        add_beneficiary(self.book, contract, party=Party(subject, verified=True), place=place, home=self.home)
        return contract

    def claim(
        self,
        contract: Contract,
        status: ClaimStatus,
        *,
        reporter: Party | None = None,
        payee: Party | None = None,
    ) -> UUID:
        """A claim with nothing missing, reported by and paid to the insured unless told otherwise."""
        subject = Party(contract.insured, verified=True)
        event = Event(status=status, reporter=reporter or subject, payee=payee or subject, complete=True)
        return add_claim(self.book, contract, event=event, home=self.home)[0]

    def consent(self, member: Member, grant: Grant, *, state: State = State.ACTIVE) -> UUID:
        """A consent, active by default."""
        return add_consent(self.book, member, grant=grant, state=state)

    def staff(self, role: Role, number: int = 1) -> Assignee:
        """The first member of staff of a role, or a later one."""
        return self.book.team.staff[role][number - 1]

    def organization(self, kind: OrganizationKind, number: int = 1) -> UUID:
        """The first organization of a kind, or a later one."""
        return self.book.directory.organizations[kind][number - 1]

    def partner(self, kind: OrganizationKind) -> Assignee:
        """The first organization of a kind, as it is given work."""
        return Assignee(organization=self.organization(kind))


def _stage(book: Book) -> _Stage:
    return _Stage(book=book, home=draw_home(book.draws))


def _write_customer(book: Book) -> None:
    """One who holds, is insured and benefits, and who also holds a live and a lapsed policy on another."""
    stage = _stage(book)
    customer, other = stage.person(), stage.person()
    stage.claim(stage.policy(customer), ClaimStatus.REVIEWING)
    stage.claim(stage.policy(customer, insurer=2, insured=other), ClaimStatus.SUBMITTED)
    stage.claim(stage.policy(customer, PolicyStatus.LAPSED, insurer=3, insured=other), ClaimStatus.PAID)
    draw_consents(book, customer)


def _write_family(book: Book) -> None:
    """A guardian of a child with everything; an unverified, a revoked, an idle link, and a child grown up."""
    stage = _stage(book)
    guardian, child = stage.person(), stage.person(_PUPIL)
    add_guardian(book, guardian, child=child, verified=True)
    stage.claim(stage.policy(child, insurer=3), ClaimStatus.MATERIALS_PENDING)
    _request(stage, child, requester=guardian)
    for verified, revoked, born in ((False, False, _PUPIL), (True, True, _PUPIL), (True, False, _GROWN)):
        other = stage.person(born)
        add_guardian(book, guardian, child=other, verified=verified, revoked=revoked)
        stage.policy(guardian, insurer=3, insured=other)
        _request(stage, other, requester=guardian)
    idle = stage.person(_PUPIL)
    add_guardian(book, guardian, child=idle, verified=True)
    stage.policy(guardian, insurer=3, insured=idle)
    _request(stage, idle, requester=guardian, closed=True)


def _write_applicants(book: Book) -> None:
    """An application and a running policy of the first agent; a draft, and a policy taken from the agent."""
    stage = _stage(book)
    applicant, insured, former = stage.person(), stage.person(), stage.person()
    agent = stage.staff(_AGENT)
    assign(book, agent, target=Target.POLICY, row=stage.policy(applicant, PolicyStatus.SUBMITTED).id)
    for recipient in (None, stage.organization(OrganizationKind.INSURER)):
        stage.consent(applicant, Grant(Purpose.APPLICATION, recipient, ALL_CATEGORIES))
    running = stage.policy(insured)
    assign(book, agent, target=Target.POLICY, row=running.id)
    stage.claim(running, ClaimStatus.PAID)
    assign(book, agent, target=Target.POLICY, row=stage.policy(former, PolicyStatus.DRAFT).id)
    assign(book, agent, target=Target.POLICY, row=stage.policy(former).id, ended=True)


def _write_former_customer(book: Book) -> None:
    """Someone without any policy in force."""
    stage = _stage(book)
    stage.claim(stage.policy(stage.person(), PolicyStatus.LAPSED, insurer=4), ClaimStatus.PAID)


def _write_claimants(book: Book) -> None:
    """Claims with the first handler, insurer and adjuster: open, closed, someone else's, both, and taken away."""
    stage = _stage(book)
    handler, colleague = stage.staff(_HANDLER), stage.staff(_HANDLER, 2)
    adjuster = stage.partner(OrganizationKind.LOSS_ADJUSTER)
    opened = stage.claim(stage.policy(stage.person()), ClaimStatus.INVESTIGATING)
    closed = stage.claim(stage.policy(stage.person()), ClaimStatus.PAID)
    for claim in (opened, closed):
        assign(book, handler, target=Target.CLAIM, row=claim)
    assign(book, adjuster, target=Target.CLAIM, row=opened)
    others = stage.claim(stage.policy(stage.person()), ClaimStatus.REVIEWING)
    for assignee in (colleague, book.team.leaver or colleague):
        assign(book, assignee, target=Target.CLAIM, row=others)
    both = stage.policy(stage.person())
    for status in (ClaimStatus.APPROVED, ClaimStatus.CLOSED):
        claim = stage.claim(both, status)
        assign(book, handler, target=Target.CLAIM, row=claim)
        assign(book, adjuster, target=Target.CLAIM, row=claim)
    taken = stage.claim(stage.policy(stage.person()), ClaimStatus.SUBMITTED)
    for assignee in (handler, adjuster):
        assign(book, assignee, target=Target.CLAIM, row=taken, ended=True)


def _write_checked(book: Book) -> None:
    """Cases of the first analyst and service provider: live; closed, withdrawn, narrow, for another recipient."""
    stage = _stage(book)
    risk, provider = stage.staff(_RISK), stage.partner(OrganizationKind.SERVICE_PROVIDER)
    everything = Grant(Purpose.VERIFICATION, None, CHECKED)
    identity = Grant(Purpose.VERIFICATION, provider.organization, IDENTITY)
    other = Grant(Purpose.VERIFICATION, stage.organization(OrganizationKind.SERVICE_PROVIDER, 2), IDENTITY)
    narrow = Grant(Purpose.VERIFICATION, None, to_bits({Category.NAME, Category.EXPENSE}))
    _verify(stage, stage.person(), consent=everything, to=risk)
    _verify(stage, stage.person(), consent=identity, to=provider)
    over = stage.person()
    _verify(stage, over, consent=everything, to=risk, closed=True)
    withdrawn = stage.consent(over, identity, state=State.WITHDRAWN)
    case = add_verification(book, over, claim=None, consent=withdrawn)
    assign(book, provider, target=Target.VERIFICATION_CASE, row=case)
    little = stage.person()
    _verify(stage, little, consent=narrow, to=risk)
    case = add_verification(book, little, claim=None, consent=stage.consent(little, other))
    assign(book, provider, target=Target.VERIFICATION_CASE, row=case)


def _write_audience(book: Book) -> None:
    """Someone who agreed to every recipient's marketing; someone who withdrew, let lapse, or allowed less."""
    stage = _stage(book)
    insurer, health, affiliate = (
        stage.organization(kind)
        for kind in (OrganizationKind.INSURER, OrganizationKind.HEALTH_PROVIDER, OrganizationKind.AFFILIATE)
    )
    willing, wary = stage.person(), stage.person()
    for recipient in (None, insurer, health, affiliate):
        stage.consent(willing, Grant(Purpose.MARKETING, recipient, MARKETING))
    for recipient in (insurer, health, affiliate):
        add_virtual_phone(book, willing, organization=recipient)
        add_virtual_phone(book, wary, organization=recipient, ended=recipient is health)
    stage.consent(wary, Grant(Purpose.MARKETING, None, MARKETING), state=State.EXPIRED)
    stage.consent(wary, Grant(Purpose.MARKETING, insurer, to_bits({Category.TAG})))
    stage.consent(wary, Grant(Purpose.MARKETING, health, MARKETING), state=State.WITHDRAWN)
    other = stage.organization(OrganizationKind.AFFILIATE, 2)
    stage.consent(wary, Grant(Purpose.MARKETING, other, MARKETING))


def _write_requests(book: Book) -> None:
    """Rights requests with the first privacy officer: open, and closed."""
    stage = _stage(book)
    for closed in (False, True):
        person = stage.person()
        stage.claim(stage.policy(person, insurer=5), ClaimStatus.REVIEWING)
        _request(stage, person, requester=person, closed=closed)


def _write_disclosures(book: Book) -> None:
    """Disclosure cases of the first privacy officer: whole; narrow; unapproved, expired, closed, another's."""
    stage = _stage(book)
    approver = stage.staff(_PRIVACY, 2)
    people = [stage.person() for _ in range(3)]
    for person in people:
        stage.claim(stage.policy(person, insurer=6), ClaimStatus.APPROVED)
    whole, approved = Scope(categories=ALL_CATEGORIES), Standing(approved_by=approver)
    little = Scope(categories=to_bits({Category.NAME, Category.FINANCIAL}))
    elsewhere = Scope(categories=ALL_CATEGORIES, recipient=stage.organization(OrganizationKind.INSURER, 6))
    for person, scope, standing in (
        (people[0], whole, approved),
        (people[1], little, approved),
        (people[2], whole, Standing(approved_by=None)),
        (people[2], whole, Standing(approved_by=approver, expired=True)),
        (people[2], whole, Standing(approved_by=approver, closed=True)),
        (people[2], elsewhere, approved),
    ):
        case = add_disclosure(book, [person], scope=scope, standing=standing)
        assign(book, stage.staff(_PRIVACY), target=Target.DISCLOSURE_CASE, row=case)


def _write_patients(book: Book) -> None:
    """A health service that runs, one that ended, and one of another provider."""
    stage = _stage(book)
    first = stage.organization(OrganizationKind.HEALTH_PROVIDER)
    second = stage.organization(OrganizationKind.HEALTH_PROVIDER, 2)
    served, formerly = stage.policy(stage.person(), insurer=7), stage.policy(stage.person(), insurer=7)
    add_service(book, served, provider=first, running=True)
    add_service(book, formerly, provider=first, running=False)
    add_service(book, formerly, provider=second, running=True)


def _write_shared(book: Book) -> None:
    """Verification consents naming the first affiliate: whole, and the name alone beside a whole one for another."""
    stage = _stage(book)
    first, second = (stage.organization(OrganizationKind.AFFILIATE, number) for number in (1, 2))
    stage.consent(stage.person(), Grant(Purpose.VERIFICATION, first, IDENTITY))
    wary = stage.person()
    stage.consent(wary, Grant(Purpose.VERIFICATION, first, to_bits({Category.NAME})))
    stage.consent(wary, Grant(Purpose.VERIFICATION, second, IDENTITY))


def _write_near_misses(book: Book) -> None:
    """A policy lapsed with one insurer, live with another; an insured who is not the holder; unknown parties."""
    stage = _stage(book)
    switched, holder, insured = stage.person(), stage.person(), stage.person()
    stage.policy(switched, PolicyStatus.LAPSED)
    stage.policy(switched, insurer=2)
    contract = stage.policy(holder, insurer=8, insured=insured)
    stage.claim(contract, ClaimStatus.REVIEWING, reporter=UNKNOWN, payee=UNKNOWN)
    stage.claim(contract, ClaimStatus.SUBMITTED, reporter=Party(insured), payee=Party(insured))
    stage.claim(contract, ClaimStatus.REPORTED, reporter=Party(holder, verified=True), payee=UNKNOWN)


def _request(stage: _Stage, person: Member, *, requester: Member, closed: bool = False) -> None:
    request = add_rights_request(stage.book, person, requester=requester, closed=closed)
    assign(stage.book, stage.staff(_PRIVACY), target=Target.RIGHTS_REQUEST, row=request)


def _verify(stage: _Stage, person: Member, *, consent: Grant, to: Assignee, closed: bool = False) -> None:
    claim = stage.claim(stage.policy(person, insurer=2), ClaimStatus.INVESTIGATING)
    case = add_verification(stage.book, person, claim=claim, consent=stage.consent(person, consent), closed=closed)
    assign(stage.book, to, target=Target.VERIFICATION_CASE, row=case)


SCENARIOS = (
    Scenario(2, _write_customer),
    Scenario(6, _write_family),
    Scenario(3, _write_applicants),
    Scenario(1, _write_former_customer),
    Scenario(5, _write_claimants),
    Scenario(4, _write_checked),
    Scenario(2, _write_audience),
    Scenario(2, _write_requests),
    Scenario(3, _write_disclosures),
    Scenario(2, _write_patients),
    Scenario(2, _write_shared),
    Scenario(3, _write_near_misses),
)
MINIMUM_PEOPLE = sum(scenario.people for scenario in SCENARIOS)
"""From this size on a population holds every scenario."""
