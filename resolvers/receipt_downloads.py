"""Consent receipts over HTTP: one to download, `/consents/ID/receipt`, and the public keys that they verify with.

A download is asked of the API inside this process, as whoever asks for it. So who may have it, the rate and the row in
the ledger are the API's own.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from privacy.receipts import KEYS_PATH, MEDIA_TYPE
from resolvers.endpoint import within
from resolvers.media_types import JSON

RECEIPT_PATH = "/consents/{id}/receipt"
_DOCUMENT = "query ConsentReceipt($id: ID!) { node(id: $id) { ... on Consent { receipt { fileName jws document } } } }"
_SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_KEYS_SECONDS = 300
_NONE = {
    "message": "There is no such consent of yours. Use an id as `User.consents` gives it.",
    "extensions": {"code": "NOT_FOUND"},
}


def routes() -> list[Route]:
    """The routes; the application's `state.endpoint` answers them, and `state.receipts` tells the keys."""
    return [Route(RECEIPT_PATH, _receipt, methods=["GET"]), Route(KEYS_PATH, _keys, methods=["GET"])]


async def _receipt(http: Request) -> Response:
    """The receipt of a consent of the caller's, or of a ward's: signed; as JSON with its document."""
    scheme, _, token = http.headers.get("authorization", "").partition(" ")
    body = {"query": _DOCUMENT, "variables": {"id": http.path_params["id"]}}
    asked = within(http, token if scheme.lower() == "bearer" else "", body, purpose=http.headers.get("x-purpose"))
    response = await http.app.state.endpoint(asked)
    answer = orjson.loads(response.body)
    if answer.get("data") is None:
        return Response(response.body, response.status_code, headers=dict(response.headers), media_type=JSON)
    receipt = (answer["data"]["node"] or {}).get("receipt")
    if receipt is None:
        return JSONResponse({"errors": [_NONE]}, 404, headers=_SAFE)
    return _file(receipt, as_json=JSON in http.headers.get("accept", ""))


def _file(receipt: Mapping[str, Any], *, as_json: bool) -> Response:
    name = receipt["fileName"]
    if as_json:
        name = f"{name.removesuffix('.jwt')}.json"
        body = orjson.dumps({"document": receipt["document"], "jws": receipt["jws"]}, option=orjson.OPT_INDENT_2)
    else:
        body = receipt["jws"].encode()
    headers = {**_SAFE, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, headers=headers, media_type=JSON if as_json else MEDIA_TYPE)


async def _keys(http: Request) -> Response:
    """The JWK Set (RFC 7517) of every key that signed a receipt."""
    headers = {"Cache-Control": f"public, max-age={_KEYS_SECONDS}"}
    return JSONResponse(http.app.state.receipts.keys.keys.public(), headers=headers)
