"""The console's files: each address carries a hash of its content, so it may be kept for good.

Pico and what this console says beside it are served as one style sheet: a page that had only the first of two would ask
for Pico's icons, which stand in `data:` addresses that its policy forbids.
"""

import hashlib
from functools import cache
from mimetypes import guess_type
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/console/assets"
_FOLDER = Path(__file__).parent / "assets"
_FILES = {
    "style.css": ("pico.min.css", "console.css"),
    "console.js": ("console.js",),
    "check.svg": ("check.svg",),
    "chevron.svg": ("chevron.svg",),
}
"""What is served, and the files that it consists of."""
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
_ASKED_AGAIN = {"Cache-Control": "no-cache"}


@cache
def address(name: str) -> str:
    """Where a file is, with its content's hash."""
    return f"{PATH}/{name}?v={_version(name)}"


@cache
def _content(name: str) -> bytes:
    return b"\n".join((_FOLDER / part).read_bytes() for part in _FILES[name])


@cache
def _version(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:12]


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(status_code=404)
    named = request.query_params.get("v") == _version(name)
    return Response(_content(name), media_type=guess_type(name)[0], headers=_KEPT if named else _ASKED_AGAIN)


ROUTE = Route(f"{PATH}/{{name}}", _asset, methods=["GET"])
