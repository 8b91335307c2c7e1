"""Archives asked for: a link is made for somebody who has just proved who they are (C64)."""

from uuid import UUID

from privacy.exports import Issued, issue, wait_for_another
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.writing.consents import person_meant
from resolvers.writing.identity import identified
from resolvers.writing.rights import bureau_of
from resolvers.writing.targets import not_found


async def request_export(write: Write, user: UUID | None, *, password: str | None) -> Issued | Problem:
    """Make a link to an archive about the caller or, by `user`, a ward.

    Problems: WRITE_DENIED, NOT_FOUND, IDENTITY_NOT_VERIFIED, TRY_LATER (after failures, or for too many a day).
    """
    found = await person_meant(write, user)
    refused = found if isinstance(found, Problem) else await identified(write, password)
    by = write.subject.person
    if refused or isinstance(found, Problem) or by is None:
        return refused or not_found()
    wait = await wait_for_another(write.connection, found.id, now=write.now)
    if wait is not None:
        message = "So many archives were asked for today that no more are made. Try again later."
        return Problem(ProblemCode.TRY_LATER, message, clause="C64", retry_after=wait)
    write.people.append(found.id)
    return await issue(bureau_of(write), found.id, by=by)
