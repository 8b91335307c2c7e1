"""What was published, by whom and why, and the way back to an earlier ruleset (C46)."""

from starlette.responses import Response
from starlette.routing import Route

from console.asking import Problem
from console.frame import EDITORS, WATCHERS, Page, page
from console.rulesets import number_in

ADDRESS = "/console/history"
_PAGE = 50


async def _history(found: Page, *, problem: object = None) -> Response:
    before = number_in(found.http.query_params.get("before", ""))
    rulesets = (await found.ask("Rulesets", first=_PAGE, before=before))["rulesets"]
    earlier = rulesets[-1]["number"] if rulesets and rulesets[-1]["number"] > 1 else None
    status = 400 if problem else 200
    return found.render("history.html", status=status, problem=problem, rulesets=rulesets, earlier=earlier)


async def _roll_back(found: Page) -> Response:
    """Propose an earlier ruleset again; others review it as any other."""
    number = number_in(found.form.get("to", ""))
    if number is None:
        return await _history(found, problem=found.say("refusal.form"))
    begun = await found.ask.write("RollBackRules", {"to": number, "reason": found.form.get("reason", "")})
    if isinstance(begun, Problem):
        return await _history(found, problem=begun)
    return found.go(f"/console/drafts/{begun['id']}/approval", done="proposed")


ROUTES = (
    Route(ADDRESS, page(_history, *WATCHERS), methods=["GET"]),
    Route(ADDRESS, page(_roll_back, *EDITORS), methods=["POST"]),
)
