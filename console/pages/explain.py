"""The four questions: why this answer, what can a role reach, who can reach a field, which decisions there were."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from console.asking import Problem, Refused
from console.frame import Page, page
from console.matrix import BASES, RELATIONS
from console.pages.fields import catalogue_of
from models.vocabulary import Purpose, Role

ADDRESS = "/console/explain"
_ROLES = (Role.SECURITY_ADMIN, Role.AUDITOR, Role.DEVELOPER)
_WATCHING = (Role.SECURITY_ADMIN, Role.AUDITOR)
_PAGE = 25
_PAIRS = (1, 2)
"""How many pairs the form offers to hold at once."""
_QUESTIONS = ("why", "decision", "reach", "who", "decisions")


async def _explain(found: Page) -> Response:
    """The forms of all questions, and the answer to the one that was asked: a question changes nothing."""
    asked = found.given("ask")
    answer: Any = None
    problem: Problem | None = None
    if asked in _QUESTIONS:
        try:
            answer = await _ASK[asked](found)
        except Refused as refused:
            problem = refused.problem
        if answer is None and problem is None:
            problem = Problem("", found.say("explain.nothing"))
    catalogue = catalogue_of(found)
    names = (
        "role",
        "purpose",
        "coordinate",
        "decision",
        "effect",
        *(f"{word}{at}" for word in ("relation", "basis") for at in _PAIRS),
    )
    return found.render(
        "explain.html",
        status=400 if problem else 200,
        problem=problem,
        asked=asked,
        answer=answer,
        given={name: found.given(name) for name in names},
        roles=list(Role),
        purposes=list(Purpose),
        coordinates=[*catalogue, *sorted(catalogue.writes | catalogue.counts)],
        relations=RELATIONS[1:],
        bases=BASES[1:],
        pairs=_PAIRS,
        watches=found.role in _WATCHING,
    )


async def _why(found: Page) -> Any:  # noqa: ANN401 - as the API answers
    held = [{"relation": found.given(f"relation{at}"), "basis": found.given(f"basis{at}")} for at in _PAIRS]
    pairs = [one for one in held if one["relation"] and one["basis"]]
    return (await found.ask("Explain", **_subject(found), coordinate=found.given("coordinate"), pairs=pairs))["explain"]


async def _decision(found: Page) -> Any:  # noqa: ANN401 - as above
    return (await found.ask("ExplainDecision", decision=found.given("decision")))["explainDecision"]


async def _reach(found: Page) -> Any:  # noqa: ANN401 - as above
    return (await found.ask("Reach", **_subject(found)))["reach"]


async def _who(found: Page) -> Any:  # noqa: ANN401 - as above
    return (await found.ask("WhoCanReach", coordinate=found.given("coordinate")))["whoCanReach"]


async def _decisions(found: Page) -> Any:  # noqa: ANN401 - as above
    wanted = {
        "role": found.given("role") or None,
        "purpose": found.given("purpose").upper() or None,
        "coordinate": found.given("coordinate") or None,
        "effect": found.given("effect") or None,
        "after": found.given("after") or None,
    }
    given = {name: one for name, one in wanted.items() if one}
    return (await found.ask("RecentDecisions", first=_PAGE, **given))["recentDecisions"]


def _subject(found: Page) -> dict[str, str]:
    return {"role": found.given("role"), "purpose": found.given("purpose").upper()}


_ASK = {"why": _why, "decision": _decision, "reach": _reach, "who": _who, "decisions": _decisions}

ROUTES = (Route(ADDRESS, page(_explain, *_ROLES), methods=["GET"]),)
