"""Rules drafted, proposed, reviewed by others, published and rolled back (C46, C55, C56)."""

from typing import Annotated

import strawberry

from models.global_ids import NodeType, to_global
from models.rulesets import DraftState, Verdict
from resolvers.payloads import Problem, Write
from resolvers.writing import rulesets
from resolvers.writing.rulesets import Rows, Standing
from schema.fields import private_input, public, write
from schema.problems import AnyProblem, told

strawberry.enum(DraftState)
strawberry.enum(Verdict)

Info = strawberry.Info[Write, None]


@strawberry.type
class DraftStanding:
    """How a draft stands after a write. `approves` names what is proposed; a review names it back."""

    id: strawberry.ID = public()
    parent: int = public()
    state: DraftState = public()
    revision: int = public()
    widens: bool | None = public(description="Does it show anybody more of what the privacy officer watches?")
    approves: str | None = public()
    missing: str | None = public(description="Who has yet to approve it, in words; empty: it may be published.")


@strawberry.type
class RulesPublished:
    """The ruleset that is in force from now on; every worker has it within a second."""

    number: int = public()


# Any payload may hold any kind of problem: a new one breaks no client.
DraftRulesPayload = Annotated[DraftStanding | AnyProblem, strawberry.union("DraftRulesPayload")]
EditDraftPayload = Annotated[DraftStanding | AnyProblem, strawberry.union("EditDraftPayload")]
WithdrawDraftPayload = Annotated[DraftStanding | AnyProblem, strawberry.union("WithdrawDraftPayload")]
ProposeRulesPayload = Annotated[DraftStanding | AnyProblem, strawberry.union("ProposeRulesPayload")]
ReviewRulesPayload = Annotated[DraftStanding | AnyProblem, strawberry.union("ReviewRulesPayload")]
PublishRulesPayload = Annotated[RulesPublished | AnyProblem, strawberry.union("PublishRulesPayload")]
RollBackRulesPayload = Annotated[DraftStanding | AnyProblem, strawberry.union("RollBackRulesPayload")]


@private_input
class DraftRulesInput:
    """A draft against the ruleset in force. Rows are words in the order of the files; `cases` is JSON as read."""

    title: str
    reason: str
    add: list[list[str]] = strawberry.field(default_factory=list)
    remove: list[list[str]] = strawberry.field(default_factory=list)
    add_budgets: list[list[str]] = strawberry.field(default_factory=list)
    remove_budgets: list[list[str]] = strawberry.field(default_factory=list)
    cases: str | None = None


@private_input
class EditDraftInput:
    """What to change of a draft; rows are added to what it says now, and taken from that.

    `rebase`: first, its changes are made to the ruleset in force instead of its parent.
    """

    draft: strawberry.ID
    title: str | None = None
    reason: str | None = None
    rebase: bool = False
    add: list[list[str]] = strawberry.field(default_factory=list)
    remove: list[list[str]] = strawberry.field(default_factory=list)
    add_budgets: list[list[str]] = strawberry.field(default_factory=list)
    remove_budgets: list[list[str]] = strawberry.field(default_factory=list)
    cases: str | None = None


@private_input
class WithdrawDraftInput:
    """The draft that is given up."""

    draft: strawberry.ID


@private_input
class ProposeRulesInput:
    """The draft that is put before its reviewers."""

    draft: strawberry.ID


@private_input
class ReviewRulesInput:
    """A verdict on exactly what `approves` names, as the draft has it; somebody else's."""

    draft: strawberry.ID
    approves: str
    verdict: Verdict
    note: str = ""


@private_input
class PublishRulesInput:
    """The draft that enough people have approved."""

    draft: strawberry.ID


@private_input
class RollBackRulesInput:
    """The number of the ruleset whose rules, budgets and cases are to be in force again."""

    to: int
    reason: str


@strawberry.type
class RulesetWrites:
    """The root fields that change rules. Nothing is in force before two people have looked at exactly that."""

    @write()
    async def draft_rules(self, info: Info, input: DraftRulesInput) -> DraftRulesPayload:  # noqa: A002 - GraphQL's name
        """Begin a draft (C46)."""
        found = await rulesets.draft(
            info.context, title=input.title, reason=input.reason, rows=_rows(input), cases=input.cases
        )
        return _standing(info.context, found)

    @write()
    async def edit_draft(self, info: Info, input: EditDraftInput) -> EditDraftPayload:  # noqa: A002 - as above
        """Change a draft; what was proposed of it is void. Who edits it will not review it (C46)."""
        found = await rulesets.edit(
            info.context,
            input.draft,
            title=input.title,
            reason=input.reason,
            rebase=input.rebase,
            rows=_rows(input),
            cases=input.cases,
        )
        return _standing(info.context, found)

    @write()
    async def withdraw_draft(self, info: Info, input: WithdrawDraftInput) -> WithdrawDraftPayload:  # noqa: A002
        """Give a draft up (C46)."""
        return _standing(info.context, await rulesets.withdraw(info.context, input.draft))

    @write()
    async def propose_rules(self, info: Info, input: ProposeRulesInput) -> ProposeRulesPayload:  # noqa: A002
        """Put a draft before its reviewers: without an error among its findings, and with every case passing (C46)."""
        return _standing(info.context, await rulesets.propose(info.context, input.draft))

    @write()
    async def review_rules(self, info: Info, input: ReviewRulesInput) -> ReviewRulesPayload:  # noqa: A002
        """Approve or reject what somebody else proposed (C46)."""
        found = await rulesets.review(
            info.context, input.draft, approves=input.approves, verdict=input.verdict, note=input.note
        )
        return _standing(info.context, found)

    @write()
    async def publish_rules(self, info: Info, input: PublishRulesInput) -> PublishRulesPayload:  # noqa: A002
        """Put in force what was approved, exactly as it was (C46, C55)."""
        found = await rulesets.publish(info.context, input.draft)
        return told(info.context, found) if isinstance(found, Problem) else RulesPublished(number=found)

    @write()
    async def roll_back_rules(self, info: Info, input: RollBackRulesInput) -> RollBackRulesPayload:  # noqa: A002
        """Propose an earlier ruleset again, at once and without a report; it is reviewed like any other (C46)."""
        return _standing(info.context, await rulesets.roll_back(info.context, to=input.to, reason=input.reason))


def _rows(given: DraftRulesInput | EditDraftInput) -> Rows:
    return {
        "add": given.add,
        "remove": given.remove,
        "add_budgets": given.add_budgets,
        "remove_budgets": given.remove_budgets,
    }


def _standing(context: Write, found: Standing | Problem) -> DraftStanding | AnyProblem:
    if isinstance(found, Problem):
        return told(context, found)
    draft = found.draft
    return DraftStanding(
        id=strawberry.ID(to_global(NodeType.RECORD, draft.id)),
        parent=draft.parent,
        state=draft.state,
        revision=draft.revision,
        widens=draft.widens,
        approves=found.approves,
        missing=None if found.missing is None else found.missing.sentence,
    )
