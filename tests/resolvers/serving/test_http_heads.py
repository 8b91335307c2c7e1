"""What comes before a body is bounded in size and time, whoever sends it."""

import asyncio
import contextlib
import socket
import time
from urllib.parse import urlsplit

import pytest

from resolvers.serving import http
from resolvers.serving.listening import read_listening
from resolvers.serving.server import server_config

MIB = b"a" * (1 << 20)


@pytest.fixture
def connection(server):
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as found:
        yield found


def send_all(connection, pieces) -> None:
    """Send until the server hangs up."""
    with contextlib.suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
        while connection.recv(65536):
            pass


@pytest.mark.parametrize(
    "start", [b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ", b"GET /livez?", b"GET /livez HTTP/1.1\r\nHost: x\r\n"]
)
def test_an_endless_head_is_refused_at_once_and_costs_nothing(server, handler, connection, start):
    body = MIB if not start.endswith(b"\r\nHost: x\r\n") else b"X-A: b\r\n" * (1 << 17)
    started = time.monotonic()
    send_all(connection, [start, *[body] * 60])
    assert time.monotonic() - started < 2
    assert server.post("{ __typename }", token=handler).status_code == 200


def test_it_is_told_why(connection):
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ")
    connection.settimeout(0.05)
    answer = b""
    while not answer:
        connection.sendall(b"a" * 10_000)
        with contextlib.suppress(TimeoutError):
            answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"x-content-type-options: nosniff" in answer.lower()


def test_large_heads_within_the_limit_and_large_bodies_pass(server, handler):
    headers = {"X-Large": "a" * 40_000}
    assert server.post("{ __typename }", token=handler, headers=headers).status_code == 200
    comment = "#" + "x" * 200_000
    assert server.post(f"{{ __typename }} {comment}", token=handler).status_code == 200


def test_many_requests_on_one_connection_each_have_their_own_head(server, handler):
    for _ in range(5):
        headers = {"X-Large": "a" * 30_000}
        assert server.post("{ __typename }", token=handler, headers=headers).status_code == 200


def test_a_head_that_does_not_come_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(http, "HEAD_SECONDS", 0.3)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def run():
        config = server_config(app, read_listening({}, host="127.0.0.1", port=0))
        config.lifespan = "off"
        config.load()
        served = await asyncio.get_running_loop().create_server(
            lambda: http.BoundedHttp(config=config, server_state=State(), app_state={}), "127.0.0.1", 0
        )
        async with served:
            port = served.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
            async with asyncio.timeout(3):
                assert await reader.read() == b""
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 204")
            assert await reader.readline() == b"\r\n"
            await asyncio.sleep(0.5)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 204")
            writer.close()

    class State:
        def __init__(self):
            self.connections, self.tasks, self.default_headers, self.total_requests = set(), set(), [], 0

    asyncio.run(run())
