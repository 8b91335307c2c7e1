"""Incidents: what happened, whom it befell, the authority's report, and letters to those affected (C62, C63)."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from models.global_ids import NodeType, to_global
from models.incidents import Severity
from models.vocabulary import Category
from privacy.incidents import Incident as FoundIncident
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import incidents
from schema.access import IncidentInput
from schema.fields import edge, private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]

strawberry.enum(Severity, name="IncidentSeverity")


@strawberry.type
class IncidentCategory:
    """Of how many persons data of a category left, in clear and in part."""

    category: Category = public()
    in_clear: int = public()
    in_part: int = public()


@strawberry.type
class Incident:
    """One incident; persons are counted and not named. Whom it befell: `affectedPersons`."""

    id: strawberry.ID = public()
    drill: bool = public()
    severity: Severity = public()
    facts: str = public()
    impact: str | None = public()
    measures: str | None = public()
    advice: str | None = public()
    noticed_at: datetime = public()
    opened_at: datetime = public()
    report_due_at: datetime = public()
    reported_at: datetime | None = public()
    letters_due_at: datetime = public()
    letters_at: datetime | None = public()
    withheld_at: datetime | None = public()
    withheld_reason: str | None = public()
    closed_at: datetime | None = public()
    persons: int = public()
    stand_ins: int = public(description="Beneficiaries, reporters and payees who are no users.")
    no_longer_known: int = public(description="Erased since.")
    pending: int = public(description="Rows of the ledger, of any time, that are not sealed or read yet.")
    categories: list[IncidentCategory] = edge()
    letters: int = public()
    shown: int = public(description="Letters to persons with an account.")
    relayed: int = public(description="Letters for the post.")
    acknowledged: int = public()
    report: str = public(description="To the authority, in Markdown.")


@strawberry.type
class Letter:
    """What one is told of an incident: facts, impact, measures, and which data of one's own it concerns."""

    id: strawberry.ID = public()
    user: strawberry.ID | None = public(description="Whom it is about: oneself or a ward.")
    written_at: datetime = public()
    acknowledged_at: datetime | None = public()
    first: datetime = public()
    last: datetime = public()
    facts: str = public()
    impact: str = public()
    measures: str = public()
    advice: str = public()
    categories: list[Category] = public(description="Shown in clear.")
    masked: list[Category] = public(description="Shown in part.")
    changed: bool = public()
    text: str = public(description="The whole letter, in Chinese.")
    english: str = public(description="The same in English.")


@strawberry.type
class IncidentStanding:
    """How an incident stands after a write."""

    id: strawberry.ID = public()
    drill: bool = public()
    report_due_at: datetime = public()
    reported_at: datetime | None = public()
    letters_due_at: datetime = public()
    letters_at: datetime | None = public()
    withheld_at: datetime | None = public()
    closed_at: datetime | None = public()


@strawberry.type
class LetterAcknowledged:
    """A letter that has been read."""

    id: strawberry.ID = public()
    acknowledged_at: datetime = public()


OpenIncidentPayload = Annotated[IncidentStanding | AnyProblem, strawberry.union("OpenIncidentPayload")]
DescribeIncidentPayload = Annotated[IncidentStanding | AnyProblem, strawberry.union("DescribeIncidentPayload")]
ReportIncidentPayload = Annotated[IncidentStanding | AnyProblem, strawberry.union("ReportIncidentPayload")]
SendIncidentLettersPayload = Annotated[IncidentStanding | AnyProblem, strawberry.union("SendIncidentLettersPayload")]
WithholdIncidentLettersPayload = Annotated[
    IncidentStanding | AnyProblem, strawberry.union("WithholdIncidentLettersPayload")
]
CloseIncidentPayload = Annotated[IncidentStanding | AnyProblem, strawberry.union("CloseIncidentPayload")]
AcknowledgeLetterPayload = Annotated[LetterAcknowledged | AnyProblem, strawberry.union("AcknowledgeLetterPayload")]


@private_input
class OpenIncidentInput:
    """What happened, how grave it is, and by which rows of the ledger it is known. No word of it names a person."""

    facts: str
    severity: Severity
    noticed_at: datetime
    rows: IncidentInput
    impact: str | None = None
    measures: str | None = None
    advice: str | None = None
    drill: bool = False


@private_input
class DescribeIncidentInput:
    """What it may do to those affected, what is done against it, and what they can do. What is left out stays."""

    id: strawberry.ID
    impact: str | None = None
    measures: str | None = None
    advice: str | None = None


@private_input
class ReportIncidentInput:
    """Under which reference the authority has the report."""

    id: strawberry.ID
    reference: str


@private_input
class SendIncidentLettersInput:
    """An incident whose impact, measures and advice are described."""

    id: strawberry.ID


@private_input
class WithholdIncidentLettersInput:
    """Why measures avoid the harm, so that nobody need be told."""

    id: strawberry.ID
    reason: str


@private_input
class CloseIncidentInput:
    """An incident that is reported, and whose letters are sent or withheld."""

    id: strawberry.ID


@private_input
class AcknowledgeLetterInput:
    """A letter of one's own, or of a ward."""

    id: strawberry.ID


@strawberry.type
class IncidentWrites:
    """The root fields about incidents and letters."""

    @write()
    async def open_incident(
        self,
        info: Info,
        input: OpenIncidentInput,  # noqa: A002 - GraphQL's name
    ) -> OpenIncidentPayload:
        """Open an incident, or a drill; whom it befell is read from the ledger until it is closed (C62, C63)."""
        texts = {"facts": input.facts, **_texts(input)}
        found = await incidents.open_incident(
            info.context, _rows(input.rows), input.severity, input.noticed_at, texts=texts, drill=input.drill
        )
        return _standing(info.context, found)

    @write()
    async def describe_incident(
        self,
        info: Info,
        input: DescribeIncidentInput,  # noqa: A002 - as above
    ) -> DescribeIncidentPayload:
        """Say more of an incident, until its letters are written (C63)."""
        return _standing(info.context, await incidents.describe(info.context, input.id, _texts(input)))

    @write()
    async def report_incident(
        self,
        info: Info,
        input: ReportIncidentInput,  # noqa: A002 - as above
    ) -> ReportIncidentPayload:
        """Record that the authority has the report (C63)."""
        return _standing(info.context, await incidents.report(info.context, input.id, input.reference))

    @write()
    async def send_incident_letters(
        self,
        info: Info,
        input: SendIncidentLettersInput,  # noqa: A002 - as above
    ) -> SendIncidentLettersPayload:
        """Write the letters; those of a drill are shown to nobody. For privacy officers (C63)."""
        return _standing(info.context, await incidents.send(info.context, input.id))

    @write()
    async def withhold_incident_letters(
        self,
        info: Info,
        input: WithholdIncidentLettersInput,  # noqa: A002 - as above
    ) -> WithholdIncidentLettersPayload:
        """Decide that nobody is told, where the law lets one. For privacy officers (C63)."""
        return _standing(info.context, await incidents.withhold(info.context, input.id, input.reason))

    @write()
    async def close_incident(
        self,
        info: Info,
        input: CloseIncidentInput,  # noqa: A002 - as above
    ) -> CloseIncidentPayload:
        """Close an incident; a drill stands in the register by it (C62, C63)."""
        return _standing(info.context, await incidents.close(info.context, input.id))

    @write()
    async def acknowledge_letter(
        self,
        info: Info,
        input: AcknowledgeLetterInput,  # noqa: A002 - as above
    ) -> AcknowledgeLetterPayload:
        """Say that one has read a letter (C63)."""
        found = await incidents.acknowledge(info.context, input.id)
        if isinstance(found, Problem):
            return told(info.context, found)
        return LetterAcknowledged(
            id=strawberry.ID(to_global(NodeType.RECORD, found.id)), acknowledged_at=in_shanghai(found.at)
        )


def _texts(given: OpenIncidentInput | DescribeIncidentInput) -> dict[str, str | None]:
    return {"impact": given.impact, "measures": given.measures, "advice": given.advice}


def _rows(given: IncidentInput) -> dict[str, Any]:
    """As arguments of a query come."""
    told = {name: value for name, value in vars(given).items() if value is not None}
    return {name.removesuffix("_"): value for name, value in told.items()}


def _standing(context: Write, found: FoundIncident | Problem) -> IncidentStanding | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    return IncidentStanding(
        id=strawberry.ID(to_global(NodeType.RECORD, found.id)),
        drill=found.drill,
        report_due_at=in_shanghai(found.report_due_at),
        reported_at=found.reported_at and in_shanghai(found.reported_at),
        letters_due_at=in_shanghai(found.letters_due_at),
        letters_at=found.letters_at and in_shanghai(found.letters_at),
        withheld_at=found.withheld_at and in_shanghai(found.withheld_at),
        closed_at=found.closed_at and in_shanghai(found.closed_at),
    )
