"""Links to archives: each good once, for at most seven days, and for nobody but who asked for it (C64).

Whoever asks is given a token of 256 random bits, whose hash alone is stored; of the archive nothing is. It is made
when it is fetched, by the same person logged in still or again: a link that gets into other hands opens nothing.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from privacy.rights import Bureau, for_archive

LASTS = timedelta(days=7)
MOST_A_DAY = 10
"""Links for one person: to make an archive takes a while."""
_DAY = timedelta(days=1)
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 64

_LATELY = "SELECT count(*), min(issued_at) FROM export_link WHERE person_id = $1 AND issued_at > $2"
# Whoever asks at the same moment waits here, so that the ceiling holds.
_HOLD = "SELECT FROM person WHERE id = $1 FOR NO KEY UPDATE"
_ISSUE = """
INSERT INTO export_link (id, digest, person_id, requester_id, request_id, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Two at once: the second finds it taken, and does not wait. What was withdrawn, or answered by another link, is over.
_TAKE = """
SELECT l.id, l.person_id, l.request_id FROM export_link l JOIN rights_request q ON q.id = l.request_id
WHERE l.digest = $1 AND l.requester_id = $2 AND (l.person_id = l.requester_id) = $3 AND l.fetched_at IS NULL
AND l.expires_at > $4 AND q.closed_at IS NULL
FOR UPDATE OF l SKIP LOCKED
"""
_FETCHED = "UPDATE export_link SET fetched_at = $2 WHERE id = $1"
_CLOSE = """
UPDATE rights_request SET state = 'GRANTED', closed_at = greatest($2, opened_at), decided_at = greatest($2, opened_at)
WHERE id = $1 AND closed_at IS NULL
"""
# An officer who has it in hand answers it themselves.
_LAPSE = """
UPDATE rights_request r SET state = 'CLOSED', closed_at = greatest($1, r.opened_at)
WHERE r.kind = 'export' AND r.closed_at IS NULL AND EXISTS (SELECT FROM export_link l WHERE l.request_id = r.id)
AND NOT EXISTS (SELECT FROM export_link l WHERE l.request_id = r.id AND l.fetched_at IS NULL AND l.expires_at > $1)
AND NOT EXISTS (SELECT FROM assignment a WHERE a.rights_request_id = r.id AND a.ended_at IS NULL) RETURNING r.id
"""


@dataclass(frozen=True, slots=True)
class Issued:
    """A link just made; its token is given once and stands nowhere."""

    id: UUID
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A link that is being used, its row locked until the transaction ends."""

    id: UUID
    person: UUID
    request: UUID


async def wait_for_another(connection: Any, person: UUID, *, now: datetime) -> int | None:  # noqa: ANN401 - asyncpg's proxy, here and below
    """None: another link may be made. Otherwise the seconds until then; nobody else makes one meanwhile."""
    await connection.execute(_HOLD, person)
    made, first = await connection.fetchrow(_LATELY, person, now - _DAY)
    return None if made < MOST_A_DAY else int((first + _DAY - now).total_seconds()) + 1


async def issue(bureau: Bureau, person: UUID, *, by: UUID) -> Issued:
    """Make a link to an archive about a person, under a request that is open or opened now; they end together."""
    request = await for_archive(bureau, person, by)
    made = Issued(uuid4(), secrets.token_urlsafe(_TOKEN_BYTES), bureau.now + LASTS)
    kept = made.id, _digest(made.token), person, by, request, bureau.now, made.expires_at
    await bureau.connection.execute(_ISSUE, *kept)
    return made


async def take(connection: Any, token: str, *, by: UUID, own: bool, now: datetime) -> Taken | None:  # noqa: ANN401
    """The link of a token, held in the caller's transaction: it is used once that sees `fetched` and commits.

    None for one that is not of this person, `own` or a ward's, is used, in use or past, and for what is none.
    """
    if len(token) > _LONGEST_TOKEN:
        return None
    row = await connection.fetchrow(_TAKE, _digest(token), by, own, now)
    return row and Taken(row["id"], row["person_id"], row["request_id"])


async def fetched(connection: Any, link: Taken, *, now: datetime) -> None:  # noqa: ANN401
    """The archive is given: the link is used up and its request done."""
    await connection.execute(_FETCHED, link.id, now)
    await connection.execute(_CLOSE, link.request, now)


async def lapse(connection: Any, *, now: datetime) -> int:  # noqa: ANN401
    """Close the requests whose links nobody used in time, and no officer has in hand: how many. Twice, it is none."""
    return len(await connection.fetch(_LAPSE, now))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
