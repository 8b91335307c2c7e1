"""The addresses of the console."""

from starlette.responses import Response
from starlette.routing import Route

from console import assets
from console.frame import HOME, NAVIGATION, ROLES, Page, page
from console.pages import drafts, explain, fields, glass, history, login, matrix, review


async def _home(found: Page) -> Response:
    """To the first page that is for whoever visits."""
    first = next(name for name, roles in NAVIGATION if found.role in roles)
    return found.go(f"{HOME}/{first}")


def routes() -> list[Route]:
    """All of them; what their pages are made with is the application's `state.console`."""
    return [
        Route(HOME, page(_home, *ROLES), methods=["GET"]),
        assets.ROUTE,
        *login.ROUTES,
        *matrix.ROUTES,
        *drafts.ROUTES,
        *history.ROUTES,
        *explain.ROUTES,
        *review.ROUTES,
        *glass.ROUTES,
        *fields.ROUTES,
    ]
