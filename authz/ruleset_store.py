"""Rulesets in the database: immutable, numbered, kept as texts by their digests, of which most are shared."""

import csv
import hashlib
import io
import threading
from asyncio import to_thread
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from authz.catalogue import Catalogue
from authz.rules import (
    BUDGET_COLUMNS,
    Budget,
    Rule,
    Ruleset,
    RulesetError,
    digest_of,
    make_ruleset,
    parse_budget,
    parse_rule,
)
from ledger.append import add_alone
from ledger.rows import Operation
from models.rulesets import CHANNEL, RulesetKind
from models.vocabulary import Purpose, Role

NO_CASES = "[]"
"""The text of a set of cases that has none."""

# Numbers are given under this lock and kept to the end: the greater number is the later ruleset, and whoever has seen
# one has missed none before it.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('ruleset'))"
_LATEST = "SELECT coalesce(max(number), 0) FROM ruleset"
_KEEP_TEXT = (
    "INSERT INTO ruleset_text (digest, text) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"
)
_THERE = "SELECT digest FROM ruleset_text WHERE digest = ANY($1::text[])"
_KEEP = """
INSERT INTO ruleset (number, digest, parent, kind, restores, author, reason, draft, manifest, cases, published_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11)
"""
_NOTIFY = "SELECT pg_notify($1, $2)"
_ONE = """
SELECT number, digest, parent, kind, restores, author, reason, draft, manifest::text AS manifest, cases, published_at
FROM ruleset WHERE number = $1
"""
_TEXTS = "SELECT digest, text FROM ruleset_text WHERE digest = ANY($1::text[])"

_Place = tuple[str, str]
"""A role and a purpose, as words: a later release may not know them any more."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a ruleset or a draft says: rules, budgets, and the text of its cases (`authz.workbench.cases`)."""

    rules: tuple[Rule, ...]
    budgets: tuple[Budget, ...]
    cases: str = NO_CASES

    @property
    def digest(self) -> str:
        """The name of rules and budgets, as a ruleset's."""
        return digest_of(sorted(self.rules, key=attrgetter("line")), sorted(self.budgets))

    def ruleset(self, number: int, catalogue: Catalogue) -> Ruleset:
        """As a ruleset of a number. Raises RulesetError."""
        return make_ruleset(number, self.rules, catalogue=catalogue, budgets=self.budgets)


@dataclass(frozen=True, slots=True)
class Publication:
    """What is known of a ruleset beside its content; `author`: an account's id, `operator` or `needful`."""

    number: int
    digest: str
    parent: int | None
    kind: RulesetKind
    restores: int | None
    author: str
    reason: str
    draft: UUID | None
    cases: str
    """The digest of the text of its cases."""
    published_at: datetime
    slices: Mapping[_Place, str]
    """The digest of the text of each role and purpose that has rows."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the text of one role and purpose says."""

    rules: tuple[Rule, ...]
    budgets: tuple[Budget, ...]


class _Shelf:
    """Parts by their digests, which are all that they depend on; those that nobody has asked for longest go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: dict[str, Part] = {}
        self._lock = threading.Lock()

    def some(self, digests: Iterable[str]) -> dict[str, Part]:
        """Those that are here."""
        with self._lock:
            found = {digest: self._parts.pop(digest) for digest in {*digests} & self._parts.keys()}
            self._parts |= found
            return found

    def keep(self, digest: str, part: Part) -> Part:
        """Keep a part, and give it back."""
        with self._lock:
            self._parts[digest] = part
            while len(self._parts) > self._most:
                del self._parts[next(iter(self._parts))]
        return part


_SHELF = _Shelf(2 * len(Role) * len(Purpose))
"""As many as two rulesets have at most: the one in force, and what it is compared with."""


class StaleError(Exception):
    """Another ruleset has been published since: what was made from an earlier one must be looked at again."""


async def lock(connection: Any) -> None:  # noqa: ANN401 - asyncpg's connection
    """Nobody else publishes until the caller's transaction ends. Raises the database's error."""
    await connection.execute(_LOCK)


async def latest(connection: Any) -> int:  # noqa: ANN401 - asyncpg's connection, pool or proxy
    """The number of the ruleset in force; 0: none has been published. Raises the database's error."""
    found: int = await connection.fetchval(_LATEST)
    return found


async def publication(connection: Any, number: int) -> Publication | None:  # noqa: ANN401 - as above
    """What is known of a ruleset; None for a number that none has. Raises the database's error."""
    row = await connection.fetchrow(_ONE, number)
    if row is None:
        return None
    slices = {(role, purpose): digest for role, purpose, digest in orjson.loads(row["manifest"])}
    return Publication(
        number=row["number"],
        digest=row["digest"],
        parent=row["parent"],
        kind=RulesetKind(row["kind"]),
        restores=row["restores"],
        author=row["author"],
        reason=row["reason"],
        draft=row["draft"],
        cases=row["cases"],
        published_at=row["published_at"],
        slices=slices,
    )


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a ruleset is made of: its parts where they were known, and the texts of all others."""

    found: Publication
    known: Mapping[str, Part]
    texts: Mapping[str, str]

    def ruleset(self, catalogue: Catalogue) -> Ruleset:
        """As a ruleset, compared with its digest. Raises RulesetError. May take a second, if all is new."""
        rules, budgets = self._rows()
        whole = make_ruleset(self.found.number, rules, catalogue=catalogue, budgets=budgets)
        if whole.digest != self.found.digest:
            raise self._altered()
        return whole

    def content(self) -> Content:
        """Its rules, budgets and cases, compared with its digests. Raises RulesetError. As slow."""
        whole = Content(*self._rows(), self.texts[self.found.cases])
        if whole.digest != self.found.digest or text_digest(whole.cases) != self.found.cases:
            raise self._altered()
        return whole

    def _rows(self) -> tuple[tuple[Rule, ...], tuple[Budget, ...]]:
        parts = [self.known.get(digest) or self._parsed(digest) for digest in self.found.slices.values()]
        rules = tuple(rule for part in parts for rule in part.rules)
        return rules, tuple(budget for part in parts for budget in part.budgets)

    def _parsed(self, digest: str) -> Part:
        given = self.texts[digest]
        if text_digest(given) != digest:
            raise self._altered()
        return _SHELF.keep(digest, Part(*parts([given])))

    def _altered(self) -> RulesetError:
        return RulesetError(f"ruleset {self.found.number}: its rows are not those that were published")


async def fetch(connection: Any, found: Publication) -> Fetched:  # noqa: ANN401 - as above
    """What a ruleset is made of; only new texts are asked for. Raises RulesetError, the database's error."""
    known = _SHELF.some(found.slices.values())
    wanted = {*found.slices.values(), found.cases} - known.keys()
    texts = dict(await connection.fetch(_TEXTS, list(wanted)))
    if wanted - texts.keys():
        message = f"ruleset {found.number}: a part of it is missing"
        raise RulesetError(message)
    return Fetched(found, known, texts)


async def content(connection: Any, found: Publication) -> Content:  # noqa: ANN401 - as above
    """Its rules, budgets and cases, read back and compared with its digests. Raises RulesetError, the database's."""
    return await to_thread((await fetch(connection, found)).content)


async def published(connection: Any, number: int) -> Content:  # noqa: ANN401 - as above
    """What the ruleset of a number says. Raises RulesetError where there is none, or as `content` does."""
    found = await publication(connection, number)
    if found is None:
        message = f"there is no ruleset {number}"
        raise RulesetError(message)
    return await content(connection, found)


async def text(connection: Any, digest: str) -> str | None:  # noqa: ANN401 - as above
    """The text of a digest. Raises the database's error."""
    found: str | None = await connection.fetchval("SELECT text FROM ruleset_text WHERE digest = $1", digest)
    return found


async def keep_texts(connection: Any, *texts: str) -> list[str]:  # noqa: ANN401 - as above
    """Keep texts; their digests. Raises the database's error."""
    digests = [text_digest(one) for one in texts]
    there = {row[0] for row in await connection.fetch(_THERE, digests)}
    new = [(digest, one) for digest, one in zip(digests, texts, strict=True) if digest not in there]
    if new:
        await connection.execute(_KEEP_TEXT, *map(list, zip(*new, strict=True)))
    return digests


async def publish(  # noqa: PLR0913 - what is known of a ruleset
    connection: Any,  # noqa: ANN401 - as above
    given: Content,
    *,
    parent: int,
    kind: RulesetKind,
    author: str,
    reason: str,
    now: datetime,
    row: Operation,
    draft: UUID | None = None,
    restores: int | None = None,
) -> int:
    """Publish a checked content as the next ruleset, with its ledger `row`; in the caller's transaction; its number.

    From the commit on workers take it over. Nobody's approval is asked for here (`authz.workbench.approvals`).
    Raises StaleError where `parent` is not the ruleset in force, and the database's error.
    """
    await lock(connection)
    if await latest(connection) != parent:
        raise StaleError
    number = parent + 1
    slices = slice_texts(given)
    digests = await keep_texts(connection, *slices.values(), given.cases)
    manifest = orjson.dumps([(*place, digest) for place, digest in zip(slices, digests, strict=False)]).decode()
    head = number, given.digest, parent or None, kind.value, restores, author, reason, draft
    await connection.execute(_KEEP, *head, manifest, digests[-1], now)
    await add_alone(connection, row)
    await connection.execute(_NOTIFY, CHANNEL, str(number))
    return number


def slice_texts(given: Content) -> dict[_Place, str]:
    """The rows of each role and purpose that has any, as one text: rules in order, then the budget."""
    lines: defaultdict[_Place, list[str]] = defaultdict(list)
    for rule in sorted(given.rules, key=attrgetter("line")):
        lines[rule.role, rule.purpose].append(rule.line)
    for budget in sorted(given.budgets):
        lines[budget.role, budget.purpose].append(budget.line)
    return {place: "\n".join(lines[place]) for place in sorted(lines)}


def parts(texts: Iterable[str]) -> tuple[tuple[Rule, ...], tuple[Budget, ...]]:
    """The rules and budgets of such texts. Raises RulesetError."""
    rules, budgets = [], []
    for one in texts:
        for words in csv.reader(io.StringIO(one)):
            if len(words) == len(BUDGET_COLUMNS):
                budgets.append(parse_budget(words, place="the database"))
            else:
                rules.append(parse_rule(words, place="the database"))
    return tuple(rules), tuple(budgets)


def text_digest(given: str) -> str:
    """The name under which a text is kept: hex SHA-256 of its UTF-8."""
    return hashlib.sha256(given.encode()).hexdigest()
