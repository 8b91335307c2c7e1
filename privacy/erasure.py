"""Erasure: a class of somebody's data is destroyed with its key, and what stood in the clear beside it goes too (C29).

For many persons at once, in the caller's transaction. What is due goes in this order, and all of it or nothing:

1. what the law wants kept of who they are is sealed anew, under a key of its own (`restricted_record`);
2. the ledger says what is erased, by the person's reference;
3. the data keys of the classes, and every sealed value under them;
4. of the account: the log-in, sessions, blind indexes, and whatever else would tell who it was;
5. the reference itself, once no key of the person is left.

Rows of policies and claims stay, with their numbers, days and states: with nothing that says whose they were. What was
destroyed after a tombstone's moment is not what it speaks of, so a tombstone can be applied again at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from ledger.append import ADD
from ledger.references import references_of
from ledger.rows import WRITE, Entry, Kind, Operation, body_of
from models.vocabulary import Retention
from privacy.holding import Holding
from privacy.holdings import HOLDINGS
from privacy.remainders import Remainder, keep, remainders_of
from privacy.tombstones import Tombstone
from vault.keyring import Keyring
from vault.sealing import SealedValueError

GROUND = "RETENTION_ENDED"
"""Why something is erased that nobody ordered to be."""

# Whoever is about to name them anew waits, or was first and has said so.
_LOCK = "SELECT id FROM person WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED"
# Whoever seals under a key at this moment holds it.
_KEYS = "SELECT id, person_id FROM data_key WHERE person_id = ANY($1::uuid[])"
_LOCK_KEYS = "SELECT id FROM data_key WHERE person_id = ANY($1::uuid[]) ORDER BY id FOR UPDATE SKIP LOCKED"
_LOCK_ONE = "SELECT FROM person WHERE id = $1 FOR UPDATE"
_ALIVE = """
SELECT k.person_id, k.retention FROM data_key k
JOIN unnest($1::uuid[], $2::smallint[], $3::timestamptz[]) s (person, class, at)
ON s.person = k.person_id AND s.class = k.retention
WHERE k.wrapped IS NOT NULL AND (k.erased_at IS NULL OR k.erased_at < s.at) FOR UPDATE OF k
"""
_ORDERS = """
SELECT DISTINCT ON (person_id) person_id, id, ground FROM erasure_order
WHERE person_id = ANY($1::uuid[]) ORDER BY person_id, ordered_at, id
"""
_DESTROY = """
UPDATE data_key k SET wrapped = NULL, erased_at = s.at
FROM unnest($1::uuid[], $2::smallint[], $3::timestamptz[]) s (person, class, at)
WHERE k.person_id = s.person AND k.retention = s.class
"""
_LEFT = """
SELECT p FROM unnest($1::uuid[]) p
WHERE NOT EXISTS (SELECT FROM data_key k WHERE k.person_id = p AND k.wrapped IS NOT NULL)
"""
_FORGET = "DELETE FROM person_reference WHERE person_id = ANY($1::uuid[])"
_UNTIE = """
UPDATE erasure_order SET person_id = NULL, request_id = NULL WHERE person_id = ANY($1::uuid[]) AND done_at IS NOT NULL
"""
_DONE = "UPDATE erasure_order SET done_at = $2 WHERE id = ANY($1::uuid[]) AND done_at IS NULL"

_ACCOUNTS = "(SELECT id FROM account WHERE person_id = ANY($1::uuid[]))"
_SESSIONS = f"(SELECT id FROM session WHERE account_id IN {_ACCOUNTS})"  # noqa: S608 - our own names
_PLAIN: Mapping[Retention, Sequence[str]] = {
    Retention.ACCOUNT: (
        # Tokens live for minutes; sessions are asked for at each use.
        (
            "INSERT INTO revocation (kind, key, expires_at)"
            " SELECT 'SUBJECT', id::text, clock_timestamp() + interval '1 hour' FROM account WHERE person_id = ANY($1::uuid[])"  # noqa: E501
        ),
        f"DELETE FROM refresh_token WHERE session_id IN {_SESSIONS}",  # noqa: S608 - our own names
        f"DELETE FROM session WHERE account_id IN {_ACCOUNTS}",  # noqa: S608 - our own names
        f"DELETE FROM login WHERE account_id IN {_ACCOUNTS}",  # noqa: S608 - our own names
        f"DELETE FROM idempotency_key WHERE client IN {_ACCOUNTS}",  # noqa: S608 - our own names
        f"DELETE FROM disclosure_lease WHERE subject IN {_ACCOUNTS}",  # noqa: S608 - our own names
        "DELETE FROM account WHERE person_id = ANY($1::uuid[])",
        "DELETE FROM blind_index WHERE person_id = ANY($1::uuid[])",
        "DELETE FROM permission WHERE person_id = ANY($1::uuid[])",
        "DELETE FROM marketing_refusal WHERE person_id = ANY($1::uuid[])",
        "UPDATE person SET id_type = NULL WHERE id = ANY($1::uuid[]) AND id_type IS NOT NULL",
        # Under an audience's id its recipient would still know them.
        (
            "UPDATE consent SET audience_id = NULL, withdrawn_at = coalesce(withdrawn_at, greatest(now(), granted_at))"
            " WHERE person_id = ANY($1::uuid[]) AND (audience_id IS NOT NULL OR withdrawn_at IS NULL)"
        ),
        (
            "UPDATE virtual_phone SET ended_at = greatest(now(), issued_at)"
            " WHERE person_id = ANY($1::uuid[]) AND ended_at IS NULL"
        ),
        (
            "UPDATE guardian_request SET state = CASE state WHEN 'PENDING' THEN 'WITHDRAWN' ELSE state END,"
            " decided_at = coalesce(decided_at, now()), child_digest = NULL, stated_sealed = NULL, note = NULL"
            " WHERE guardian_id = ANY($1::uuid[]) AND (state = 'PENDING' OR note IS NOT NULL)"
        ),
        (
            "UPDATE guardian_link SET revoked_at = now(), revoked_by = 'needful'"
            " WHERE (guardian_id = ANY($1::uuid[]) OR child_id = ANY($1::uuid[])) AND revoked_at IS NULL"
        ),
        (
            "UPDATE verification_result SET note = NULL WHERE note IS NOT NULL"
            " AND case_id IN (SELECT id FROM verification_case WHERE person_id = ANY($1::uuid[]))"
        ),
    ),
    Retention.CLAIM: (
        (
            "UPDATE claim SET reporter_relation = NULL, requested_items = NULL"
            " WHERE insured_id = ANY($1::uuid[]) AND num_nonnulls(reporter_relation, requested_items) > 0"
        ),
    ),
    Retention.DEVICE: ("DELETE FROM device WHERE person_id = ANY($1::uuid[])",),
    Retention.RESTRICTED: ("DELETE FROM restricted_record WHERE person_id = ANY($1::uuid[])",),
}
"""What goes with a class though it is not sealed, of the persons $1."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased of one person; `proof` is the decision that the ledger has it under."""

    person: UUID
    classes: frozenset[Retention]
    proof: UUID


async def apply(connection: Any, keyring: Keyring, stone: Tombstone) -> bool:  # noqa: ANN401 - asyncpg's
    """Erase what one tombstone says, if it is still there; was it? The tombstone stands already.

    `connection` is the owner's. Raises SealedValueError where what the law wants kept cannot be opened, and the
    database's errors; nothing is erased then.
    """
    async with connection.transaction():
        await connection.fetch(_LOCK_ONE, stone.person)
        kept, unreadable = await remainders_of(connection, keyring, [stone])
        if unreadable:
            message = "what the law wants kept of somebody"
            raise SealedValueError(message)
        erased = await erase(connection, [stone], kept)
        await finish(connection, [stone.person], [], now=stone.at)
        return bool(erased)


async def lock(connection: Any, people: Sequence[UUID]) -> list[UUID]:  # noqa: ANN401 - asyncpg's
    """Lock people, those aside whom somebody is writing about at this moment; who is locked, in order."""
    locked = [row["id"] for row in await connection.fetch(_LOCK, people)]
    keys = await connection.fetch(_KEYS, locked)
    free = {row["id"] for row in await connection.fetch(_LOCK_KEYS, locked)}
    busy = {row["person_id"] for row in keys if row["id"] not in free}
    return [person for person in locked if person not in busy]


async def erase(
    connection: Any,  # noqa: ANN401 - asyncpg's
    stones: Sequence[Tombstone],
    kept: Sequence[Remainder],
) -> list[Erased]:
    """Erase what tombstones say; what there was to erase. Whose persons they are is locked. Raises database errors."""
    asked = [(stone, one) for stone in stones for one in sorted(stone.classes)]
    columns = [stone.person for stone, _ in asked], [int(one) for _, one in asked], [stone.at for stone, _ in asked]
    alive: dict[UUID, set[Retention]] = {}
    for row in await connection.fetch(_ALIVE, *columns):
        alive.setdefault(row["person_id"], set()).add(Retention(row["retention"]))
    if not alive:
        return []
    await keep(connection, [one for one in kept if Retention.ACCOUNT in alive.get(one.person, ())])
    erased = await _prove(connection, alive, stones)
    gone = [(stone, one) for stone, one in asked if one in alive.get(stone.person, ())]
    await connection.execute(
        _DESTROY, [stone.person for stone, _ in gone], [int(one) for _, one in gone], [stone.at for stone, _ in gone]
    )
    for retention in Retention:
        people = [person for person, classes in alive.items() if retention in classes]
        if people:
            for statement in (*_SEALED.get(retention, ()), *_PLAIN.get(retention, ())):
                await connection.execute(statement, people)
    return erased


async def finish(connection: Any, people: Sequence[UUID], done: Sequence[UUID], *, now: datetime) -> None:  # noqa: ANN401 - asyncpg's
    """Orders are done; and of whom nothing is left, nobody can tell any more what the ledger says of them."""
    await connection.execute(_DONE, done, now)
    left = [row[0] for row in await connection.fetch(_LEFT, people)]
    if left:
        await connection.execute(_FORGET, left)
        await connection.execute(_UNTIE, left)


async def _prove(
    connection: Any,  # noqa: ANN401 - asyncpg's
    alive: Mapping[UUID, set[Retention]],
    stones: Sequence[Tombstone],
) -> list[Erased]:
    """One row of the ledger for each, under the order's id where there was one: whoever has that can have it proved."""
    orders = {row["person_id"]: row for row in await connection.fetch(_ORDERS, list(alive))}
    references = await references_of(connection, alive)
    moments: list[datetime] = []
    bodies: list[str] = []
    erased: list[Erased] = []
    for stone in stones:
        classes = alive.get(stone.person)
        if not classes or (erased and erased[-1].person == stone.person):
            continue
        order = orders.get(stone.person)
        proof = order["id"] if order else uuid4()
        named = [one.name for one in sorted(classes)]
        detail: dict[str, Any] = {"erased": named, "ground": order["ground"] if order else GROUND}
        if stone.keep_until and Retention.ACCOUNT in classes:
            detail["restrictedUntil"] = stone.keep_until.isoformat()
        entry = Entry(("Mutation.erase",), WRITE, None, 0, 0)
        row = Operation(
            Kind.ERASURE, proof, stone.at, persons=[stone.person], groups=[([0], None)], entries=[entry], detail=detail
        )
        moments.append(stone.at)
        bodies.append(body_of(row, references.__getitem__))
        erased.append(Erased(stone.person, frozenset(classes), proof))
    await connection.execute(ADD, uuid4(), moments, bodies)
    return erased


def _nulled(one: Holding) -> str:
    sets = ", ".join(f"{column} = NULL" for column in one.sealed)
    some = f"num_nonnulls({', '.join(f't.{column}' for column in one.sealed)}) > 0"
    return f"UPDATE {one.table} t SET {sets} WHERE {one.owner} = ANY($1::uuid[]) AND {some}"  # noqa: S608 - our own names


_SEALED: Mapping[Retention, Sequence[str]] = {
    retention: [
        _nulled(one)
        for one in HOLDINGS
        # A request's sealed items go with its state, which says whether there are any; a device's row goes whole.
        if one.retention is retention and one.table not in {"guardian_request", "device", "restricted_record"}
    ]
    for retention in Retention
}
"""What is sealed under each class, of the persons $1: as the data map has it."""
