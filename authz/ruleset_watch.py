"""How a worker learns of rulesets: it hears of each as it is published, asks four times a second, and says what it has.

Whoever publishes waits until every worker that lives has said that it answers by the new ruleset. A worker that could
not ask for a second asks before it answers, so none that was held up answers by an earlier one unawares.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from authz.rules import RulesetError
from authz.rulesets import FRESH_SECONDS, Rulesets, leave, tell
from ledger.alarms import Sound
from models.faults import NO_ANSWER, place
from models.rulesets import CHANNEL

BEHIND = "RULESET_BEHIND"
APPLICATION = "needful rulesets"
"""What the database knows the connection by."""
POLL_SECONDS = 0.25
TELL_SECONDS = 1.0
_ASK_SECONDS = 5.0
_UNUSABLE = "The latest ruleset cannot be used by this worker: see the log."

_log = logging.getLogger("needful.rules")


class RulesetWatch:
    """Keeps one worker's rulesets up to date, over a connection of its own."""

    def __init__(self, rulesets: Rulesets, connect: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """`connect` gives a connection: the pool may be busy, and it is to hear of publications while nobody asks."""
        self.rulesets = rulesets
        self.worker: UUID = uuid4()
        self._connect = connect
        self._connection: Any = None
        self._asking: asyncio.Task[bool] | None = None
        self._failed = self._told = float("-inf")
        self._said = -1
        self._wake = asyncio.Event()
        self._wrong = False
        self._why: str | None = None
        """Why the latest ruleset cannot be used, if it cannot."""

    async def begin(self) -> None:
        """Learn the ruleset in force before anybody is answered. Raises RulesetError, and the database's error."""
        await self._learn()

    async def current(self) -> None:
        """Before an operation: where nobody has confirmed the ruleset for a second, ask, for a second at most."""
        if self.rulesets.fresh():
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(FRESH_SECONDS):
                # A question that was under way may have been asked long ago.
                while await self.ask() and not self.rulesets.fresh():
                    pass

    async def ask(self) -> bool:
        """Ask the database now; whoever comes meanwhile shares the answer. Could it be asked, and what it said used?"""
        if self._asking is None:
            if time.monotonic() - self._failed < POLL_SECONDS:
                return False
            self._asking = asyncio.create_task(self._ask())
        # Who asks may go away; the question stays for the others.
        return await asyncio.shield(self._asking)

    async def keep(self, sound: Sound) -> None:
        """Hear and ask for as long as the task lives, and sound an alarm where the ruleset cannot be confirmed."""
        while True:
            self._wake.clear()
            await self.ask()
            await self.rulesets.prepare()
            self._judge(sound)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()

    def behind(self) -> str | None:
        """Why this worker shows nothing sensitive, or soon will not, in a sentence; None where all is well."""
        return self._why or self.rulesets.closed_because

    def _judge(self, sound: Sound) -> None:
        wrong = self.behind() is not None
        if wrong and not self._wrong:
            sound(BEHIND, ruleset=self.rulesets.number)
        elif self._wrong and not wrong:
            _log.warning("over: %s", BEHIND)
        self._wrong = wrong

    async def _ask(self) -> bool:
        try:
            if await self._learn():
                self._why = None
                return True
        except NO_ANSWER:
            await self._hang_up()
        except RulesetError as fault:
            self._why = _UNUSABLE
            _log.error("%s", fault)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the worker stays with what it has, and not for long
            self._why = _UNUSABLE
            _log.error("a ruleset could not be taken over: %s", place(fault))
        finally:
            self._asking = None
        self._failed = time.monotonic()
        return False

    async def _learn(self) -> bool:
        async with asyncio.timeout(_ASK_SECONDS):
            connection = await self._connected()
            # What was learned before it said that it lives, no publication has waited for.
            await self._tell(connection)
        number = self.rulesets.number
        latest = await self.rulesets.learn(connection)
        if self.rulesets.number != number:
            async with asyncio.timeout(_ASK_SECONDS):
                await self._tell(connection)
        return latest

    async def _tell(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's connection
        number, now = self.rulesets.number, time.monotonic()
        if number != self._said or now - self._told >= TELL_SECONDS:
            await tell(connection, self.worker, number)
            self._said, self._told = number, now

    async def _connected(self) -> Any:  # noqa: ANN401 - as above
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            await self._connection.execute(f"SET application_name = '{APPLICATION}'")
            self._connection.add_termination_listener(self._woken)
            await self._connection.add_listener(CHANNEL, self._woken)
        return self._connection

    def _woken(self, *_: object) -> None:
        self._wake.set()

    async def close(self) -> None:
        """Say that this worker answers no longer, and give up the connection."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        if self._connection is not None:
            with suppress(*NO_ANSWER):
                async with asyncio.timeout(1):
                    await leave(self._connection, self.worker)
        await self._hang_up()

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*NO_ANSWER):
                connection.terminate()
