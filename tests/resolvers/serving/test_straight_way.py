"""The straight way of `POST /graphql`: on the wire it is the long way, whatever pieces a request comes in."""

import json
import socket
import time
from http.client import HTTPResponse
from urllib.parse import urlsplit

import httpx
import pytest

from resolvers.limits import MAX_BODY

DOCUMENT = "{ viewer { role } }"
BODY = json.dumps({"query": DOCUMENT}).encode()
CHANGING = {"date", "content-length", "ratelimit"}


@pytest.fixture
def connection(server):
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as found:
        yield found


def head(token, *fields, version="1.1") -> bytes:
    """The head of a POST, without its end of line."""
    lines = [f"POST /graphql HTTP/{version}", "Host: x", "Content-Type: application/json", "Accept: application/json"]
    return "\r\n".join([*lines, f"Authorization: Bearer {token}", *fields, "", ""]).encode()


def whole(token, *fields, version="1.1", body=BODY) -> bytes:
    """A request in one piece."""
    return head(token, *fields, f"Content-Length: {len(body)}", version=version) + body


def answer(connection, method="POST"):
    """The next response on a connection: status, fields and body."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def chunks(*pieces) -> list[bytes]:
    """Pieces as chunks, the last one ending the body."""
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]


def is_answered(found) -> bool:
    status, _, body = found
    return status == 200 and json.loads(body)["data"] == {"viewer": {"role": "claims_handler"}}


def test_a_body_in_chunks_each_a_packet_is_read_whole(handler, connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for pieces in ([BODY[:1], BODY[1:7], BODY[7:]], [BODY], [bytes([one]) for one in BODY]):
        connection.sendall(head(handler, "Transfer-Encoding: chunked"))
        for chunk in chunks(*pieces):
            connection.sendall(chunk)
            time.sleep(0.001)
        assert is_answered(answer(connection))


def test_a_request_byte_by_byte_is_answered(handler, connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in whole(handler):
        connection.sendall(bytes([byte]))
    assert is_answered(answer(connection))


def test_requests_sent_at_once_are_answered_in_their_order(handler, connection):
    bodies = [json.dumps({"query": f"{{ a{place}: __typename viewer {{ role }} }}"}).encode() for place in range(5)]
    connection.sendall(b"".join(whole(handler, body=body) for body in bodies))
    raw = b""
    while raw.count(b"HTTP/1.1 200 OK") < len(bodies) or raw[-1:] != b"}":
        raw += connection.recv(1 << 16)
    assert [raw.index(b'"a%d":"Query"' % place) for place in range(5)] == sorted(
        raw.index(b'"a%d":"Query"' % place) for place in range(5)
    )
    connection.sendall(whole(handler))
    assert is_answered(answer(connection))


def test_a_client_that_goes_away_in_its_body_disturbs_nobody(server, handler):
    address = urlsplit(server.url)
    for sent in (whole(handler)[:-3], head(handler, "Transfer-Encoding: chunked") + chunks(BODY)[0], whole(handler)):
        with socket.create_connection((address.hostname, address.port), timeout=20) as gone:
            gone.sendall(sent)
    assert server.post(DOCUMENT, token=handler).status_code == 200


def test_chunks_beyond_the_limit_are_refused_while_they_come_and_the_next_request_is_answered(handler, connection):
    connection.sendall(head(handler, "Transfer-Encoding: chunked"))
    piece = b" " * 10_000
    for chunk in chunks(*[piece] * (MAX_BODY // len(piece) + 2)):
        connection.sendall(chunk)
    status, _, body = answer(connection)
    assert (status, json.loads(body)["errors"][0]["extensions"]["code"]) == (413, "BODY_TOO_LARGE")
    connection.sendall(whole(handler))
    assert is_answered(answer(connection))


def test_whoever_waits_to_be_told_to_go_on_is_told(handler, connection):
    connection.sendall(head(handler, "Expect: 100-continue", f"Content-Length: {len(BODY)}"))
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += connection.recv(100)
    assert raw == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(BODY)
    assert is_answered(answer(connection))


@pytest.mark.parametrize("version, fields", [("1.1", ("Connection: close",)), ("1.0", ())])
def test_who_wants_one_answer_gets_one_and_is_hung_up_on(handler, connection, version, fields):
    connection.sendall(whole(handler, *fields, version=version))
    found = answer(connection)
    assert is_answered(found)
    assert found[1]["connection"] == "close"
    assert connection.recv(1) == b""


def test_both_ways_answer_with_the_same_fields_and_body(server, handler):
    shown = {"Authorization": f"Bearer {handler}", "Accept": "application/json"}
    with httpx.Client() as client:
        straight = client.post(server.url, json={"query": "{ __typename }"}, headers=shown)
        long = client.get(server.url, params={"query": "{ __typename }"}, headers=shown)
    assert straight.status_code == long.status_code == 200
    assert straight.content == long.content
    fields, others = (
        {name: value for name, value in found.headers.multi_items() if name not in CHANGING}
        for found in (straight, long)
    )
    assert fields == others
    assert {"date", "ratelimit", "content-length"} <= straight.headers.keys()
    assert len(fields) == len(others)


def test_an_address_over_its_rate_reads_when_to_come_back(server, three):
    url, _ = three
    with httpx.Client() as client:
        for _ in range(60):
            found = client.post(f"{url}/graphql", json={"query": DOCUMENT}, headers={"Accept": "application/json"})
            if found.status_code == 429:
                break
    assert found.status_code == 429
    assert int(found.headers["retry-after"]) > 0
    assert found.headers["ratelimit"].startswith('"anonymous";r=0;t=')
    assert found.headers["cache-control"] == "no-store"
