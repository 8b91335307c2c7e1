"""Corrections applied: a recipient of an earlier value says that it has put its own record right (C64)."""

from privacy.correction_handovers import Acknowledged, acknowledge
from resolvers.payloads import Problem, ProblemCode, Write
from resolvers.rulesets import record_named
from resolvers.writing.targets import out_of_question, without_target


async def acknowledge_correction(write: Write, named: str) -> Acknowledged | Problem:
    """Say that a correction is applied; said again it is the same. Problems: WRITE_DENIED, CORRECTION_UNKNOWN."""
    refused = out_of_question(write) or without_target(write)
    if refused:
        return refused
    organization, correction = write.subject.organization, record_named(named)
    found = None
    if organization is not None and correction is not None:
        found = await acknowledge(write.connection, organization, correction, now=write.now)
    if found is None:
        message = "There is no such correction for you. Use an id as `correctionsToApply` gives it."
        return Problem(ProblemCode.CORRECTION_UNKNOWN, message, field="id", clause="C64")
    write.people.append(found.person)
    return found
