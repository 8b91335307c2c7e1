"""Drafts: row changes against a published ruleset, on their way to the next one (C46, C56).

A draft keeps what it adds and takes away, so that what somebody means stays readable; its content is the parent's with
these changes. Every edit raises its revision and takes back whatever was proposed.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID, uuid4

import orjson

from authz import ruleset_store
from authz.rules import Budget, Rule, RulesetError, parse_budget, parse_rule
from authz.ruleset_store import Content
from models.rulesets import DraftState

LONGEST_TITLE = 120
MOST_ROWS = 50_000
"""Rules and budgets that a draft may come to: what is judged is held in memory."""

_COLUMNS = """
id, parent, restores, author, editors, title, reason, state, changes::text AS rows, cases, revision, digest, impact,
widens, created_at, updated_at, proposed_at, proposed_by
"""
_KEEP = """
INSERT INTO rule_draft
  (id, parent, restores, author, editors, title, reason, state, changes, cases, revision, created_at, updated_at)
VALUES ($1, $2, $3, $4, ARRAY[$4], $5, $6, 'OPEN', $7::jsonb, $8, 1, $9, $9)
"""
_ONE = f"SELECT {_COLUMNS} FROM rule_draft WHERE id = $1"
_LOCKED = f"{_ONE} FOR UPDATE"
_ALL = f"SELECT {_COLUMNS} FROM rule_draft WHERE state = ANY($1::text[]) ORDER BY updated_at DESC, id LIMIT $2"
_EDIT = """
UPDATE rule_draft SET parent = $2, title = $3, reason = $4, changes = $5::jsonb, cases = $6, revision = revision + 1,
  state = 'OPEN', digest = NULL, impact = NULL, widens = NULL, proposed_at = NULL, proposed_by = NULL, updated_at = $7,
  editors = CASE WHEN $8 = ANY (editors) THEN editors ELSE editors || $8 END
WHERE id = $1
"""
_PROPOSE = """
UPDATE rule_draft SET state = 'PROPOSED', digest = $2, impact = $3, widens = $4, proposed_at = $5, updated_at = $5,
  proposed_by = $6
WHERE id = $1
"""
_MOVE = "UPDATE rule_draft SET state = $2, updated_at = $3 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows added and taken away. A changed row is one taken away and one added."""

    add: tuple[Rule, ...] = ()
    remove: tuple[Rule, ...] = ()
    add_budgets: tuple[Budget, ...] = ()
    remove_budgets: tuple[Budget, ...] = ()

    @classmethod
    def between(cls, before: Content, after: Content) -> Self:
        """What makes one content of another."""
        rules, budgets = (set(before.rules), set(after.rules)), (set(before.budgets), set(after.budgets))
        return cls(
            add=tuple(sorted(rules[1] - rules[0])),
            remove=tuple(sorted(rules[0] - rules[1])),
            add_budgets=tuple(sorted(budgets[1] - budgets[0])),
            remove_budgets=tuple(sorted(budgets[0] - budgets[1])),
        )

    def applied_to(self, content: Content) -> Content:
        """The content with these changes. Raises RulesetError for a row that is not there, or is there already."""
        return replace(
            content,
            rules=_applied(content.rules, self.add, self.remove),
            budgets=_applied(content.budgets, self.add_budgets, self.remove_budgets),
        )

    @property
    def text(self) -> str:
        """As it is kept: lists of rows of words."""
        said = {name: [list(map(str, astuple(row))) for row in getattr(self, name)] for name in self.__slots__}
        return orjson.dumps(said).decode()

    @classmethod
    def read(cls, given: Mapping[str, Sequence[Sequence[str]]]) -> Self:
        """From rows of words. Raises RulesetError for one that is not wholly valid."""
        return cls(
            add=tuple(parse_rule(row, place="add") for row in given.get("add", ())),
            remove=tuple(parse_rule(row, place="remove") for row in given.get("remove", ())),
            add_budgets=tuple(parse_budget(row, place="add_budgets") for row in given.get("add_budgets", ())),
            remove_budgets=tuple(parse_budget(row, place="remove_budgets") for row in given.get("remove_budgets", ())),
        )


def _applied(rows: Iterable[Any], add: Sequence[Any], remove: Sequence[Any]) -> tuple[Any, ...]:
    left = set(rows)
    for row in remove:
        if row not in left:
            message = f"a row to take away is not there: {row.line}"
            raise RulesetError(message)
        left.remove(row)
    for row in add:
        if row in left:
            message = f"a row to add is there already: {row.line}"
            raise RulesetError(message)
        left.add(row)
    return tuple(sorted(left, key=lambda row: row.line))


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft; `restores`: the number of the ruleset that it rolls back to. `author`: an account's id or `operator`.

    `digest`, `impact` and `widens` are those of what was proposed: of rules, budgets and cases; of the text of the
    report of impact; and whether a category that the privacy officer watches is shown to more.
    """

    id: UUID
    parent: int
    restores: int | None
    author: str
    editors: tuple[str, ...]
    """Everybody who had a hand in it, the author first."""
    title: str
    reason: str
    state: DraftState
    rows: str
    """The text of its changes."""
    cases: str
    """The digest of the text of its cases."""
    revision: int
    digest: str | None
    impact: str | None
    widens: bool | None
    created_at: datetime
    updated_at: datetime
    proposed_at: datetime | None
    proposed_by: str | None

    @property
    def changes(self) -> Changes:
        """What it adds and takes away. Raises RulesetError for words that this release does not have any more."""
        return Changes.read(orjson.loads(self.rows))

    def lines(self, *names: str) -> list[str]:
        """The rows of these of its changes, as text: also those whose words this release does not have any more."""
        given = orjson.loads(self.rows)
        # Both bounds of a rule are kept, and told only where there is one.
        return [",".join(words[:-2] if words[-2:] == ["", ""] else words) for name in names for words in given[name]]

    @property
    def hands(self) -> frozenset[str]:
        """Who may not review it: whoever wrote or proposed it."""
        return frozenset((*self.editors, *((self.proposed_by,) if self.proposed_by else ())))


async def open_draft(  # noqa: PLR0913 - what is known of a draft
    connection: Any,  # noqa: ANN401 - asyncpg's connection or proxy
    *,
    parent: int,
    author: str,
    title: str,
    reason: str,
    now: datetime,
    changes: Changes | None = None,
    cases: str | None = None,
    restores: int | None = None,
) -> UUID:
    """Begin a draft against a published ruleset, by default with its cases; its id. Raises RulesetError, database's."""
    found = await ruleset_store.publication(connection, parent)
    if found is None:
        message = f"there is no ruleset {parent}"
        raise RulesetError(message)
    kept = found.cases if cases is None else (await ruleset_store.keep_texts(connection, cases))[0]
    draft = uuid4()
    row = draft, parent, restores, author, title, reason, (changes or Changes()).text, kept, now
    await connection.execute(_KEEP, *row)
    return draft


async def find(connection: Any, draft: UUID, *, locked: bool = False) -> Draft | None:  # noqa: ANN401 - as above
    """A draft; `locked`: nobody else changes it before the transaction ends. Raises the database's error."""
    row = await connection.fetchrow(_LOCKED if locked else _ONE, draft)
    # Changes may be thousands of rows: not read on the loop of a worker that serves.
    return await asyncio.to_thread(_draft, row) if row else None


async def some(connection: Any, *states: DraftState, most: int) -> list[Draft]:  # noqa: ANN401 - as above
    """The drafts in these states, latest first. Raises the database's error."""
    rows = await connection.fetch(_ALL, list(states or DraftState), most)
    return await asyncio.to_thread(lambda: [_draft(row) for row in rows])


async def edit(
    connection: Any,  # noqa: ANN401 - as above
    draft: Draft,
    *,
    editor: str,
    cases: str | None = None,
    now: datetime,
) -> None:
    """Keep a draft's parent, title, reason and changes as given, and its cases where their text is given.

    Whatever was proposed is taken back, and the editor has a hand in it from now on. The caller has it `locked`, and
    has checked its state.
    """
    kept = draft.cases if cases is None else (await ruleset_store.keep_texts(connection, cases))[0]
    row = draft.id, draft.parent, draft.title, draft.reason, draft.rows, kept, now, editor
    await connection.execute(_EDIT, *row)


async def mark_proposed(  # noqa: PLR0913 - what is known of a proposal
    connection: Any,  # noqa: ANN401 - as above
    draft: UUID,
    *,
    digest: str,
    impact: str | None,
    widens: bool,
    by: str,
    now: datetime,
) -> None:
    """Keep what is proposed; `impact`: the text of the report. The caller has it locked, and has checked it."""
    report = (await ruleset_store.keep_texts(connection, impact))[0] if impact is not None else None
    await connection.execute(_PROPOSE, draft, digest, report, widens, now, by)


async def move(connection: Any, draft: UUID, state: DraftState, *, now: datetime) -> None:  # noqa: ANN401 - as above
    """Move a draft, which the caller has locked, to its last or next state."""
    await connection.execute(_MOVE, draft, state.value, now)


async def content_of(connection: Any, draft: Draft) -> Content:  # noqa: ANN401 - as above
    """What a draft says: its parent's rules and budgets with its changes, and its cases. Raises RulesetError."""
    parent = await ruleset_store.published(connection, draft.parent)
    cases = await ruleset_store.text(connection, draft.cases)
    if cases is None:
        message = f"the cases of draft {draft.id} are missing"
        raise RulesetError(message)
    return replace(draft.changes.applied_to(parent), cases=cases)


def _draft(row: Mapping[str, Any]) -> Draft:
    given = dict(row)
    state, editors = DraftState(given["state"]), tuple(given["editors"])
    return Draft(**{**given, "state": state, "editors": editors})
