"""The operator's hook: each alarm as one HTTP POST of JSON, from a thread of its own, so that nobody waits for it."""

import logging
import queue
import threading
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from models.installation import InstallationError

TIMEOUT_SECONDS = 5.0
PAUSES = (1.0, 5.0)
"""Seconds before each further try."""
MOST_WAITING = 100
_LOCAL = "localhost"

_log = logging.getLogger("needful.alarms")


def check_hook(url: str) -> str:
    """The hook's address. Raises InstallationError, which does not repeat it: it may hold a secret."""
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and _is_local(parts)))
        _ = parts.port
    except ValueError:
        known = False
    if not known:
        message = "NEEDFUL_ALARM_URL must be an https address, or an http one of this machine (127.0.0.1)."
        raise InstallationError(message)
    return url


def _is_local(parts: Any) -> bool:  # noqa: ANN401 - urllib's own
    return parts.hostname == _LOCAL or ip_address(parts.hostname).is_loopback


class Hook:
    """Posts alarms to one address, a few times if need be; the oldest are lost where too many wait."""

    def __init__(self, url: str, *, pauses: tuple[float, ...] = PAUSES) -> None:
        self._url = url
        self._pauses = pauses
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def tell(self, alarm: Mapping[str, Any]) -> None:
        """Queue an alarm."""
        with self._lock:
            if self._waiting.qsize() >= MOST_WAITING:
                with suppress(queue.Empty):
                    self._waiting.get_nowait()
                _log.error("an alarm is lost: the hook does not answer")
            self._waiting.put(orjson.dumps(alarm))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="alarm hook", daemon=True)
                self._thread.start()

    def close(self, *, within: float = TIMEOUT_SECONDS) -> None:
        """Tell what waits, and end; no later than `within` seconds from now."""
        self._closing.set()
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(within)
        self._over.set()

    def _work(self) -> None:
        with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
            while (body := self._waiting.get()) is not None and not self._over.is_set():
                if not self._told(client, body):
                    _log.error("an alarm could not be told to the hook")

    def _told(self, client: httpx.Client, body: bytes) -> bool:
        for pause in (*self._pauses, None):
            if _posted(client, self._url, body):
                return True
            if pause is not None:
                self._closing.wait(pause)
        return False


def _posted(client: httpx.Client, url: str, body: bytes) -> bool:
    """Was it taken? What the hook answers beside its status is not read."""
    try:
        with client.stream("POST", url, content=body, headers={"Content-Type": "application/json"}) as response:
            return response.is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
