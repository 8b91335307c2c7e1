"""Problems: why a write did nothing, as a value in its payload that a client can act on."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import strawberry

from authz.vocabulary import Reason
from resolvers.payloads import Problem as Found
from resolvers.payloads import ProblemCode, Write, Written
from resolvers.writing.once import done_once
from schema.fields import public

_Noun = TypeVar("_Noun")

strawberry.enum(ProblemCode)
strawberry.enum(Reason)


@strawberry.interface
class Problem:
    """What every problem says: what to do, under which clause of the privacy policy, and what follows from it."""

    code: ProblemCode = public()
    message: str = public()
    field: str | None = public()
    clause: str | None = public()
    consequence: str | None = public()


@strawberry.type
class InputProblem(Problem):
    """One input field (`field`) is missing, taken or not good enough."""


@strawberry.type
class AccessProblem(Problem):
    """The caller is not let in, or not that far; `reason`: why the rules refuse a write."""

    reason: Reason | None = public()


@strawberry.type
class TryLaterProblem(Problem):
    """Too soon after failures: `retryAfter` is in seconds."""

    retry_after: int = public()


@strawberry.type
class DataItem:
    """One data item: its path in the input, and the clause that speaks of it."""

    field: str = public()
    clause: str = public()


@strawberry.type
class CollectionProblem(Problem):
    """Data items are missing, or are none that may be collected here; `items` names every one (C04-C10)."""

    items: list[DataItem] = public()


@strawberry.type
class StateProblem(Problem):
    """The row has another version or status than the write needs; it is as it was. `allowed`: the statuses needed."""

    current_status: str | None = public()
    current_version: int = public()
    allowed: list[str] = public()


AnyProblem = InputProblem | AccessProblem | TryLaterProblem | CollectionProblem | StateProblem


def told(write: Write, found: Found) -> AnyProblem:
    """A problem as the payload holds it; the ledger row of the write keeps its code."""
    write.refused = found.code.value
    words = {
        "code": found.code,
        "message": found.message,
        "field": found.field,
        "clause": found.clause,
        "consequence": found.consequence,
    }
    if found.retry_after is not None:
        return TryLaterProblem(**words, retry_after=found.retry_after)  # type: ignore[arg-type]
    if found.standing is not None:
        at = found.standing
        return StateProblem(**words, current_status=at.status, current_version=at.version, allowed=list(at.allowed))  # type: ignore[arg-type]
    if found.items:
        items = [DataItem(field=one.field, clause=one.clause) for one in found.items]
        return CollectionProblem(**words, items=items)  # type: ignore[arg-type]
    if found.field is None or found.reason is not None:
        return AccessProblem(**words, reason=found.reason)  # type: ignore[arg-type]
    return InputProblem(**words)  # type: ignore[arg-type]


async def written(
    write: Write, work: Callable[[], Awaitable[Written | Found]], noun: type[_Noun]
) -> _Noun | AnyProblem:
    """The payload of a write: a problem, or a `noun` without anything in it, which the plan shows."""
    outcome = await done_once(write, work)
    if isinstance(outcome, Found):
        return told(write, outcome)
    write.written = outcome
    return object.__new__(noun)
