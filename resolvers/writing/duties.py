"""That a duty was done, recorded by whoever of the staff sees to duties (C61, C62)."""

from datetime import date

from privacy.duties import DutyRefusal, Fact, Standing, record
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.writing.plain_words import plain_words
from resolvers.writing.targets import without_target

LONGEST_EVIDENCE = 200
_FIELDS = {
    DutyRefusal.DUTY_MEMBER: "member",
    DutyRefusal.MEMBER_UNKNOWN: "member",
    DutyRefusal.DAY_INVALID: "doneOn",
}


async def record_duty(
    write: Write, duty: str, evidence: str, *, done_on: date | None, member: str | None
) -> Standing | Problem:
    """Record it; `member`: a work name, for a duty of each member of staff; `done_on`: today, where it is left out."""
    refused = without_target(write)
    if refused:
        return refused
    words = plain_words(evidence, "evidence", LONGEST_EVIDENCE)
    if isinstance(words, Problem):
        return words
    fact = Fact(duty, done_on or write.today, words, str(write.subject.account), member)
    found = await record(write.connection, fact, now=write.now)
    if isinstance(found, DutyRefusal):
        return Problem(ProblemCode[found.name], found.message, field=_FIELDS.get(found, "duty"), clause="C61")
    return found
