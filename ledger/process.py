"""The process that seals: beside a server, with a connection of the owner's, until its standard input ends.

`python -m ledger.process` reads one line of JSON from its standard input: the owner's `database`, the paths `key` and
`heads`, and perhaps the address that hears of `alarms`. It imports little, so that it is there at once, and ends with
whoever started it, however that ended.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from ledger.alarms import WrittenAlarms
from ledger.attached import attached
from ledger.heads import HeadsError, SecondPlace
from ledger.index import index_some
from ledger.sealer import Sealer
from models import logs
from models.faults import place
from vault.keyring import KeyringError

if TYPE_CHECKING:
    from ledger.alarm_hook import Hook

INTERVAL = 1.0
"""Seconds from one sealing to the next."""
ANSWER_SECONDS = 60.0
"""A database that takes longer for one statement has gone; another process tries again."""
_BEAT = 10.0
"""Seconds after which the process says that it is there, whatever there is to do."""
_DAY = 86_400.0
_MONTHS_AHEAD = 13
_LONGEST_END = 8.0
"""Seconds for the last sealing, once the server has ended."""

_GONE = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, TimeoutError)
"""How a database shows that it has gone or is about to: another process tries again."""
_FAULT = "LEDGER_SEALER_FAULT"

_log = logging.getLogger("needful.sealer")

_HURRY = 60.0
"""Seconds that the index may be behind before it takes all the time there is."""
_RESTS = 9
"""Until then it takes a tenth: so many times as long as it worked, it rests."""

_BEHIND = """
SELECT extract(epoch FROM now() - f.at)::float8 FROM ledger_indexed i JOIN ledger_leaf f ON f.index = i.next
"""
_STATE = "UPDATE ledger_sealer SET at = now(), trouble = $1"


def _now() -> datetime:
    return datetime.now(UTC)


class Work:
    """What the process does, over and over."""

    def __init__(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's own
        key_path: Path,
        heads_path: Path,
        index_some: Callable[[Any], Awaitable[int]] = index_some,
        hook: "Hook | None" = None,
    ) -> None:
        """`index_some` makes records of the next sealed rows and gives how many; `hook` is told of alarms."""
        self._connection = connection
        self._alarms = WrittenAlarms(_now, hook)
        self._sealer = Sealer(connection, key_path, SecondPlace(heads_path), self._alarms.sound, _now)
        self._troubles: dict[str, str] = {}
        """Of each part of the work that cannot go on, the code."""
        self._said: tuple[str | None, float] | None = None
        """The trouble that was said last, and when."""
        self._partitions_at = time.monotonic() + _DAY
        self._index_some = index_some
        self._index_at = 0.0

    async def until(self, ended: asyncio.Event) -> None:
        """Work each second until told to end, then once more. Raises the database's errors."""
        while not ended.is_set():
            begun = time.monotonic()
            await self.once()
            await self._part("index", partial(self._index, begun + INTERVAL))
            rest = max(0.0, begun + INTERVAL - time.monotonic())
            try:
                await asyncio.wait_for(ended.wait(), rest)
            except TimeoutError:
                continue
        async with asyncio.timeout(_LONGEST_END):
            await self.once()

    async def once(self) -> None:
        """Seal what there is, look at some of it again, keep the partitions coming. Raises what `_GONE` names.

        Whatever else goes wrong with a part of it is said, and tried again the next time.
        """
        sealed = await self._part("seal", self._sealer.seal)
        if "seal" not in self._troubles:
            await self._part("recheck", self._sealer.recheck)
        await self._part("partitions", self._keep_partitions)
        await self._part("alarms", partial(self._alarms.write, self._connection))
        await self._say(sealed=bool(sealed))

    async def _part(self, name: str, work: Callable[[], Awaitable[int | None]]) -> int | None:
        """Do a part of the work, and note what stands in its way; a new trouble is logged and an alarm."""
        try:
            done = await work()
        except (HeadsError, KeyringError) as fault:
            code = fault.code if isinstance(fault, HeadsError) else "LEDGER_KEY_DAMAGED"
            self._note(name, code, str(fault))
        except Exception as fault:
            if isinstance(fault, _GONE) or self._connection.is_closed():
                raise
            self._note(name, _FAULT, place(fault))
        else:
            self._troubles.pop(name, None)
            return done
        return None

    def _note(self, name: str, code: str, why: str) -> None:
        if self._troubles.get(name) != code:
            _log.error("the sealer does not go on: %s", why, extra={logs.FIELDS: {"part": name, "code": code}})
            self._alarms.sound(code)
        self._troubles[name] = code

    async def _index(self, until: float) -> None:
        while (begun := time.monotonic()) < until:
            behind = await self._connection.fetchval(_BEHIND)
            if behind is None or (behind < _HURRY and begun < self._index_at):
                return
            if not await self._index_some(self._connection):
                return
            ended = time.monotonic()
            self._index_at = ended + _RESTS * (ended - begun)

    async def _say(self, *, sealed: bool) -> None:
        now, trouble = time.monotonic(), self._troubles.get("seal") or next(iter(self._troubles.values()), None)
        if sealed or self._said is None or self._said[0] != trouble or now - self._said[1] > _BEAT:
            await self._connection.execute(_STATE, trouble)
            self._said = trouble, now

    async def _keep_partitions(self) -> None:
        if time.monotonic() < self._partitions_at:
            return
        self._partitions_at = time.monotonic() + _DAY
        try:
            async with self._connection.transaction():
                # Rows are written meanwhile, and must not wait for this.
                await self._connection.execute("SET LOCAL lock_timeout = '100ms'")
                await self._connection.execute("SELECT ledger_partitions(current_date, $1)", _MONTHS_AHEAD)
        except asyncpg.LockNotAvailableError:
            self._partitions_at = time.monotonic() + _BEAT
        except asyncpg.PostgresError as fault:
            if isinstance(fault, _GONE):
                raise
            _log.error("the ledger's next months have no partitions: %s", place(fault))
            self._alarms.sound("LEDGER_PARTITIONS_MISSING")


async def run(settings: dict[str, Any], ended: asyncio.Event) -> None:
    """Work with these settings until told to end. Raises OSError and the database's errors."""
    hook = _hook(settings.get("alarms"))
    connection = await asyncpg.connect(
        **settings["database"],
        command_timeout=ANSWER_SECONDS,
        server_settings={"application_name": "needful sealer", "timezone": "UTC", "synchronous_commit": "on"},
    )
    try:
        await Work(connection, Path(settings["key"]), Path(settings["heads"]), hook=hook).until(ended)
    finally:
        if hook is not None:
            await asyncio.to_thread(hook.close)
        # Without waiting: whatever it was doing is undone.
        connection.terminate()


def _hook(url: str | None) -> "Hook | None":
    if url is None:
        return None
    from ledger.alarm_hook import Hook  # noqa: PLC0415 - few have one, and it takes long to import

    return Hook(url)


def main() -> int:
    """Read the settings, then work until the input ends; 0 if it did."""
    # By its name at this moment: whoever tests gives another.
    return attached(lambda settings, ended: run(settings, ended), name="sealer")  # noqa: PLW0108


if __name__ == "__main__":
    sys.exit(main())
