"""The root field `accessPreview`: what an operation would be shown, as the caller's own role; to developers as any."""

from typing import Any

from models.vocabulary import Purpose, Role
from resolvers.asides import Question, RootAside
from resolvers.field_access import Planner, Previewed
from resolvers.problems import bad_input

_PLACE = "Query.accessPreview"
_WEIGHT = 5_000
_ESTIMATE = 100


async def access_preview(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Each sensitive field of an operation and what it comes to. Raises what running it would be refused with."""
    given = question.arguments
    variables = given.get("variables", {})
    if not isinstance(variables, dict):
        raise bad_input("variables", "'variables' is an object: values by the names of the operation's variables.")
    purpose = Purpose[given["purpose"]]
    role = _role(question, given.get("asRole"))
    question.notes.ask(_PLACE, {"asRole": role.value, "purpose": purpose.value})
    own = role == question.subject.role and not may_ask_as_any(question)
    previewed = Previewed(
        document=given["document"],
        role=role,
        purpose=purpose,
        operation_name=given.get("operationName"),
        variables=variables,
        subject=question.subject if own else None,
    )
    return [one.said() for one in await planner_of(question).preview(previewed, question.snapshot)]


ACCESS_PREVIEW = RootAside(_PLACE, access_preview, _ESTIMATE, _WEIGHT)


def may_ask_as_any(question: Question) -> bool:
    """May the caller ask what other roles are shown? Rules are no secret to who writes for all of these."""
    return question.subject.role == Role.DEVELOPER and question.purpose == Purpose.ADMINISTRATION


def planner_of(question: Question) -> Planner:
    """What plans operations. Raises TypeError where a question was put together without it."""
    if question.planner is None:
        message = "a question about operations needs a planner"
        raise TypeError(message)
    return question.planner


def _role(question: Question, name: str | None) -> Role:
    """The role that is asked for. Raises BAD_USER_INPUT."""
    own = question.subject.role
    if name is None:
        return own
    if name not in list(Role):
        raise bad_input("asRole", f"A role is one of: {', '.join(Role)}.")
    if name != own and not may_ask_as_any(question):
        message = f"Only a developer, for administration, asks as another role. Leave 'asRole' out to ask as {own}."
        raise bad_input("asRole", message)
    return Role(name)
