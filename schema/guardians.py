"""Guardian links, and the cases of minors whose data are held without one (C71-C73)."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from models.global_ids import NodeType, to_global
from models.guardian_links import EvidenceKind, LinkState
from models.minor_cases import MinorOutcome
from models.people import IdType
from models.rulesets import Verdict
from privacy.guardians import Decided, Document
from resolvers.payloads import Problem, Write
from resolvers.writing import guardians
from schema.fields import private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]

strawberry.enum(EvidenceKind, name="GuardianEvidence")
strawberry.enum(LinkState, name="GuardianLinkState")
strawberry.enum(MinorOutcome)


@strawberry.type
class GuardianLink:
    """A guardian's link to a child, or the request for one. It tells who only by ids, and those only to the two."""

    id: strawberry.ID = public()
    state: LinkState = public()
    guardian: strawberry.ID | None = public(description="Of a User; null for whoever decides.")
    child: strawberry.ID | None = public(description="Of a User, once the link is made; null for whoever decides.")
    evidence: EvidenceKind | None = public()
    reference: str | None = public(description="Where the document is filed; null for the child.")
    requested_at: datetime | None = public()
    verified_at: datetime | None = public()
    ended_at: datetime | None = public()
    note: str | None = public(description="What whoever decided has to say; null for the child.")


@strawberry.type
class MinorCase:
    """A minor whose data are held without a guardian's verifiable consent (C72); `user` opens as the rules show."""

    id: strawberry.ID = public()
    user: strawberry.ID = public()
    opened_at: datetime = public()
    due_at: datetime = public()
    overdue: bool = public()
    closed_at: datetime | None = public()
    outcome: MinorOutcome | None = public()


@strawberry.type
class GuardianLinkStanding:
    """How a link stands after a write."""

    id: strawberry.ID = public()
    state: LinkState = public()


RequestGuardianLinkPayload = Annotated[
    GuardianLinkStanding | AnyProblem, strawberry.union("RequestGuardianLinkPayload")
]
VerifyGuardianLinkPayload = Annotated[GuardianLinkStanding | AnyProblem, strawberry.union("VerifyGuardianLinkPayload")]
RevokeGuardianLinkPayload = Annotated[GuardianLinkStanding | AnyProblem, strawberry.union("RevokeGuardianLinkPayload")]


@private_input
class GuardianChildInput:
    """A child as their document names them; `birthDate` where its number does not tell it."""

    name: str
    id_type: IdType = IdType.RESIDENT_ID
    id_number: str
    birth_date: date | None = None


@private_input
class GuardianEvidenceInput:
    """The document that shows it, and where it is filed: no name and no number of a person."""

    kind: EvidenceKind
    reference: str


@private_input
class RequestGuardianLinkInput:
    """Whose guardian one is, and the document that shows it."""

    child: GuardianChildInput
    evidence: GuardianEvidenceInput


@private_input
class GuardianDocumentInput:
    """What stands in the document that one has seen; the birth date of whose number tells none."""

    guardian_name: str
    guardian_id_number: str
    child_name: str
    child_id_number: str
    guardian_birth_date: date | None = None
    child_birth_date: date | None = None


@private_input
class VerifyGuardianLinkInput:
    """`document`: needed to approve."""

    id: strawberry.ID
    verdict: Verdict
    document: GuardianDocumentInput | None = None
    note: str | None = None


@private_input
class RevokeGuardianLinkInput:
    """A link, or a request that waits."""

    id: strawberry.ID


@strawberry.type
class GuardianWrites:
    """The root fields about guardian links. Each counts from the next read or write on."""

    @write()
    async def request_guardian_link(
        self,
        info: Info,
        input: RequestGuardianLinkInput,  # noqa: A002 - GraphQL's name
    ) -> RequestGuardianLinkPayload:
        """Ask to be known as a child's guardian; the answer does not tell whether the child is on record (C73)."""
        child = guardians.Asked(input.child.name, input.child.id_type, input.child.id_number, input.child.birth_date)
        found = await guardians.request(info.context, child, input.evidence.kind, input.evidence.reference)
        return _standing(info.context, found)

    @write()
    async def verify_guardian_link(
        self,
        info: Info,
        input: VerifyGuardianLinkInput,  # noqa: A002 - as above
    ) -> VerifyGuardianLinkPayload:
        """Decide on a request, having seen the document; for privacy officers (C71, C73)."""
        seen, document = input.document, None
        if seen is not None:
            born, child_born = seen.guardian_birth_date, seen.child_birth_date
            document = Document(
                seen.guardian_name,
                seen.guardian_id_number,
                seen.child_name,
                seen.child_id_number,
                None if born is None else born.isoformat(),
                None if child_born is None else child_born.isoformat(),
            )
        found = await guardians.verify(info.context, input.id, input.verdict, document=document, note=input.note)
        return _standing(info.context, found)

    @write()
    async def revoke_guardian_link(
        self,
        info: Info,
        input: RevokeGuardianLinkInput,  # noqa: A002 - as above
    ) -> RevokeGuardianLinkPayload:
        """End a link: the guardian, the child once of age, or a privacy officer (C71, C73)."""
        return _standing(info.context, await guardians.revoke(info.context, input.id))


def _standing(context: Write, found: Decided | Problem) -> GuardianLinkStanding | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    return GuardianLinkStanding(id=strawberry.ID(to_global(NodeType.RECORD, found.id)), state=found.state)
