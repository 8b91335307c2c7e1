"""Alarms: what an operator must hear of, said once in the log, the metrics, the ledger and at their own address.

Never of a person: a code and a few short words, numbers and ids. The same one is heard once a minute at most, and the
next says how many were held back.
"""

import logging
import math
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ledger.append import add_alone
from ledger.rows import Kind, Operation, time_text
from models.logs import FIELDS

if TYPE_CHECKING:
    from ledger.alarm_hook import Hook

Detail = str | int | float
Sound = Callable[..., None]
"""`Alarms.sound`, for whoever only sounds: a code, and details by name."""

QUIET = timedelta(minutes=1)
MOST = 60
"""Alarms of one code within `QUIET`, however much their details differ."""
_KEPT = 1_000
_AT_ONCE = 500
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,39}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_NO_CODE, _NO_WORD = "ALARM", "?"

_log = logging.getLogger("needful.alarms")


@dataclass(slots=True)
class _Held:
    """When one was last heard, and how many were held back since."""

    since: datetime
    heard: int = 1
    back: int = 0


def _nothing(_: object) -> None:
    """Where nobody counts or records."""


@contextmanager
def _apart() -> Iterator[None]:
    """Whatever goes wrong in the block is the block's alone: what sounds an alarm has troubles of its own."""
    try:
        yield
    except Exception as fault:  # noqa: BLE001 - see above
        _log.error("an alarm could not be sounded everywhere: %s", type(fault).__name__)


@dataclass(slots=True)
class Alarms:
    """Sounds alarms, from any thread."""

    clock: Callable[[], datetime]
    record: Callable[[Operation], None] = _nothing
    """Queues a row of the ledger."""
    count: Callable[[str], None] = _nothing
    """Counts one of a code, those held back too."""
    hook: "Hook | None" = None
    _held: OrderedDict[tuple[object, ...], _Held] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sound(self, code: str, **detail: Detail) -> None:
        """Sound an alarm. Never raises; a detail that is no short word, number or id reads `?`."""
        with _apart():
            self._sound(code if _CODE.fullmatch(code) else _NO_CODE, {name: _told(one) for name, one in detail.items()})

    def _sound(self, code: str, detail: Mapping[str, Detail]) -> None:
        with _apart():
            self.count(code)
        now = self.clock()
        held_back = self._held_back(code, detail, now)
        if held_back is None:
            return
        told = {**detail, **({"suppressed": held_back} if held_back else {})}
        # The row first: it is the one that lasts.
        with _apart():
            self.record(Operation(Kind.ALARM, uuid4(), now, code=code, detail=told))
        with _apart():
            _log.error("alarm %s", code, extra={FIELDS: {"code": code, **told}})
        if self.hook is not None:
            with _apart():
                self.hook.tell({"code": code, "at": time_text(now), "detail": told})

    def _held_back(self, code: str, detail: Mapping[str, Detail], now: datetime) -> int | None:
        """How many like it were held back before it; None if it is to be held back itself."""
        with self._lock:
            alike = self._of((code, *sorted(detail.items(), key=str)), now)
            whole = self._of((code,), now)
            if alike.heard or whole.heard >= MOST:
                alike.back += 1
                return None
            alike.heard, whole.heard = 1, whole.heard + 1
            back, alike.back = alike.back, 0
            return back

    def _of(self, key: tuple[object, ...], now: datetime) -> _Held:
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held(now, heard=0)
            if len(self._held) > _KEPT:
                self._held.popitem(last=False)
        elif now - held.since >= QUIET:
            held.since, held.heard = now, 0
        self._held.move_to_end(key)
        return held


class WrittenAlarms:
    """Alarms of a process without a recorder: heard at once, and their rows written when it says so."""

    def __init__(self, clock: Callable[[], datetime], hook: "Hook | None" = None) -> None:
        self._rows: list[Operation] = []
        self.sound: Sound = Alarms(clock, self._rows.append, hook=hook).sound

    async def write(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's own
        """Write the rows there are, each once even if some fail at first. Raises the database's errors."""
        while self._rows:
            # Taken out first: whoever writes beside this, on another connection, has others.
            some = self._rows[:_AT_ONCE]
            del self._rows[: len(some)]
            try:
                async with connection.transaction():
                    await add_alone(connection, *some)
            except BaseException:
                self._rows[:0] = some
                raise


def _told(one: object) -> Detail:
    """A detail as it may be told: nothing that could be a name, an address or a sentence."""
    if isinstance(one, float) and not math.isfinite(one):
        return _NO_WORD
    if isinstance(one, int | float):
        return one
    return str(one) if _WORD.fullmatch(str(one)) else _NO_WORD
