"""Verification cases, for who opened them and who has them in hand; their data are read through the rules (C11)."""

from collections.abc import Sequence
from typing import Any

from authz.vocabulary import Reason
from models.global_ids import NodeType, to_global
from models.vocabulary import Purpose, Role
from privacy.verification import NEEDED, Case, Result, cases, results_of
from resolvers.asides import Question, RootAside
from resolvers.paging import LARGEST_PAGE
from resolvers.problems import bad_input
from resolvers.times import in_shanghai

USUAL_PAGE = 20
_CASES = "Query.verificationCases"
_WEIGHT = 500
_OPENERS = {(Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING), (Role.BROKER_AGENT, Purpose.APPLICATION)}
_VERIFIERS = {(Role.RISK_ANALYST, Purpose.VERIFICATION), (Role.SERVICE_PROVIDER, Purpose.VERIFICATION)}


async def verification_cases(question: Question) -> Any:  # noqa: ANN401 - plain values
    """The caller's cases, the latest first. None for who opens and verifies none."""
    subject, place = question.subject, (question.subject.role, question.purpose)
    caller = subject.identity
    if question.narrowed or caller is None or place not in _OPENERS | _VERIFIERS:
        return None
    size: int = question.arguments.get("first", USUAL_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise bad_input("first", f"A page has 1 to {LARGEST_PAGE} entries.")
    is_open = question.arguments.get("open")
    question.notes.ask(_CASES, {"first": size, "open": is_open})
    found = await cases(question.fetch, caller, opened=place in _OPENERS, is_open=is_open, most=size)
    said = await results_of(question.fetch, [one.id for one in found])
    question.notes.tell(_CASES, (one.person for one in found))
    return [_case(one, said[one.id], subject.categories) for one in found]


VERIFICATION_CASES = RootAside(_CASES, verification_cases, LARGEST_PAGE, _WEIGHT)


def _case(one: Case, results: Sequence[Result], categories: int) -> dict[str, Any]:
    """`categories`: those of the token. What a source said is shown as far as these go, while the consent stands."""
    shown = [said for said in results if one.consented and NEEDED[said.aspect] & ~categories == 0]
    withheld = Reason.TOKEN_SCOPE if one.consented else Reason.BASIS
    claim, policy = one.matter.claim, one.matter.policy
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "user": to_global(NodeType.USER, one.person),
        "claim": claim and to_global(NodeType.CLAIM, claim),
        "policy": policy and to_global(NodeType.POLICY, policy),
        "aspects": [aspect.name for aspect in one.aspects],
        "source": one.source and one.source.name,
        "live": one.live,
        "openedAt": in_shanghai(one.opened_at),
        "closedAt": one.closed_at and in_shanghai(one.closed_at),
        "results": [_result(said) for said in shown],
        "withheld": withheld.name if len(shown) < len(results) else None,
    }


def _result(said: Result) -> dict[str, Any]:
    return {
        "aspect": said.aspect.name,
        "outcome": said.outcome.name,
        "note": said.note,
        "recordedAt": in_shanghai(said.recorded_at),
    }
