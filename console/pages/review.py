"""The access review: every grant and whether it is used; what is decided of it (C56)."""

from starlette.responses import Response
from starlette.routing import Route

from authz.reviews import MOST_DAYS, USUAL_UNUSED_DAYS, GrantState
from console.asking import Problem
from console.forms import between
from console.frame import EDITORS, Page, page
from models.vocabulary import Role

_ADDRESS = "/console/review"
_RECERTIFIED_DAYS = 180
_ACTS = {"recertify": "RecertifyGrant", "lapse": "LapseGrant", "restore": "RestoreGrant"}


async def _review(found: Page, problem: Problem | None = None) -> Response:
    unused = between(found.http.query_params.get("days", ""), 1, MOST_DAYS) or USUAL_UNUSED_DAYS
    state, holder = found.http.query_params.get("state", ""), found.http.query_params.get("holder", "").strip()
    grants = (await found.ask("AccessReview", days=unused))["accessReview"]
    return found.render(
        "review.html",
        status=400 if problem else 200,
        problem=problem,
        states=[one.value for one in GrantState],
        state=state,
        holder=holder,
        days=unused,
        grants=[one for one in grants if state in ("", one["state"]) and holder in ("", one["holder"])],
    )


async def _decide(found: Page) -> Response:
    act = found.form.get("act", "")
    given: dict[str, object] = {name: found.form.get(name, "") for name in ("holder", "purpose", "category")}
    if act == "recertify":
        given["days"] = _RECERTIFIED_DAYS
    if act not in _ACTS:
        raise found.refused(400, "BAD_REQUEST", "refusal.form")
    decided = await found.ask.write(_ACTS[act], given)
    return await _review(found, decided) if isinstance(decided, Problem) else found.go(_ADDRESS, done="decided")


ROUTES = (
    Route(_ADDRESS, page(_review, Role.SECURITY_ADMIN, Role.AUDITOR), methods=["GET"]),
    Route(_ADDRESS, page(_decide, *EDITORS), methods=["POST"]),
)
