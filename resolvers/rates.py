"""Rate limits: how often one subject, or one address without a subject, may ask (429 RATE_LIMITED).

Counted before anything expensive. Responses say what is left in the fields `RateLimit-Policy` and `RateLimit`
(draft-ietf-httpapi-ratelimit-headers). While a shared storage fails, each worker counts for itself: answers go on, and
nothing, log-in least of all, becomes unlimited.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple

from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.errors import ConfigurationError

from models.installation import InstallationError
from resolvers.counts import ANSWER_SECONDS, Counts, DatabaseCounts, ProcessCounts
from resolvers.problems import Code, RequestRefusedError

SCOPE_KEY = "needful.rate"
"""Where in an ASGI scope the verdict on its request stands."""

_REDIS = ("redis://", "rediss://", "redis+unix://")
_POSTGRESQL = ("postgresql", "postgresql://")
_MEMORY = ("memory", "memory://")
_AWAY_SECONDS = 5.0
"""How long one that failed is left alone."""
_LONGEST_WINDOW = 366 * 86_400
_NETWORK_BITS = 64
"""What one IPv6 customer has at least: counting single addresses would count nobody."""

_log = logging.getLogger("needful.rates")


class Limited(StrEnum):
    """What is limited; the names stand in the response fields."""

    SUBJECT = "subject"
    ANONYMOUS = "anonymous"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret


@dataclass(frozen=True, slots=True)
class RateSettings:
    """The limits in the library's notation (`600/minute`), and the storage's URL."""

    subject: str = "600000/minute"
    anonymous: str = "6000/minute"
    token: str = "600/minute"  # noqa: S105 - a limit
    storage: str = field(default="memory://", repr=False)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "RateSettings":
        """The settings of an environment. Raises InstallationError for a value that cannot be."""
        default = cls()
        limits = {
            kind.value: environ.get(f"NEEDFUL_RATE_{kind.name}") or getattr(default, kind.value) for kind in Limited
        }
        for name, text in limits.items():
            _parsed(text, f"NEEDFUL_RATE_{name.upper()}")
        storage = environ.get("NEEDFUL_RATE_STORAGE") or default.storage
        _check_storage(storage)
        return cls(**limits, storage=storage)


def _check_storage(url: str) -> None:
    """Raises InstallationError, which does not repeat the URL: it may hold a password."""
    known = url in (*_MEMORY, *_POSTGRESQL)
    if url.startswith(_REDIS):
        try:
            _redis(url)
            known = True
        except (ConfigurationError, ValueError):
            known = False
    if not known:
        message = "NEEDFUL_RATE_STORAGE must be memory://, postgresql (the service's own) or redis://host:port/0."
        raise InstallationError(message)


def _parsed(text: str, name: str) -> RateLimitItem:
    try:
        item = parse(text)
    except ValueError:
        item = None
    if item is None or item.amount < 1 or not 0 < item.get_expiry() <= _LONGEST_WINDOW or ";" in text or "," in text:
        message = f"{name} must be one limit such as 600/minute or 20/10seconds."
        raise InstallationError(message)
    return item


class Verdict(NamedTuple):
    """The answer to one request's count; `wait` in whole seconds, where it is over the limit."""

    limited: Limited
    item: RateLimitItem
    remaining: int
    wait: int | None = None

    @property
    def allowed(self) -> bool:
        """May the request go on?"""
        return self.wait is None

    def headers(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit`, and `Retry-After` (RFC 9110) where it has to wait."""
        name, seconds = self.limited.value, self.item.get_expiry()
        told = {"RateLimit-Policy": f'"{name}";q={self.item.amount};w={seconds}'}
        if self.wait is None:
            return {**told, "RateLimit": f'"{name}";r={self.remaining}'}
        return {**told, "RateLimit": f'"{name}";r=0;t={self.wait}', "Retry-After": str(self.wait)}

    def lines(self) -> bytes:
        """The same as lines of a head, where it need not wait."""
        return b"%b%d\r\n" % (_start_of_lines(self.limited, self.item.amount, self.item.get_expiry()), self.remaining)


@cache
def _start_of_lines(limited: Limited, amount: int, seconds: int) -> bytes:
    name = limited.value
    return f'ratelimit-policy: "{name}";q={amount};w={seconds}\r\nratelimit: "{name}";r='.encode()


@dataclass(frozen=True, slots=True)
class _Keys:
    """What the library makes of a limit for every request anew: its key before and after whom, and its window."""

    start: str
    end: str
    seconds: int

    @classmethod
    def of(cls, item: RateLimitItem, limited: Limited) -> "_Keys":
        start, _, end = item.key_for(limited.value, _WHOM).partition(_WHOM)
        return cls(start, end, item.get_expiry())


_WHOM = "whom"


class Rates:
    """Counts requests against the limits, in a shared storage or in this process."""

    def __init__(self, settings: RateSettings, connect: Callable[[], Awaitable[Any]]) -> None:
        """Count as the settings say; `connect` gives a connection to the service's own database."""
        self._items = {kind: _parsed(getattr(settings, kind.value), kind.name) for kind in Limited}
        self._keys = {kind: _Keys.of(item, kind) for kind, item in self._items.items()}
        self._own = ProcessCounts()
        self._shared = _shared(settings.storage, connect)
        self._away_until = 0.0

    async def subject(self, scope: MutableMapping[str, Any], identity: object) -> None:
        """Count a request of an authenticated subject. Raises RATE_LIMITED."""
        _refuse(await self.count(scope, Limited.SUBJECT, str(identity)))

    async def anonymous(self, scope: MutableMapping[str, Any]) -> None:
        """Count a request of nobody in particular, by its address. Raises RATE_LIMITED."""
        _refuse(await self.count(scope, Limited.ANONYMOUS, client_address(scope)))

    async def log_in(self, scope: MutableMapping[str, Any]) -> None:
        """Count an attempt to log in or to get a token, by its address. Raises RATE_LIMITED."""
        _refuse(await self.count(scope, Limited.TOKEN, client_address(scope)))

    async def count(self, scope: MutableMapping[str, Any], limited: Limited, whom: str) -> Verdict:
        """Count one request of `whom`; the verdict is left in the scope for the response's headers."""
        item, keys = self._items[limited], self._keys[limited]
        key = f"{keys.start}{whom}{keys.end}"
        storage: Counts = self._own
        if self._shared is None:
            count = self._own.counted(key, keys.seconds)
        else:
            storage, count = await self._incremented(self._shared, key, keys.seconds)
        wait = None if count <= item.amount else await self._wait(storage, key, item)
        verdict = scope[SCOPE_KEY] = Verdict(limited, item, max(0, item.amount - count), wait)
        return verdict

    async def _incremented(self, shared: Counts, key: str, expiry: int) -> tuple[Counts, int]:
        if time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return shared, await shared.incr(key, expiry)
            except _failures(shared) as fault:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                _log.error("rates cannot be counted together (%s): each worker counts alone", type(fault).__name__)
        return self._own, self._own.counted(key, expiry)

    async def _wait(self, storage: Counts, key: str, item: RateLimitItem) -> int:
        """Seconds until the window is over; one more than told, because storages round."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                left = await storage.get_expiry(key) - time.time()
        except _failures(storage):
            left = float(item.get_expiry())
        return max(1, math.ceil(left) + (storage is not self._own))

    async def close(self) -> None:
        """Give up the connections to a shared storage."""
        if isinstance(self._shared, DatabaseCounts):
            await self._shared.close()
        if isinstance(self._shared, RedisStorage):
            with suppress(*_failures(self._shared)):
                bridge: Any = self._shared.bridge
                await bridge.get_connection().aclose()


def _shared(url: str, connect: Callable[[], Awaitable[Any]]) -> RedisStorage | DatabaseCounts | None:
    if url in _MEMORY:
        return None
    if url in _POSTGRESQL:
        return DatabaseCounts(connect)
    return _redis(url)


def _redis(url: str) -> RedisStorage:
    return RedisStorage(f"async+{url}", implementation="redispy")


def _failures(storage: Counts) -> tuple[type[Exception], ...]:
    known = storage.base_exceptions
    return (*(known if isinstance(known, tuple) else (known,)), OSError, TimeoutError)


def client_address(scope: Mapping[str, Any]) -> str:
    """Whose requests are counted together: an IPv4 address, or the network of an IPv6 one."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((int(address), _NETWORK_BITS), strict=False))
    return str(address)


def _refuse(verdict: Verdict) -> None:
    if not verdict.allowed:
        raise RequestRefusedError(Code.RATE_LIMITED, too_many(verdict))


def too_many(verdict: Verdict) -> str:
    """What a limited client reads."""
    return f"Too many requests: {verdict.item}. Try again in {verdict.wait} seconds."
