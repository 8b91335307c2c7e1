"""What persons are called in the ledger: random numbers, each kept in one place and gone with it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

_FIND = "SELECT person_id, reference FROM person_reference WHERE person_id = ANY($1::uuid[])"
_GIVE = "INSERT INTO person_reference (person_id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM person_reference WHERE person_id = $1"


async def references_of(connection: Any, people: Iterable[UUID]) -> dict[UUID, int]:  # noqa: ANN401 - asyncpg's proxy
    """The reference of each person; who has none yet is given one. Raises the database's error."""
    # In one order, lest two that ask at once wait for each other.
    wanted = sorted(set(people))
    if not wanted:
        return {}
    found = {row["person_id"]: row["reference"] for row in await connection.fetch(_FIND, wanted)}
    while missing := [one for one in wanted if one not in found]:
        # Two may ask at once, and a number may be taken: whoever is still missing gets another.
        await connection.execute(_GIVE, missing)
        found |= {row["person_id"]: row["reference"] for row in await connection.fetch(_FIND, missing)}
    return found


async def forget(connection: Any, person: UUID) -> None:  # noqa: ANN401 - asyncpg's proxy
    """Make what the ledger says of a person so far nobody's; `connection` is the owner's. Raises the database's error.

    A worker may go on with the forgotten number for as long as it runs: that means nothing any more.
    """
    await connection.execute(_FORGET, person)
