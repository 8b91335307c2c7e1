"""Cases of minors whose data are held without a guardian's verifiable consent: listed, and closed by hand (C72)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.minor_cases import MinorOutcome

Fetch = Callable[..., Any]

_COLUMNS = "id, person_id, opened_at, due_at, closed_at, outcome, closed_by"
_PAGE = f"""
SELECT {_COLUMNS} FROM minor_case WHERE ($1::boolean IS NULL OR (closed_at IS NULL) = $1)
ORDER BY (closed_at IS NULL) DESC, due_at, id LIMIT $2
"""  # noqa: S608 - our own text
_CLOSE = f"""
UPDATE minor_case SET closed_at = $2, outcome = $3, closed_by = $4 WHERE id = $1 AND closed_at IS NULL
RETURNING {_COLUMNS}
"""  # noqa: S608 - as above


@dataclass(frozen=True, slots=True)
class MinorCase:
    """One case; `closed_by`: an account's id, `operator`, or `needful` itself."""

    id: UUID
    person: UUID
    opened_at: datetime
    due_at: datetime
    closed_at: datetime | None
    outcome: MinorOutcome | None
    closed_by: str | None

    def overdue_at(self, now: datetime) -> bool:
        """Is it open past its day?"""
        return self.closed_at is None and self.due_at < now


async def cases(fetch: Fetch, *, is_open: bool | None, most: int) -> list[MinorCase]:
    """Cases, open ones first and the first due before all. Raises the database's error."""
    return [_case(row) for row in await fetch(_PAGE, is_open, most)]


async def close(connection: Any, case: UUID, outcome: MinorOutcome, *, by: str, now: datetime) -> MinorCase | None:  # noqa: ANN401
    """Close a case by hand; None where there is no such open one. The next scan opens another, if it has to."""
    row = await connection.fetchrow(_CLOSE, case, now, outcome.value, by)
    return row and _case(row)


def _case(row: Any) -> MinorCase:  # noqa: ANN401 - asyncpg's row
    outcome = row["outcome"] and MinorOutcome(row["outcome"])
    dates = row["opened_at"], row["due_at"], row["closed_at"]
    return MinorCase(row["id"], row["person_id"], *dates, outcome, row["closed_by"])
