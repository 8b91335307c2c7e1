"""GraphiQL: the page a browser gets at the endpoint, and its files; nothing is fetched from any other host."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

_FOLDER = Path(__file__).parent / "assets"
_PATH = "/graphql/assets"
_FILES = (
    "graphiql.min.css",
    "graphiql.min.js",
    "page.css",
    "page.js",
    "react-dom.production.min.js",
    "react.production.min.js",
)
_DIALOG_STYLE = "'sha256-Y/huXlwoYkVyQlxwSVcCi1RCDGDCSVBzDt0hYP9qlTc='"
"""The one style that GraphiQL writes into the page: nothing scrolls behind its open dialog."""

_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {_DIALOG_STYLE}; font-src data:; img-src data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-cache",
    "Vary": "Accept",
}


def wants_page(request: Request) -> bool:
    """Is this a browser that opens the endpoint, not a client that asks it?"""
    accept = request.headers.get("accept", "").lower()
    return request.method == "GET" and "text/html" in accept and "json" not in accept


def page(*, demo: bool) -> Response:
    """The page; only in demo mode does it take a token from the fragment of its address."""
    return HTMLResponse(_page(demo=demo), headers=_HEADERS)


@cache
def _page(*, demo: bool) -> str:
    text = (_FOLDER / "page.html").read_text().replace("{demo}", "true" if demo else "false")
    for name in _FILES:
        version = hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()[:12]
        text = text.replace("{" + name + "}", f"{_PATH}/{name}?v={version}")
    return text


def _asset(request: Request) -> Response:
    """One of the page's files. Its address carries a hash of its content, so it may be kept for good."""
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(status_code=404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(_FOLDER / name, headers=headers)


ASSETS = Route(f"{_PATH}/{{name}}", _asset)
