"""Situations by example: for each row of the matrix, a caller and rows of every noun in which just that row holds.

Frontends use them as fixtures, checkers as a map of the matrix; demo data only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from authz.compile import Slice, Snapshot
from authz.default_rules import Necessity
from authz.law import EVERY_CATEGORY
from authz.scope import scope_of
from authz.situations import holds
from authz.subjects import Subject
from authz.tokens import new_subject
from authz.vocabulary import DataSubject
from authz.witnesses import SituationSql, combine, situation_sql
from models.global_ids import NodeType, to_global
from models.organizations import OrganizationKind
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, Category, Role
from resolvers.disclosure import open_texts
from resolvers.levels import LevelWork
from resolvers.nouns import Noun, SealedColumn
from resolvers.registry import NOUNS
from resolvers.rows import Rows
from resolvers.statements import Reach, by_ids
from vault.sealing import KeyCache

JUDGED = {
    "User": DataSubject.USER,
    "Policy": DataSubject.HOLDER,
    "Beneficiary": DataSubject.BENEFICIARY,
    "Claim": DataSubject.INSURED,
    "Device": DataSubject.USER,
}
_CALLERS = 60
_ROWS = 4_000

_ACCOUNTS = "SELECT a.id, a.person_id FROM account a ORDER BY a.ctid LIMIT $1"
_GUARDIANS = """
SELECT a.id, a.person_id FROM account a WHERE EXISTS (SELECT 1 FROM guardian_link g
WHERE g.guardian_id = a.person_id AND g.verified_at IS NOT NULL AND g.revoked_at IS NULL) ORDER BY a.ctid LIMIT $1
"""
_STAFF = "SELECT id FROM staff WHERE role = $1 AND left_at IS NULL ORDER BY username LIMIT $2"
_ORGANIZATIONS = "SELECT id, code FROM organization WHERE kind = $1 ORDER BY code LIMIT $2"


@dataclass(frozen=True, slots=True)
class Example:
    """One row of the matrix, a caller, and by noun (lower case) the global id and row id of an example."""

    row: Necessity
    subject: Subject
    rows: dict[str, tuple[str, UUID]]


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks for examples in one database."""

    connection: Any
    snapshot: Snapshot
    matrix: Sequence[Necessity]
    keys: KeyCache
    wards: Any
    """Gives a guardian's wards: `await wards(person)`."""

    async def example(self, row: Necessity, *, categories: int) -> Example | None:
        """The caller with examples of the most nouns; None if nobody acts in this role."""
        best: Example | None = None
        possible = scope_of(row.role, row.purpose)
        async for subject in self._callers(row, categories):
            found = await self._rows(row, subject)
            if best is None or len(found) > len(best.rows):
                best = Example(row, subject, found)
            if len(found) == len([noun for noun in JUDGED if NOUNS[noun].table in possible]):
                break
        return best

    async def plain(self, example: Example) -> dict[str, dict[str, Any]]:
        """By global id: every sensitive field, as a full reveal to this caller would show it."""
        reach = _reach(example.row)
        found = {}
        for name, (global_id, row) in example.rows.items():
            noun = NOUNS[name.capitalize()]
            found[global_id] = await self._opened(noun, reach, row, await self._bound(example.subject))
        return found

    async def _callers(self, row: Necessity, categories: int) -> Any:  # noqa: ANN401 - an async iterator
        if row.role in PERSON_ROLES:
            sql, arguments = (_GUARDIANS if row.role == Role.GUARDIAN else _ACCOUNTS), (_CALLERS,)
            names: tuple[str, ...] = ("account", "person")
        elif row.role in PARTNER_ROLES:
            sql, arguments = _ORGANIZATIONS, (OrganizationKind[row.role.name].value, _CALLERS)  # type: ignore[assignment]
            names = ("organization", "organization_code")
        else:
            sql, arguments, names = _STAFF, (row.role.value, _CALLERS), ("account",)  # type: ignore[assignment]
        for record in await self.connection.fetch(sql, *arguments):
            yield new_subject(row.role, (row.purpose,), categories=categories, **dict(zip(names, record, strict=True)))

    async def _bound(self, subject: Subject) -> dict[str, Any]:
        wards = await self.wards(subject.person) if subject.role == Role.GUARDIAN else []
        return {
            "person": subject.person,
            "account": subject.account,
            "organization": subject.organization,
            "wards": wards,
        }

    async def _rows(self, row: Necessity, subject: Subject) -> dict[str, tuple[str, UUID]]:
        reach, bound = _reach(row), await self._bound(subject)
        compiled = self.snapshot.slice(row.role, row.purpose)
        found = {}
        for name in JUDGED:
            noun = NOUNS[name]
            if reach.marketing and name != "User":
                continue
            if noun.table in reach.scope:
                one = await self._first(_Search(row, noun, reach, compiled, tuple(self._rivals(row))), bound)
                if one is not None:
                    found[name.lower()] = one
        return found

    def _rivals(self, row: Necessity) -> Iterator[Necessity]:
        """Rows that must not hold: all others of the role and purpose that are not broader."""
        for other in self.matrix:
            same = (other.role, other.purpose) == (row.role, row.purpose)
            if same and other != row and not other.is_broader_than(row):
                yield other

    async def _first(self, search: "_Search", bound: dict[str, Any]) -> tuple[str, UUID] | None:
        text, situation = search.statement()
        for record in await self.connection.fetch(text.sql, *text.values(bound)):
            if search.fits(record, situation):
                node_type = NodeType.AUDIENCE_USER if search.reach.marketing else search.noun.node_type
                return to_global(node_type or NodeType.RECORD, record[1]), record[0]
        return None

    async def _opened(self, noun: Noun, reach: Reach, row: UUID, bound: dict[str, Any]) -> dict[str, Any]:
        work = LevelWork(noun, reach)
        sealed = {name: work.sealed(stored) for name, stored in noun.fields.items() if isinstance(stored, SealedColumn)}
        read = work.read(by_ids(reach, noun, work.columns))
        records = await self.connection.fetch(read.statement.sql, *read.statement.values({**bound, "keys": [row]}))
        rows = Rows(read, records, keys=self.keys, weights=None)
        opened = {}
        for name, one in sealed.items():
            (text,) = open_texts(
                rows.column(one.index), rows.data_keys(), rows.id_bytes(one.row_index), label=one.label
            )
            opened[name] = one.convert(text) if one.convert and text is not None else text
        return opened


@dataclass(frozen=True, slots=True)
class _Search:
    """A search for one row of one noun in which one row of the matrix holds and no rival does."""

    row: Necessity
    noun: Noun
    reach: Reach
    compiled: Slice
    rivals: tuple[Necessity, ...]

    def statement(self) -> tuple[Any, SituationSql]:
        """Row id, global row id, situation, what is told of, masks, then a truth a granted category: has it a value?"""
        situation = situation_sql(self.compiled, self.noun.table, of=JUDGED[self.noun.name])
        work = LevelWork(self.noun, self.reach)
        shown = "t.audience_id" if self.reach.marketing else "t.id"
        columns = ["t.id", shown, situation.bits or "0", situation.covered or str(EVERY_CATEGORY)]
        columns += [mask.sql for mask in situation.masks]
        columns += [self._has_value(work, category) for category in self._granted()]
        joins = " ".join(work.columns.joins.values())
        policy = "JOIN policy p ON p.id = t.policy_id" if situation.joins_policy else ""
        member = self.reach.member(self.noun, listing=True)
        source = f"({self.reach.source(self.noun)} WHERE {member} LIMIT {_ROWS}) t"
        return self.reach.statement(f"SELECT {', '.join(columns)} FROM {source} {joins} {policy}"), situation

    def fits(self, record: Any, situation: SituationSql) -> bool:  # noqa: ANN401 - asyncpg's record
        """Does the record show the row of the matrix, in every granted category, and with values?"""
        after = 4 + len(situation.masks)
        if not all(record[after:]):
            return False
        masks = tuple(zip(situation.masks, record[4:after], strict=True))
        granted = [category for category, level in self.row.levels.items() if level]
        told = all(record[3] & category.bit for category in granted)
        return told and all(self._alone(combine(record[2], masks, category_bit=one.bit)) for one in granted)

    def _alone(self, situation: int) -> bool:
        return holds(situation, self.row.relation, self.row.basis) and not any(
            holds(situation, rival.relation, rival.basis) for rival in self.rivals
        )

    def _granted(self) -> list[Category]:
        return [category for category, level in self.row.levels.items() if level and self._fields(category)]

    def _fields(self, category: Category) -> list[SealedColumn]:
        found = []
        for name, stored in self.noun.fields.items():
            coordinate = self.compiled.coordinate(f"{self.noun.name}.{name}")
            if isinstance(stored, SealedColumn) and coordinate is not None and coordinate.category == category:
                found.append(stored)
        return found

    def _has_value(self, work: LevelWork, category: Category) -> str:
        columns = []
        for stored in self._fields(category):
            work.sealed(stored)
            columns.append(f"{stored.alias}.{stored.column}")
        return f"(num_nonnulls({', '.join(columns)}) > 0)"


def _reach(row: Necessity) -> Reach:
    return Reach(row.role, row.purpose, scope_of(row.role, row.purpose))
