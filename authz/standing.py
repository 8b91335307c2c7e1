"""Standing: what has been taken back before its time, known to every worker within a second.

Each worker asks the database four times a second. One that could not ask for a second asks before it answers, and
answers nobody while it cannot: whether a token still stands is then unknown.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from authz.tokens import LONGEST, Token
from models.faults import NO_ANSWER
from models.revocations import Revoked

POLL_SECONDS = 0.25
STALE_SECONDS = 1.0
_ASK_SECONDS = 5.0
_KEPT = LONGEST.total_seconds() + 120
"""How long a revocation is kept, in seconds: no token lives longer."""

_REVOKE = """
INSERT INTO revocation (kind, key, expires_at)
SELECT $1, one, now() + make_interval(secs => $3) FROM unnest($2::text[]) one
"""
# One row at least, to tell the database's time. A row is stamped before its transaction commits: whoever looks back to
# a minute before the last answer misses none.
_NEW = """
SELECT one.at, r.kind, r.key, r.revoked_at, r.expires_at FROM (SELECT now() AS at) one
LEFT JOIN revocation r ON r.expires_at > now() AND r.revoked_at > $1
"""
_LATE = timedelta(minutes=1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_WHY = {
    Revoked.TOKEN: "the token has been revoked",
    Revoked.SESSION: "the session has ended",
    Revoked.CLIENT: "the client has been withdrawn",
    Revoked.CLIENT_KEY: "the key of the client has been lost",
    Revoked.AGREEMENT: "the agreement has ended",
    Revoked.SUBJECT: "the access has ended",
}
Learner = Callable[[Any], Awaitable[None]]
"""Learns what else has been taken back, from the connection it is given."""
Lack = Callable[[Token], str | None]
"""Why a token that nobody took back does not stand all the same, or None."""
_log = logging.getLogger("needful.standing")


class StandingUnknownError(Exception):
    """Whether tokens still stand cannot be found out at the moment."""


async def revoke(connection: Any, kind: Revoked, *keys: object) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Take any number of things back, in one statement; in a transaction, from its commit on.

    Every worker knows within a second.
    """
    await connection.execute(_REVOKE, kind.value, [str(key) for key in keys], _KEPT)


class Standing:
    """What one worker knows of revocations."""

    def __init__(self, connect: Callable[[], Any], *also: Learner, lacks: Lack = lambda _: None) -> None:
        """`connect` gives a connection of its own: the pool may be busy. `also` learn from it each time.

        `lacks` says, by what they learned, what else a token would need to stand.
        """
        self._connect = connect
        self._also = also
        self._lacks = lacks
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._revoked: dict[tuple[str, str], tuple[float, float]] = {}
        self._since = _BEGINNING
        """The database's time of the last answer."""
        self._asked = self._failed = float("-inf")
        self._asking: asyncio.Task[bool] | None = None

    @property
    def known(self) -> bool:
        """Has the database told lately enough what has been taken back?"""
        return time.monotonic() - self._asked <= STALE_SECONDS

    async def check(self, token: Token) -> str | None:
        """Why a token no longer stands, or None. Raises StandingUnknownError."""
        if not self.known:
            await self.ask()
        return self.told(token)

    def told(self, token: Token) -> str | None:
        """The same by what is known: for whoever has seen that it is `known` lately enough."""
        return (self._why(token) if self._revoked else None) or self._lacks(token)

    def _why(self, token: Token) -> str | None:
        for kind, key in token.names:
            found = self._revoked.get((kind, key))
            if found is not None and (kind != Revoked.SUBJECT or token.issued <= found[0]):
                return _WHY[Revoked(kind)]
        return None

    async def ask(self) -> None:
        """Ask the database what is new; whoever comes meanwhile shares the answer. Raises StandingUnknownError."""
        if self._asking is None:
            if time.monotonic() - self._failed < POLL_SECONDS:
                raise StandingUnknownError
            self._asking = asyncio.create_task(self._ask())
        # Who asks may go away; the question stays for the others.
        if not await asyncio.shield(self._asking):
            raise StandingUnknownError

    async def _ask(self) -> bool:
        asked = time.monotonic()
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await self._learn()
        except NO_ANSWER:
            self._failed = time.monotonic()
            await self._hang_up()
            return False
        else:
            self._asked = asked
            return True
        finally:
            self._asking = None

    async def _learn(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        rows = await self._connection.fetch(_NEW, self._since - _LATE)
        for _, kind, key, revoked_at, expires_at in rows:
            if kind is not None:
                self._revoked[kind, key] = (revoked_at.timestamp(), expires_at.timestamp())
        for learn in self._also:
            await learn(self._connection)
        if rows[0]["at"].minute != self._since.minute:
            self._forget(rows[0]["at"].timestamp())
        self._since = rows[0]["at"]

    def _forget(self, now: float) -> None:
        for place in [place for place, (_, expires) in self._revoked.items() if expires < now]:
            del self._revoked[place]

    async def watch(self, *also: Callable[[], object]) -> None:
        """Ask for as long as the task lives, and do `also` each time."""
        known = True
        while True:
            try:
                await self.ask()
                known = True
            except StandingUnknownError:
                if known:
                    _log.error("revocations cannot be read: nobody is answered until they can")
                known = False
            for other in also:
                other()
            await asyncio.sleep(POLL_SECONDS)

    async def close(self) -> None:
        """Stop asking and give up the connection; a later question opens another."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._hang_up()

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*NO_ANSWER):
                await connection.close(timeout=1)
