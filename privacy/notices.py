"""Notices: the versions there are, which of them holds for whom, and who said what to it (C75, C78, C82).

A version counts from its effective date in Shanghai on; before that it is only read. Whoever has not agreed to a major
one keeps the terms of the last one before it: purposes and recipients that came later are not theirs. A minor version
changes no terms, so it holds for whom the version before it does.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from authz.law import Function
from ledger.append import add_alone
from ledger.behaviour import SHANGHAI
from ledger.rows import Kind, Operation
from models.organizations import OrganizationKind
from models.vocabulary import Purpose
from privacy.notice_contents import Content, parse_content

ITSELF = "needful"
"""Who published the version that a release comes with."""
_DEFAULT = Path(__file__).parent / "data" / "notices" / "2020-10-26.json"

_SELECT = """
SELECT n.number, n.version, n.digest, n.effective_from, n.major, n.summary,
       (SELECT json_agg(json_build_array(f.purpose, f.recipient, f.categories)) FROM notice_function f
        WHERE f.notice = n.number)::text AS functions
FROM notice n
"""
_CONTENTS = "SELECT number, content FROM notice WHERE number = ANY($1::int[])"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('needful.notices'))"
_KEEP = """
INSERT INTO notice (number, version, effective_from, major, content, digest, summary, published_by, reason,
published_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_KEEP_FUNCTION = "INSERT INTO notice_function (notice, purpose, recipient, categories) VALUES ($1, $2, $3, $4)"
_AGREE = """
INSERT INTO notice_agreement (id, person_id, notice, agrees, guardian_id, said_at) VALUES ($1, $2, $3, $4, $5, $6)
"""
_SAID = """
SELECT a.person_id, array_agg(a.notice) FILTER (WHERE a.agrees) AS agreed,
    coalesce(max(a.notice) FILTER (WHERE a.agrees IS NOT NULL), 0) AS shown,
    coalesce(max(a.notice) FILTER (WHERE a.agrees IS NULL), 0) AS known_under
FROM notice_agreement a JOIN notice n ON n.number = a.notice
WHERE a.person_id = ANY($1::uuid[]) AND n.effective_from <= $2
GROUP BY a.person_id
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One published version; `functions`: the categories (a stored set) that it tells of by function."""

    number: int
    version: str
    digest: str
    effective_from: datetime
    major: bool
    functions: Mapping[Function, int]
    summary: str

    @property
    def effective_on(self) -> date:
        """The first day on which it counts, in Shanghai."""
        return self.effective_from.astimezone(SHANGHAI).date()


@dataclass(frozen=True, slots=True)
class Said:
    """What a person said so far, by numbers: what they agreed to, the latest that they were shown.

    `known_under`: the version that held when they were first known, of which they said nothing by that; 0: the first.
    """

    yes: frozenset[int] = frozenset()
    shown: int = 0
    known_under: int = 0

    @property
    def agreed(self) -> int:
        """The latest version that they agreed to; 0: none."""
        return max(self.yes, default=0)


class NoNoticeError(LookupError):
    """No notice is in force: the database was not brought up by this program."""


async def versions(connection: Any) -> list[Version]:  # noqa: ANN401 - asyncpg's connection, here and below
    """Every published version, the oldest first. Raises the database's error, here and below."""
    return [_version(row) for row in await connection.fetch(f"{_SELECT} ORDER BY n.number")]


async def effective(connection: Any, *, now: datetime) -> list[Version]:  # noqa: ANN401
    """The versions that count by now, the oldest first; never none. Raises NoNoticeError."""
    found = [one for one in await versions(connection) if one.effective_from <= now]
    if not found:
        raise NoNoticeError
    return found


async def newest(connection: Any, *, now: datetime) -> Version:  # noqa: ANN401
    """The latest version that counts by now (C79). Raises NoNoticeError."""
    return (await effective(connection, now=now))[-1]


async def content_of(connection: Any, number: int) -> Content:  # noqa: ANN401
    """What a published version says."""
    return (await contents_of(connection, [number]))[number]


async def contents_of(connection: Any, numbers: Collection[int]) -> dict[int, Content]:  # noqa: ANN401
    """What published versions say, by their numbers."""
    return {row["number"]: _parsed(row["content"]) for row in await connection.fetch(_CONTENTS, list(numbers))}


async def standing(connection: Any, person: UUID, *, now: datetime) -> Version:  # noqa: ANN401
    """The version whose terms hold for a person. Raises NoNoticeError."""
    return stands_under(await effective(connection, now=now), await said(connection, person, now=now))


async def pending(connection: Any, person: UUID, *, now: datetime) -> list[Version]:  # noqa: ANN401
    """The versions that a person has to be shown, the oldest first (C78). Raises NoNoticeError."""
    return still_to_show(await effective(connection, now=now), await said(connection, person, now=now))


async def said(connection: Any, person: UUID, *, now: datetime) -> Said:  # noqa: ANN401
    """What a person said to the versions that count by now."""
    return (await said_of(connection, [person], now=now))[person]


async def said_of(connection: Any, people: Collection[UUID], *, now: datetime) -> dict[UUID, Said]:  # noqa: ANN401
    """The same by person."""
    rows = await connection.fetch(_SAID, list(people), now)
    found = {row["person_id"]: Said(frozenset(row["agreed"] or ()), row["shown"], row["known_under"]) for row in rows}
    return {person: found.get(person, Said()) for person in people}


def stands_under(found: Sequence[Version], by: Said) -> Version:
    """Which of the effective versions holds: the latest agreed to or first known under, and what is minor after it.

    Without either it is the first.
    """
    begins = max(by.agreed, by.known_under)
    place = max((place for place, one in enumerate(found) if one.number == begins), default=0)
    for one in found[place + 1 :]:
        if one.major:
            break
        place += 1
    return found[place]


def still_to_show(found: Sequence[Version], by: Said) -> list[Version]:
    """The major ones that came after all that somebody was shown, and the one that they were first known under.

    Nobody is asked about the very first.
    """
    unseen = [one for one in found[1:] if one.number > by.shown]
    return [one for one in unseen if one.number == by.known_under or (one.major and one.number > by.known_under)]


async def agree(  # noqa: PLR0913 - what is kept of it
    connection: Any,  # noqa: ANN401
    person: UUID,
    version: Version,
    *,
    agrees: bool | None,
    guardian: UUID | None,
    now: datetime,
) -> None:
    """Keep that a person was shown a version, and whether they agree; `guardian`: who said so for them.

    `agrees` is None for who was shown nothing yet, and first known under it.
    """
    await connection.execute(_AGREE, uuid4(), person, version.number, agrees, guardian, now)


async def collected_under(connection: Any, person: UUID, *, now: datetime) -> None:  # noqa: ANN401
    """A person first known now stands under the newest version, which is what their data were collected under.

    That is no word of theirs: it is to be shown to them, and they may refuse it (C75, C78).
    """
    found = [one for one in await versions(connection) if one.effective_from <= now]
    # The first one holds for everybody anyhow.
    if len(found) > 1:
        await agree(connection, person, found[-1], agrees=None, guardian=None, now=now)


@lru_cache(maxsize=16)
def _parsed(text: str) -> Content:
    # A published text never changes, and is asked for again and again.
    return parse_content(text)


def default_notice() -> Content:
    """The version that this release comes with, the first: the policy of 2020-10-26. Raises NoticeError."""
    return parse_content(_DEFAULT.read_text("utf-8"))


async def keep_default_notice(connection: Any, *, now: datetime) -> None:  # noqa: ANN401 - the owner's connection
    """Publish the release's version where none has been published."""
    async with connection.transaction():
        await lock(connection)
        if await connection.fetchval("SELECT EXISTS (SELECT FROM notice)"):
            return
        given = default_notice()
        reason = "The notice that this release comes with."
        await keep(connection, given, number=1, major=True, by=ITSELF, reason=reason, now=now)
        detail = {"act": "publishNotice", "notice": 1, "major": True}
        await add_alone(connection, Operation(Kind.WRITE, uuid4(), now, digest=given.digest, detail=detail))


async def lock(connection: Any) -> None:  # noqa: ANN401
    """Nobody else publishes until the caller's transaction ends."""
    await connection.execute(_LOCK)


async def keep(  # noqa: PLR0913 - what is kept of it
    connection: Any,  # noqa: ANN401
    given: Content,
    *,
    number: int,
    major: bool,
    by: str,
    reason: str,
    now: datetime,
) -> None:
    """Store a version, in the caller's transaction and under its lock."""
    await connection.execute(
        _KEEP,
        number,
        given.version,
        effective_from(given.effective_on),
        major,
        given.text,
        given.digest,
        given.summary,
        by,
        reason,
        now,
    )
    rows = [(number, one.purpose.value, one.recipient.value, one.categories) for one in given.functions]
    await connection.executemany(_KEEP_FUNCTION, rows)


def effective_from(day: date) -> datetime:
    """The moment a day begins in Shanghai."""
    return datetime.combine(day, time(), SHANGHAI)


def _version(row: Any) -> Version:  # noqa: ANN401 - asyncpg's record
    told = json.loads(row["functions"] or "[]")
    return Version(
        row["number"],
        row["version"],
        row["digest"],
        row["effective_from"],
        row["major"],
        {(Purpose(purpose), OrganizationKind(recipient)): categories for purpose, recipient, categories in told},
        row["summary"],
    )
