"""Proofs from the kept nodes: that a row is in the tree of a signed head, and that a later tree begins with an earlier.

Reads as the application role: heads, leaves, nodes, and the texts of sealed rows.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from ledger import tree
from ledger.rows import leaf_text
from ledger.sealer import nodes_of

MOST_ROWS = 10
"""Rows of one decision that are given; there is hardly ever more than one."""
UNINDEXED = 5_000
"""Newest leaves that are searched one by one while the index does not have them."""

_INDEXED = "SELECT index FROM ledger_record WHERE decision = $1 ORDER BY index LIMIT $2"
_NEWEST = """
SELECT index FROM ledger_sealed
WHERE index >= greatest($3::bigint - $4::bigint, (SELECT next FROM ledger_indexed)) AND index < $3
    AND strpos(body, '"decision":"' || $1::text || '"') > 0
ORDER BY index LIMIT $2
"""
_TEXT = "SELECT writer, sequence, body FROM ledger_sealed WHERE index = $1"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A row's place in the tree of some size, and the path that proves it."""

    index: int
    hash: bytes
    path: list[bytes]


@dataclass(frozen=True, slots=True)
class Growth:
    """That a tree has become a larger one: both roots, and the path that proves it."""

    roots: tuple[bytes, bytes]
    path: list[bytes]


async def indexes_of(connection: Any, decision: UUID, *, size: int) -> list[int]:  # noqa: ANN401 - asyncpg's pool
    """The leaves below `size` of one decision: as indexed, else among the newest that are not indexed yet."""
    found = await connection.fetch(_INDEXED, decision, MOST_ROWS)
    indexes = [row["index"] for row in found if row["index"] < size]
    if indexes:
        return indexes
    newest = await connection.fetch(_NEWEST, str(decision), MOST_ROWS, size, UNINDEXED)
    return [row["index"] for row in newest]


async def leaf_of(connection: Any, index: int, *, size: int) -> Leaf:  # noqa: ANN401 - asyncpg's pool
    """One leaf with its path to the root over the first `size` leaves. Raises KeyError where a node is missing."""
    prove = partial(tree.inclusion, index, size)
    nodes = await nodes_of(connection, [(0, index), *tree.needed(prove)])
    return Leaf(index, nodes[0, index], prove(nodes.__getitem__))


async def growth(connection: Any, earlier: int, later: int) -> Growth:  # noqa: ANN401 - asyncpg's pool
    """That the tree of `later` leaves begins with that of `earlier`. Raises KeyError where a node is missing."""

    def prove(get: tree.Get) -> Growth:
        return Growth((tree.root(earlier, get), tree.root(later, get)), tree.consistency(earlier, later, get))

    nodes = await nodes_of(connection, tree.needed(prove))
    return prove(nodes.__getitem__)


async def text_of(connection: Any, index: int) -> tuple[str, str] | None:  # noqa: ANN401 - asyncpg's pool
    """The text of a leaf as it was hashed, and the row's own; None once its month was dropped."""
    row = await connection.fetchrow(_TEXT, index)
    return None if row is None else (leaf_text(row["writer"], row["sequence"], row["body"]), row["body"])
