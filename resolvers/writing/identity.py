"""The identity check before a right of a person is used, as a problem that says how to pass it (C64, C65, C69)."""

from collections.abc import Mapping

from privacy.identity import Doubt, Proof, check_identity
from resolvers.payloads import Problem, ProblemCode, Write

_MESSAGES: Mapping[Doubt, str] = {
    Doubt.NOT_PROVED: "Prove who you are: give your password again, or a code of your second factor (`stepUp`) first.",
    Doubt.PASSWORD_WRONG: "The password is wrong.",
    Doubt.SECOND_FACTOR: "You have a second factor: give a code of it (`stepUp`), and send this again.",
    Doubt.TOO_EARLY: "There were failures before. Wait, then try again.",
}


async def identified(write: Write, password: str | None) -> Problem | None:
    """None: it is them. Otherwise IDENTITY_NOT_VERIFIED, or TRY_LATER after failures."""
    proof = Proof(write.accounts.hasher, write.accounts.patience)
    doubted = await check_identity(write.connection, write.subject, password, proof=proof, now=write.now)
    if doubted is None:
        return None
    early = doubted.doubt is Doubt.TOO_EARLY
    code = ProblemCode.TRY_LATER if early else ProblemCode.IDENTITY_NOT_VERIFIED
    clause = "C50" if early else "C64"
    return Problem(code, _MESSAGES[doubted.doubt], field="password", clause=clause, retry_after=doubted.retry_after)
