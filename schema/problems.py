"""Problems: why a write did nothing, as a value in its payload that a client can act on."""

import strawberry

from resolvers.payloads import Problem as Found
from resolvers.payloads import ProblemCode, Write
from schema.fields import public

strawberry.enum(ProblemCode)


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
    """The caller is not let in, or not that far."""


@strawberry.type
class TryLaterProblem(Problem):
    """Too soon after failures: `retryAfter` is in seconds."""

    retry_after: int = public()


AnyProblem = InputProblem | AccessProblem | TryLaterProblem


def told(write: Write, found: Found) -> AnyProblem:
    """A problem as the payload holds it; the ledger row of the write keeps its code."""
    write.refused = found.code
    words = {
        "code": found.code,
        "message": found.message,
        "field": found.field,
        "clause": found.clause,
        "consequence": found.consequence,
    }
    if found.retry_after is not None:
        return TryLaterProblem(**words, retry_after=found.retry_after)  # type: ignore[arg-type]
    return AccessProblem(**words) if found.field is None else InputProblem(**words)  # type: ignore[arg-type]
