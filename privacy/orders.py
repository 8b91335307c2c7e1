"""Orders to erase: what a granted deletion or a cancellation asks for, until it is done (C29, C70)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from models.vocabulary import Retention

_ORDER = """
INSERT INTO erasure_order (id, person_id, classes, ground, request_id, due_on, ordered_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_COLUMNS = "id, classes, ground, request_id, ordered_at, due_on, done_at"
_LISTED = f"""
SELECT {_COLUMNS} FROM erasure_order WHERE $1::boolean IS NULL OR (done_at IS NULL) = $1
ORDER BY (done_at IS NULL) DESC, due_on, id LIMIT $2
"""  # noqa: S608 - our own text


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `due` is the last day (Shanghai) on which it may be done."""

    id: UUID
    classes: tuple[Retention, ...]
    ground: str
    request: UUID | None
    ordered_at: datetime
    due: date
    done_at: datetime | None


async def order_erasure(  # noqa: PLR0913 - what an order says
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy
    person: UUID,
    classes: frozenset[Retention],
    *,
    ground: str,
    request: UUID | None,
    due: date,
    now: datetime,
) -> UUID:
    """Order that classes of a person's data be erased until a day; the order's id, by which its proof is found.

    From then on their purposes have ended: what the law does not keep is erased by the job `erasures`, the rest by the
    sweep when its time has come. `ground` names why, and nobody. Raises the database's error.
    """
    order = uuid4()
    named = sorted(int(one) for one in classes)
    await connection.execute(_ORDER, order, person, named, ground, request, due, now)
    return order


async def orders(connection: Any, *, is_open: bool | None, most: int) -> list[Order]:  # noqa: ANN401 - as above
    """Orders, open ones first and the first due before all. Raises the database's error."""
    return [_order(row) for row in await connection.fetch(_LISTED, is_open, most)]


def _order(row: Mapping[str, Any]) -> Order:
    named: Sequence[int] = row["classes"]
    kept = row["id"], tuple(map(Retention, named)), row["ground"], row["request_id"]
    return Order(*kept, row["ordered_at"], row["due_on"], row["done_at"])
