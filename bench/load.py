"""The load client, a process of its own: keep-alive connections that send given requests in turn for a given time.

It reads one JSON object from standard input and writes one: nothing it receives is parsed beyond the head, so
that it stays far faster than what it measures (`read.py` prints its ceiling).
"""

import asyncio
import gc
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OK = b"200"


@dataclass(slots=True)
class Window:
    """What one window measures; times are `perf_counter` seconds."""

    requests: list[bytes]
    starts: float
    ends: float
    most: int
    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    received: int = 0
    last: float = 0.0

    def count(self, sent: float, now: float, *, status: bytes, size: int) -> None:
        """Count one response, if it was asked for and came within the window."""
        if status != _OK:
            self.failures += 1
        if sent >= self.starts and now <= self.ends:
            self.latencies.append(now - sent)
            self.received += size
            self.last = now

    def is_over(self, now: float) -> bool:
        """Is it time to stop sending?"""
        return now >= self.ends or len(self.latencies) >= self.most


class _Connection(asyncio.Protocol):
    """One connection with one request under way."""

    def __init__(self, window: Window, place: int, done: "asyncio.Future[None]") -> None:
        self._window = window
        self._place = place
        self._done = done
        self._head = b""
        self._missing = 0
        self._size = 0
        self._status = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._send(time.perf_counter())

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._head, 0, end)
            self._size = int(length.group(1)) if length else 0
            self._status = self._head[9:12]
            self._missing = self._size - (len(self._head) - end - 4)
            self._head = b""
        if self._missing == 0:
            self._received(time.perf_counter())

    def connection_lost(self, _: Exception | None) -> None:
        if not self._done.done():
            self._window.failures += 1
            self._done.set_result(None)

    def _received(self, now: float) -> None:
        self._window.count(self._sent, now, status=self._status, size=self._size)
        if self._window.is_over(now):
            self._done.set_result(None)
            self._transport.close()
        else:
            self._send(now)

    def _send(self, now: float) -> None:
        self._sent = now
        self._transport.write(self._window.requests[self._place % len(self._window.requests)])
        self._place += 1


async def _run(order: dict[str, Any]) -> Window:
    loop = asyncio.get_running_loop()
    starts = time.perf_counter() + order["warm"]
    requests = [text.encode() for text in order["requests"]]
    window = Window(requests, starts, starts + order["seconds"], order["most"])
    ended = []
    for number in range(order["connections"]):
        done = loop.create_future()
        ended.append(done)
        # Connections start at different requests, so that they do not ask for the same row at the same time.
        place = number * len(requests) // order["connections"]
        await loop.create_connection(lambda p=place, d=done: _Connection(window, p, d), order["host"], order["port"])
    await asyncio.gather(*ended)
    return window


def main() -> None:
    gc.disable()
    order = json.load(sys.stdin)
    used = time.process_time()
    window = uvloop.run(_run(order))
    used = time.process_time() - used
    found = sorted(window.latencies)
    count = len(found)
    seconds = max(window.last - window.starts, 1e-9)
    answer = {
        "count": count,
        "failures": window.failures,
        "rate": count / seconds,
        "p50": found[count // 2] * 1000 if found else 0.0,
        "p99": found[min(count - 1, count * 99 // 100)] * 1000 if found else 0.0,
        "bytes": window.received / max(count, 1),
        "busy": used / (order["warm"] + seconds),
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
