"""Rows of what was refused as a whole (C59): one each for whoever is known, one a minute for all the others.

Strangers, and whoever asks too often, are counted by code and worker: rows of their own would let them fill the disk.
So is everybody while many rows wait for a ledger that cannot be written: what else waits must not be crowded out.
A refusal is answered whether or not its row can be written yet.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from authz.seen import Seen
from ledger.rows import Kind, Operation, Outcome
from resolvers.problems import Code

EVERY_SECONDS = 60.0


@dataclass(slots=True)
class Refusals:
    """Records the refusals of one worker."""

    record_later: Callable[[Operation], None]
    clock: Callable[[], datetime]
    crowded: Callable[[], bool] = lambda: False
    """Do so many rows wait already that refusals are counted only?"""
    _counted: Counter[tuple[Kind, str]] = field(default_factory=Counter)

    def note(self, kind: Kind, seen: Seen) -> None:
        """Record or count a request that was refused."""
        if seen.recorded or seen.code is None:
            return
        if seen.role is None or seen.code == Code.RATE_LIMITED.name or self.crowded():
            self._counted[kind, seen.code] += 1
            return
        subject = seen.subject
        self.record_later(
            Operation(
                kind,
                uuid4(),
                self.clock(),
                Outcome.REFUSED,
                seen.code,
                role=seen.role,
                organization=seen.organization,
                account=subject.account if subject else None,
                token=subject.token_id if subject else None,
                client=seen.client,
                agreement=seen.agreement,
                purpose=seen.purpose,
                operation_hash=seen.operation_hash,
            )
        )

    def flush(self) -> None:
        """Record what was counted since the last time: a row for each code."""
        counted, self._counted = self._counted, Counter()
        for (kind, code), count in counted.items():
            detail = {"count": count}
            self.record_later(Operation(kind, uuid4(), self.clock(), Outcome.REFUSED, code, detail=detail))

    def try_row(self, code: str) -> None:
        """Record that a row could not be written, as the try whether one can be."""
        self.record_later(Operation(Kind.ALARM, uuid4(), self.clock(), code=code, detail={"retry": 1}))
