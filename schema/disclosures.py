"""Disclosures to third parties: cases, who got data of a person, and what persons chose (C25, C33-C34, C42-C45)."""

from datetime import date, datetime, time
from functools import partial
from typing import Annotated

import strawberry

from models.disclosures import (
    DisclosureKind,
    DocumentKind,
    LawfulException,
    PublicItem,
    PublicManner,
    TransferBasis,
)
from models.global_ids import NodeType, to_global
from models.rulesets import Verdict
from models.vocabulary import Category, Purpose
from privacy.disclosures import Case, CaseState
from privacy.recipients import Ground
from resolvers.global_ids import row_under
from resolvers.payloads import Problem, Write
from resolvers.times import SHANGHAI
from resolvers.writing import disclosures
from schema.fields import edge, private_input, public, write
from schema.organizations import Organization
from schema.problems import AnyProblem, told, written
from schema.users import User

Info = strawberry.Info[Write, None]

strawberry.enum(DisclosureKind)
strawberry.enum(LawfulException)
strawberry.enum(DocumentKind, name="DisclosureDocumentKind")
strawberry.enum(TransferBasis)
strawberry.enum(PublicManner)
strawberry.enum(PublicItem)
strawberry.enum(CaseState, name="DisclosureCaseState")
strawberry.enum(Ground, name="RecipientGround")


@strawberry.type
class Recipient:
    """Who got, or may get, data of a person (C64); `organization` is null for who is none of ours, as an authority."""

    name: str = public()
    organization: Organization | None = edge()
    grounds: list[Ground] = public()
    purposes: list[Purpose] = public()
    categories: list[Category] = public()
    coordinates: list[str] = public(description="What the ledger says it was shown.")
    times: int = public(description="Answers in which it was shown something; 0: so far it only may be.")
    first: datetime | None = public()
    last: datetime | None = public()


@strawberry.type
class Disclosed:
    """What left under a case, by the ledger. Of nobody by name."""

    persons: int = public()
    answers: int = public()
    coordinates: list[str] = public()
    first: datetime | None = public()
    last: datetime | None = public()


@strawberry.type
class DisclosureCase:
    """One case; its persons are listed by `users`, for whoever has it in hand, under regulatory_disclosure."""

    id: strawberry.ID = public()
    kind: str = public(description="A DisclosureKind; of a case that was not opened here, its own word.")
    state: CaseState = public()
    exception: LawfulException | None = public()
    clause: str | None = public(description="The exception's number in the policy.")
    authority: str = public()
    recipient: str | None = public(description="An organization's code.")
    document_kind: DocumentKind | None = public()
    document: str | None = public()
    filed: str | None = public()
    justification: str | None = public()
    basis: TransferBasis | None = public()
    undertaking: str | None = public(description="By which the successor is bound; null: it asks anew.")
    manner: PublicManner | None = public()
    items: list[PublicItem] = public()
    categories: list[Category] = public()
    persons: int = public()
    frozen: int = public(description="Of these, who did not agree: nothing of them is shown.")
    assigned: list[str] = public(description="Work names.")
    opened_by: str | None = public()
    opened_at: datetime | None = public()
    approved_by: str | None = public()
    approved_at: datetime | None = public()
    rejected_by: str | None = public()
    rejected_at: datetime | None = public()
    review_note: str | None = public()
    closed_by: str | None = public()
    closed_at: datetime | None = public()
    expires_at: datetime = public()
    secret_until: datetime | None = public(description="Until then its persons are not told of it.")
    secret_ground: str | None = public()
    disclosed: Disclosed | None = edge()


@strawberry.type
class DisclosureChoice:
    """What a person chose: items to be made public in a manner, or categories that an organization may take over."""

    id: strawberry.ID = public()
    user: strawberry.ID = public()
    manner: PublicManner | None = public()
    items: list[PublicItem] = public()
    recipient: str | None = public(description="An organization's code.")
    categories: list[Category] = public()
    chosen_at: datetime = public()


@strawberry.type
class DisclosureCaseStanding:
    """How a case stands after a write."""

    id: strawberry.ID = public()
    state: CaseState = public()
    persons: int = public()
    frozen: int = public()


OpenDisclosureCasePayload = Annotated[
    DisclosureCaseStanding | AnyProblem, strawberry.union("OpenDisclosureCasePayload")
]
ReviewDisclosureCasePayload = Annotated[
    DisclosureCaseStanding | AnyProblem, strawberry.union("ReviewDisclosureCasePayload")
]
CloseDisclosureCasePayload = Annotated[
    DisclosureCaseStanding | AnyProblem, strawberry.union("CloseDisclosureCasePayload")
]
AssignDisclosureCasePayload = Annotated[
    DisclosureCaseStanding | AnyProblem, strawberry.union("AssignDisclosureCasePayload")
]
ChoosePublicDisclosurePayload = Annotated[User | AnyProblem, strawberry.union("ChoosePublicDisclosurePayload")]
AgreeToTransferPayload = Annotated[User | AnyProblem, strawberry.union("AgreeToTransferPayload")]


@private_input
class DisclosureDocumentInput:
    """A document: its kind, its own reference, and where it is filed. No name and no number of a person."""

    kind: DocumentKind
    reference: str
    filed: str


@private_input
class DisclosureSecrecyInput:
    """The law keeps the case from its persons: until which day (of Shanghai), and by which words."""

    until: date
    ground: str


@private_input
class OpenDisclosureCaseInput:
    """What is to be disclosed: of whom, which categories, of a PUBLIC case which items; to whom, by what, until when.

    Persons by `users`, or by `idNumbers` of a letter, which are looked up and kept nowhere.
    `recipient`: an organization's code; `authority`: anybody else, in words. `undertaking`: where it is filed that a
    successor is bound by the policy; without one it asks everybody anew.
    """

    kind: DisclosureKind
    expires_at: datetime
    users: list[strawberry.ID] = strawberry.field(default_factory=list)
    id_numbers: list[str] = strawberry.field(default_factory=list)
    categories: list[Category] = strawberry.field(default_factory=list)
    exception: LawfulException | None = None
    authority: str | None = None
    recipient: str | None = None
    document: DisclosureDocumentInput | None = None
    justification: str | None = None
    basis: TransferBasis | None = None
    undertaking: str | None = None
    manner: PublicManner | None = None
    items: list[PublicItem] = strawberry.field(default_factory=list)
    secrecy: DisclosureSecrecyInput | None = None


@private_input
class ReviewDisclosureCaseInput:
    """What somebody else than whoever opened it says of a case."""

    id: strawberry.ID
    verdict: Verdict
    note: str


@private_input
class CloseDisclosureCaseInput:
    """The case to end."""

    id: strawberry.ID


@private_input
class AssignDisclosureCaseInput:
    """The case, and the work name of the privacy officer who is to have it in hand."""

    id: strawberry.ID
    officer: str


@private_input
class ChoosePublicDisclosureInput:
    """What may be made public in one manner, in place of what was chosen before; nothing: nothing may.

    `user`: a guardian's ward, by default the caller.
    """

    manner: PublicManner
    items: list[PublicItem]
    user: strawberry.ID | None = None


@private_input
class AgreeToTransferInput:
    """What an organization that asks may take over, in place of what was agreed before; nothing: nothing may.

    `recipient`: its code. `user`: a guardian's ward, by default the caller.
    """

    recipient: str
    categories: list[Category]
    user: strawberry.ID | None = None


@strawberry.type
class DisclosureWrites:
    """The root fields about disclosures. Each counts from the next read on."""

    @write()
    async def open_disclosure_case(
        self,
        info: Info,
        input: OpenDisclosureCaseInput,  # noqa: A002 - GraphQL's name
    ) -> OpenDisclosureCasePayload:
        """Open a case under a lawful exception; nothing is shown by it until another officer approves it (C25)."""
        document, secrecy = input.document, input.secrecy
        asked = disclosures.Asked(
            kind=input.kind,
            persons=[row_under(one, NodeType.USER, argument="users") for one in input.users],
            categories=input.categories,
            expires_at=input.expires_at,
            exception=input.exception,
            authority=input.authority,
            recipient=input.recipient,
            document=None if document is None else (document.kind, document.reference, document.filed),
            justification=input.justification,
            basis=input.basis,
            undertaking=input.undertaking,
            manner=input.manner,
            items=input.items,
            secrecy=None if secrecy is None else (datetime.combine(secrecy.until, time(), SHANGHAI), secrecy.ground),
            numbers=input.id_numbers,
        )
        return _standing(info.context, await disclosures.open_case(info.context, asked))

    @write()
    async def review_disclosure_case(
        self,
        info: Info,
        input: ReviewDisclosureCaseInput,  # noqa: A002 - as above
    ) -> ReviewDisclosureCasePayload:
        """Approve or reject a case that another officer opened (C45)."""
        found = await disclosures.review_case(info.context, input.id, input.verdict, input.note)
        return _standing(info.context, found)

    @write()
    async def close_disclosure_case(
        self,
        info: Info,
        input: CloseDisclosureCaseInput,  # noqa: A002 - as above
    ) -> CloseDisclosureCasePayload:
        """End a case before its time (C25)."""
        return _standing(info.context, await disclosures.close_case(info.context, input.id))

    @write()
    async def assign_disclosure_case(
        self,
        info: Info,
        input: AssignDisclosureCaseInput,  # noqa: A002 - as above
    ) -> AssignDisclosureCasePayload:
        """Put a case into the hands of one privacy officer, and out of everybody else's (C46)."""
        return _standing(info.context, await disclosures.assign_case(info.context, input.id, input.officer))

    @write()
    async def choose_public_disclosure(
        self,
        info: Info,
        input: ChoosePublicDisclosureInput,  # noqa: A002 - as above
    ) -> ChoosePublicDisclosurePayload | None:
        """Choose what of oneself may be made public, item by item, and in which manner (C44)."""
        user = None if input.user is None else row_under(input.user, NodeType.USER, argument="user")
        work = partial(disclosures.choose_public, info.context, user, input.manner, input.items)
        return await written(info.context, work, User)

    @write()
    async def agree_to_transfer(
        self,
        info: Info,
        input: AgreeToTransferInput,  # noqa: A002 - as above
    ) -> AgreeToTransferPayload | None:
        """Agree that a successor, or whoever data are handed over to, gets some categories of one's data (C42, C43)."""
        user = None if input.user is None else row_under(input.user, NodeType.USER, argument="user")
        work = partial(disclosures.agree_to_transfer, info.context, user, input.recipient, input.categories)
        return await written(info.context, work, User)


def _standing(context: Write, found: Case | Problem) -> DisclosureCaseStanding | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    return DisclosureCaseStanding(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        state=found.state(context.reader.clock()),
        persons=found.persons,
        frozen=found.frozen,
    )
