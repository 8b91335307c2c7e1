"""The console's files: each address carries a hash of its content, so it may be kept for good."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

PATH = "/console/assets"
_FOLDER = Path(__file__).parent / "assets"
_FILES = ("pico.min.css", "console.css", "console.js", "check.svg", "chevron.svg")
_KEPT = {"Cache-Control": "public, max-age=31536000, immutable"}
_ASKED_AGAIN = {"Cache-Control": "no-cache"}


@cache
def address(name: str) -> str:
    """Where a file is, with its content's hash."""
    return f"{PATH}/{name}?v={_version(name)}"


@cache
def _version(name: str) -> str:
    return hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()[:12]


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        return Response(status_code=404)
    named = request.query_params.get("v") == _version(name)
    return FileResponse(_FOLDER / name, headers=_KEPT if named else _ASKED_AGAIN)


ROUTE = Route(f"{PATH}/{{name}}", _asset, methods=["GET"])
