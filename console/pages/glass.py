"""Breaking the glass: for whom, why and for how long, and what somebody else says of it afterwards (C46, C55)."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.routing import Route

from console.asking import Problem
from console.forms import between
from console.frame import EDITORS, WATCHERS, Page, page
from models.vocabulary import Category, Purpose, Role

ADDRESS = "/console/glass"
_PAGE = 50
_LARGEST = 9999
_REVIEWERS = (Role.SECURITY_ADMIN, Role.PRIVACY_OFFICER)


async def _glasses(found: Page, *, problem: object = None) -> Response:
    glasses = (await found.ask("BrokenGlasses", first=_PAGE))["brokenGlasses"]
    return found.render(
        "glass.html",
        status=400 if problem else 200,
        problem=problem,
        glasses=glasses,
        reviews=found.role in _REVIEWERS,
        purposes=list(Purpose),
        categories=list(Category),
        given=found.form,
        chosen=found.form.get("categories", "").split("\n"),
    )


async def _break(found: Page) -> Response:
    """Open it for a named person."""
    form = found.form
    given = {
        "username": form.get("username", "").strip(),
        "purpose": form.get("purpose", "").upper(),
        "categories": [one.upper() for one in form.get("categories", "").split("\n") if one],
        "reason": form.get("reason", ""),
        "minutes": between(form.get("minutes", ""), 1, _LARGEST) or 0,
    }
    return await _acted(found, "BreakGlass", given, "broken")


async def _end(found: Page) -> Response:
    return await _acted(found, "EndGlass", {"glass": found.form.get("glass", "")}, "ended")


async def _review(found: Page) -> Response:
    given = {name: found.form.get(name, "") for name in ("glass", "verdict", "note")}
    return await _acted(found, "ReviewGlass", given, "reviewed")


async def _acted(found: Page, document: str, given: Mapping[str, object], done: str) -> Response:
    came = await found.ask.write(document, given)
    return await _glasses(found, problem=came) if isinstance(came, Problem) else found.go(ADDRESS, done=done)


ROUTES = (
    Route(ADDRESS, page(_glasses, *WATCHERS), methods=["GET"]),
    Route(ADDRESS, page(_break, *EDITORS), methods=["POST"]),
    Route(f"{ADDRESS}/end", page(_end, *EDITORS), methods=["POST"]),
    Route(f"{ADDRESS}/review", page(_review, *_REVIEWERS), methods=["POST"]),
)
