"""Requests as clients send them, and what a refused one has to be like."""

import json

from tests.conftest import GRAPHQL

JSON = "application/json"


def send(server, document=None, variables=None, *, token=None, accept=GRAPHQL, url=None, **more):
    """One POST; `content` and `headers` replace what would be sent."""
    sent = {"Accept": accept, "Content-Type": JSON, **more.get("headers", {})}
    if token:
        sent["Authorization"] = f"Bearer {token}"
    content = more.get("content", json.dumps({"query": document, "variables": variables}))
    return server.client.request(more.get("method", "POST"), url or server.url, content=content, headers=sent)


def only_error(response):
    """The one error of a refused request."""
    body = response.json()
    assert set(body) <= {"errors", "data", "extensions"}
    (error,) = body["errors"]
    assert error["message"]
    assert "data" not in body or body["data"] is None
    return error
