"""Exactly once: a write under a client's idempotency key is done once, and asked for again is only shown again.

The key stands for 24 hours for one request of one client. A problem undoes what its write had begun and keeps nothing:
once its cause is mended the same key may be used again, for the same request or for the corrected one.
Shape of the header: the IETF's draft "The Idempotency-Key HTTP Header Field"; it is read as it comes, quotes and all.
"""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from resolvers.payloads import Once, Problem, ProblemCode, Write, Written
from resolvers.problems import bad_input
from resolvers.writing.targets import still_permitted
from vault.keyring import Keyring

KEPT = timedelta(hours=24)
_HASHED = b"idempotency"
_ANSWER = "Answer"
"""What stands for a noun where the answer itself is kept."""
_REUSED = "This Idempotency-Key stands for another request. Take a new key for a new request."

_LOCK = "SELECT pg_advisory_xact_lock($1)"
_FIND = """
SELECT request_digest, noun, row_id, answer FROM idempotency_key
WHERE client = $1 AND key_digest = $2 AND expires_at > $3
"""
_KEEP = """
INSERT INTO idempotency_key (client, key_digest, request_digest, noun, row_id, answer, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (client, key_digest) DO UPDATE SET request_digest = excluded.request_digest, noun = excluded.noun,
row_id = excluded.row_id, answer = excluded.answer, expires_at = excluded.expires_at
"""


def once_of(keyring: Keyring, key: str, *, request: Sequence[Any]) -> Once:
    """A key and what it stands for as keyed hashes. `request`: all that makes it this one, as JSON has it.

    Raises BAD_USER_INPUT for what is nested deeper than any input.
    """
    try:
        text = orjson.dumps(request, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise bad_input("variables", "The variables are nested deeper than any input of this schema.") from None
    return Once(_digest(keyring, b"key", key.encode()), _digest(keyring, b"request", text))


def _digest(keyring: Keyring, kind: bytes, value: bytes) -> bytes:
    return hmac.digest(keyring.cursor, b"\0".join((_HASHED, kind, value)), "sha256")


async def done_once(write: Write, work: Callable[[], Awaitable[Written | Problem]]) -> Written | Problem:
    """Do some work, unless it was done under the same key: then give what it wrote, if the caller still may.

    Of work that ends in a problem nothing stays.
    """
    found = await _found(write)
    if found is not None:
        return await _again(write, found)
    outcome = await _all_or_nothing(write, work)
    if isinstance(outcome, Written):
        await _keep(write, outcome)
    return outcome


async def answered_once(write: Write, work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Do some work whose answer is about no row of a noun, unless it was done under the same key: then give that one.

    Of work that ends in a problem no answer is kept. Raises BAD_USER_INPUT for a key of another request.
    """
    found = await _found(write)
    if found is not None:
        if not _is_same(write, found):
            raise bad_input("Idempotency-Key", _REUSED)
        write.repeated = True
        kept: dict[str, Any] = orjson.loads(found["answer"])
        return kept
    answer = await work()
    if write.refused is None:
        await _keep(write, Written(_ANSWER, write.decision), orjson.dumps(answer).decode())
    return answer


async def _found(write: Write) -> Any:  # noqa: ANN401 - asyncpg's row
    """What is kept under the write's key, if it has one. Whoever comes meanwhile waits for this transaction's end."""
    once, client = write.once, write.subject.identity
    if once is None or client is None:
        return None
    await write.connection.execute(_LOCK, int.from_bytes(_place(client, once), "big", signed=True))
    return await write.connection.fetchrow(_FIND, client, once.key_digest, write.now)


async def _keep(write: Write, written: Written, answer: str | None = None) -> None:
    once, client = write.once, write.subject.identity
    if once is not None and client is not None:
        digests = once.key_digest, once.request_digest
        await write.connection.execute(_KEEP, client, *digests, written.noun, written.id, answer, write.now + KEPT)


def _is_same(write: Write, found: Any) -> bool:  # noqa: ANN401 - as above
    return write.once is not None and hmac.compare_digest(found["request_digest"], write.once.request_digest)


async def _all_or_nothing(write: Write, work: Callable[[], Awaitable[Written | Problem]]) -> Written | Problem:
    """Some work; what was refused halfway leaves nothing behind, though its ledger row is committed."""
    savepoint = write.connection.transaction()
    await savepoint.start()
    try:
        outcome = await work()
    except BaseException:
        await savepoint.rollback()
        raise
    await (savepoint.commit() if isinstance(outcome, Written) else savepoint.rollback())
    return outcome


def _place(client: UUID, once: Once) -> bytes:
    """Where the lock of a key stands. Two keys that share one wait for each other and no more."""
    return hmac.digest(client.bytes, once.key_digest, "sha256")[:8]


async def _again(write: Write, found: Any) -> Written | Problem:  # noqa: ANN401 - as above
    if not _is_same(write, found):
        return Problem(ProblemCode.IDEMPOTENCY_KEY_REUSED, _REUSED)
    write.repeated = True
    written = Written(found["noun"], found["row_id"])
    return await still_permitted(write, written) or written
