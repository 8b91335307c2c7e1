"""The service level: which share of requests is answered how fast, and the floor below which an alarm sounds (C54).

Each worker counts its own requests over a sliding window. Fewer than a hundred count as a hundred of which the others
went well, so that one slow request in a quiet hour is no alarm, and several are.
"""

import logging
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ledger.alarms import Sound
from models.installation import InstallationError

SETTING = "NEEDFUL_SERVICE_LEVEL"
CODE = "SERVICE_LEVEL"
DEFAULT = "99% under 1s over 5m"
SLOTS = 60
"""Parts of a window: what is older than the window by less than one of them may still count."""
LEAST = 100
_FORM = re.compile(r"(\d{1,2}(?:\.\d{1,2})?)% under (\d{1,6})(ms|s) over (\d{1,6})(s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST = 86_400.0
_OFF = "off"

_log = logging.getLogger("needful.service_level")


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """The floor: `percent` of requests are answered within `under` seconds, seen over `over` seconds."""

    percent: Decimal
    under: float
    over: float

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "ServiceLevel | None":
        """The floor of an environment, None where it is off. Raises InstallationError for one that cannot be."""
        text = environ.get(SETTING) or DEFAULT
        if text == _OFF:
            return None
        found = _FORM.fullmatch(text)
        if found is not None:
            percent, under, under_unit, over, over_unit = found.groups()
            level = cls(Decimal(percent), int(under) * _SECONDS[under_unit], int(over) * _SECONDS[over_unit])
            if level.percent and level.under and 1 <= level.over <= _LONGEST:
                return level
        message = f"{SETTING} must be off, or a floor such as {DEFAULT!r}: a share below 100, and a day at most."
        raise InstallationError(message)


class Window:
    """How many there were, and how many of them bad, over the last so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._width = seconds / SLOTS
        self._slots: deque[list[int]] = deque()
        self._all = self._bad = 0

    def add(self, now: float, *, good: bool) -> None:
        """Count one at `now`, in seconds of a clock that never goes back."""
        number = self._moved(now)
        if not self._slots or self._slots[-1][0] != number:
            self._slots.append([number, 0, 0])
        slot = self._slots[-1]
        slot[1] += 1
        slot[2] += not good
        self._all += 1
        self._bad += not good

    def counts(self, now: float) -> tuple[int, int]:
        """All and the bad ones of the slot of `now` and the ones before it that make up the window."""
        self._moved(now)
        return self._all, self._bad

    def _moved(self, now: float) -> int:
        number = int(now // self._width)
        while self._slots and self._slots[0][0] <= number - SLOTS:
            _, every, bad = self._slots.popleft()
            self._all -= every
            self._bad -= bad
        return number


@dataclass(slots=True)
class LevelWatch:
    """One worker's service level; `now` is always a monotonic clock's time in seconds."""

    floor: ServiceLevel
    sound: Sound
    below: bool = False
    _window: Window = field(init=False)

    def __post_init__(self) -> None:
        self._window = Window(self.floor.over)

    def add(self, now: float, *, seconds: float, failed: bool) -> None:
        """Count an answer that took so long; one that failed for our reasons was too slow, however fast."""
        self._window.add(now, good=not failed and seconds <= self.floor.under)

    def check(self, now: float) -> None:
        """Sound the alarm once when the level falls below its floor; say when it is back."""
        every, bad = self._window.counts(now)
        below = _is_below(self.floor.percent, every, bad)
        if below and not self.below:
            self.sound(CODE, percent=round(100 * (every - bad) / every, 2), requests=every)
        elif self.below and not below:
            _log.warning("the service level is back at its floor")
        self.below = below


def _is_below(percent: Decimal, every: int, bad: int) -> bool:
    allowed = 100 - percent
    # One alone is never too many, however high the floor.
    return bad > 1 and bad * 100 > allowed * max(every, LEAST)
