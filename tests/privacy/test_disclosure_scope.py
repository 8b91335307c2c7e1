"""Nothing is shown by an exception but what an approved case covers that runs, against a naive reading (C25, C33)."""

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.scope import scope_of
from authz.vocabulary import Basis, DataSubject, Effect
from authz.witnesses import combine, situation_sql
from models.database import connect_once
from models.disclosures import PublicItem
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers.statements import statement
from schema.build import build_schema
from tests.rules import default_snapshot

CATEGORIES = (Category.NAME, Category.DEMOGRAPHIC, Category.HEALTH)
ITEMS = (PublicItem.NAME, PublicItem.GENDER, PublicItem.BIRTH_DATE)
NAMES = ("User.name", "User.gender", "User.birthDate", "User.healthDeclaration", "User.tags")
TABLES = (
    ("person", DataSubject.USER),
    ("policy", DataSubject.HOLDER),
    ("beneficiary", DataSubject.BENEFICIARY),
    ("claim", DataSubject.INSURED),
)
KINDS = ("AUTHORITY", "PUBLIC", "TRANSFER", "MERGER")


@dataclass(frozen=True)
class Drawn:
    """A case as it is drawn; `lasts`: hours from now."""

    kind: str
    person: bool
    assigned: bool
    approved: bool
    closed: bool
    lasts: int
    categories: frozenset[Category]
    items: frozenset[PublicItem]
    manner: str
    bound: bool
    by_consent: bool


@dataclass(frozen=True)
class Word:
    """What the person chose; `before`: before the cases were opened."""

    public: bool
    items: frozenset[PublicItem]
    manner: str
    categories: frozenset[Category]
    before: bool
    withdrawn: bool


BOOLEANS = st.booleans()
MOSTLY = st.sampled_from((True, True, True, False))
MANNERS = st.sampled_from(("PRESS", "PRINT"))
SOME, SOME_ITEMS = st.frozensets(st.sampled_from(CATEGORIES)), st.frozensets(st.sampled_from(ITEMS), min_size=1)
CASES = st.builds(
    Drawn,
    *(st.sampled_from(KINDS), MOSTLY, MOSTLY, MOSTLY, MOSTLY.map(lambda one: not one)),
    *(st.sampled_from((-1, 1, 1, 1)), SOME, SOME_ITEMS, MANNERS, BOOLEANS, BOOLEANS),
)
WORDS = st.builds(Word, BOOLEANS, SOME_ITEMS, MANNERS, SOME, BOOLEANS, BOOLEANS)


def covers(case: Drawn, words: list[Word], name: str, category: Category) -> bool:
    """The clause, read one by one: is this coordinate of this person within an approved case that runs?"""
    if not (case.person and case.assigned and case.approved) or case.closed or case.lasts < 0:
        return False
    standing = [one for one in words if not one.withdrawn]
    if case.kind == "PUBLIC":
        chosen = {item for one in standing if one.public and one.manner == case.manner for item in one.items}
        return name in {item.value for item in case.items & chosen}
    if category not in case.categories:
        return False
    if (case.kind == "MERGER" and not case.bound) or (case.kind == "TRANSFER" and case.by_consent):
        return any(category in one.categories for one in standing if not one.public and not one.before)
    return True


class Ground:
    """A connection in a transaction that is never kept, and what is asked of it."""

    def __init__(self, connection, persons, organization) -> None:
        self.connection, self.organization = connection, organization
        self.person, self.stranger = persons
        self.officer, self.other, self.now = uuid4(), uuid4(), datetime.now(UTC)
        self.snapshot = default_snapshot(build_schema())
        self.slice = self.snapshot.slice(Role.PRIVACY_OFFICER, Purpose.REGULATORY_DISCLOSURE)
        self.situation = situation_sql(self.slice, "person", of=DataSubject.USER)
        masks = ", ".join(mask.sql for mask in self.situation.masks)
        member = scope_of(Role.PRIVACY_OFFICER, Purpose.REGULATORY_DISCLOSURE)["person"].member
        self.ask = statement(f"SELECT {member} AS there, {self.situation.bits}, {masks} FROM person t WHERE t.id = :id")  # noqa: S608

    async def hire(self) -> None:
        for row in (self.officer, self.other):
            await self.put("staff", id=row, username=row.hex, role="privacy_officer")

    async def put(self, table: str, **values) -> None:
        places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
        insert = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"  # noqa: S608 - our own names
        await self.connection.execute(insert, *values.values())

    async def store(self, case: Drawn) -> None:
        row, now = uuid4(), self.now
        opened = now - timedelta(hours=2)
        own = case.kind in ("TRANSFER", "MERGER")
        await self.put(
            "disclosure_case",
            id=row,
            kind=case.kind,
            purpose="regulatory_disclosure",
            authority="院",
            categories=0 if case.kind == "PUBLIC" else to_bits(case.categories),
            items=sum(item.bit for item in case.items) if case.kind == "PUBLIC" else None,
            manner=case.manner if case.kind == "PUBLIC" else None,
            exception="CRIMINAL_JUSTICE" if case.kind == "AUTHORITY" else None,
            document="号",
            document_kind="SUBPOENA",
            filed="室",
            basis=("CONSENT" if case.by_consent else "AGREEMENT") if case.kind == "TRANSFER" else None,
            undertaking="书" if case.bound and case.kind == "MERGER" else None,
            receiver_id=self.organization if own else None,
            opened_by_id=self.other,
            opened_at=opened,
            expires_at=now + timedelta(hours=case.lasts),
            closed_at=now if case.closed else None,
        )
        # Nobody is added to a decided case: as it was opened, before it was closed or approved.
        await self.connection.execute("UPDATE disclosure_case SET closed_at = NULL WHERE id = $1", row)
        about = self.person if case.person else self.stranger
        await self.put("disclosure_person", id=uuid4(), case_id=row, person_id=about)
        staff = self.officer if case.assigned else self.other
        await self.put("assignment", id=uuid4(), staff_id=staff, disclosure_case_id=row, assigned_at=now)
        if case.approved:
            sets = "approved_by_id = $2, approved_at = $3"
            await self.connection.execute(f"UPDATE disclosure_case SET {sets} WHERE id = $1", row, self.officer, now)  # noqa: S608
        if case.closed:
            await self.connection.execute("UPDATE disclosure_case SET closed_at = $2 WHERE id = $1", row, now)

    async def say(self, word: Word) -> None:
        at = self.now - timedelta(hours=3 if word.before else 1)
        await self.put(
            "disclosure_choice",
            id=uuid4(),
            person_id=self.person,
            manner=word.manner if word.public else None,
            items=sum(item.bit for item in word.items) if word.public else None,
            receiver_id=None if word.public else self.organization,
            categories=None if word.public else to_bits(word.categories),
            chosen_by=self.person,
            chosen_at=at,
            withdrawn_at=at if word.withdrawn else None,
            withdrawn_by=self.person if word.withdrawn else None,
        )

    async def shown(self) -> tuple[bool, set[str]]:
        values = self.ask.values({"id": self.person, "account": self.officer})
        there, bits, *found = await self.connection.fetchrow(self.ask.sql, *values)
        masks = tuple(zip(self.situation.masks, found, strict=True))
        shown = set()
        for name in NAMES:
            coordinate = self.snapshot.catalogue[name]
            item = next((item.bit for item in PublicItem if item.value == name), 0)
            situation = combine(bits, masks, category_bit=coordinate.category.bit | item)
            if self.slice.decide(name, situation) is not Effect.DENY:
                shown.add(name)
        return there, shown


def once_each(words: list[Word]) -> list[Word]:
    """Only one word on the same stands."""
    found: dict[object, Word] = {}
    for word in words:
        found[word.withdrawn and object(), word.public, word.public and word.manner] = word
    return list(found.values())


class Comparison:
    """What is shown by some cases and words, beside what the clause says of them."""

    def __init__(self, runner, ground) -> None:
        self.runner, self.ground = runner, ground

    async def _shown(self, cases, words):
        doomed = self.ground.connection.transaction()
        await doomed.start()
        try:
            await self.ground.hire()
            for case in cases:
                await self.ground.store(case)
            for word in words:
                await self.ground.say(word)
            return await self.ground.shown()
        finally:
            await doomed.rollback()

    def both(self, cases, words):
        """Who is there and what is shown; and the same as it should be."""
        category = {name: self.ground.snapshot.catalogue[name].category for name in NAMES}
        covered = {name for name in NAMES if any(covers(case, words, name, category[name]) for case in cases)}
        return self.runner.run(self._shown(cases, words)), (bool(covered), covered)


@pytest.fixture(scope="module")
def comparison(server):
    with asyncio.Runner() as runner:
        connection = runner.run(connect_once(server.database.owner))
        persons = [UUID(bytes=row["id"].bytes) for row in runner.run(connection.fetch("SELECT id FROM person LIMIT 2"))]
        organization = runner.run(connection.fetchval("SELECT id FROM organization WHERE kind = 'INSURER' LIMIT 1"))
        yield Comparison(runner, Ground(connection, persons, organization))
        runner.run(connection.close())


PLAIN = Drawn(
    kind="AUTHORITY",
    person=True,
    assigned=True,
    approved=True,
    closed=False,
    lasts=1,
    categories=frozenset({Category.NAME, Category.HEALTH}),
    items=frozenset({PublicItem.NAME, PublicItem.GENDER}),
    manner="PRESS",
    bound=True,
    by_consent=True,
)
CHOSEN = Word(public=True, items=PLAIN.items, manner="PRESS", categories=frozenset(), before=False, withdrawn=False)
AGREED = replace(CHOSEN, public=False, categories=PLAIN.categories)
BOTH = {"User.name", "User.healthDeclaration"}
ITEM = {"User.name", "User.gender"}
NOBODY: set[str] = set()
TURNED = [
    (PLAIN, [], BOTH),
    (replace(PLAIN, person=False), [], NOBODY),
    (replace(PLAIN, assigned=False), [], NOBODY),
    (replace(PLAIN, approved=False), [], NOBODY),
    (replace(PLAIN, closed=True), [], NOBODY),
    (replace(PLAIN, lasts=-1), [], NOBODY),
    (replace(PLAIN, categories=frozenset({Category.NAME})), [], {"User.name"}),
    (replace(PLAIN, categories=frozenset({Category.HEALTH})), [], {"User.healthDeclaration"}),
    (replace(PLAIN, categories=frozenset({Category.DEMOGRAPHIC})), [], {"User.gender", "User.birthDate"}),
    (replace(PLAIN, kind="PUBLIC"), [CHOSEN], ITEM),
    (replace(PLAIN, kind="PUBLIC"), [], NOBODY),
    (replace(PLAIN, kind="PUBLIC"), [AGREED], NOBODY),
    (replace(PLAIN, kind="PUBLIC"), [replace(CHOSEN, withdrawn=True)], NOBODY),
    (replace(PLAIN, kind="PUBLIC"), [replace(CHOSEN, manner="PRINT")], NOBODY),
    (replace(PLAIN, kind="PUBLIC"), [replace(CHOSEN, items=frozenset({PublicItem.GENDER}))], {"User.gender"}),
    (replace(PLAIN, kind="PUBLIC", items=frozenset({PublicItem.NAME})), [CHOSEN], {"User.name"}),
    (replace(PLAIN, kind="PUBLIC", approved=False), [CHOSEN], NOBODY),
    (replace(PLAIN, kind="MERGER"), [], BOTH),
    (replace(PLAIN, kind="MERGER", bound=False), [], NOBODY),
    (replace(PLAIN, kind="MERGER", bound=False), [AGREED], BOTH),
    (replace(PLAIN, kind="MERGER", bound=False), [replace(AGREED, before=True)], NOBODY),
    (replace(PLAIN, kind="MERGER", bound=False), [replace(AGREED, withdrawn=True)], NOBODY),
    (replace(PLAIN, kind="MERGER", bound=False), [CHOSEN], NOBODY),
    (replace(PLAIN, kind="TRANSFER"), [], NOBODY),
    (replace(PLAIN, kind="TRANSFER"), [replace(AGREED, categories=frozenset({Category.NAME}))], {"User.name"}),
    (replace(PLAIN, kind="TRANSFER", by_consent=False), [], BOTH),
]
"""A case that shows something, and each thing that it rests on turned by itself."""


@pytest.mark.parametrize("case, words, shown", TURNED)
def test_c33_each_thing_that_a_case_rests_on_turned_by_itself_shows_or_hides_exactly_that(
    comparison, case, words, shown
):
    found, should = comparison.both([case], words)
    assert found == should == (bool(shown), shown)


@pytest.mark.parametrize(
    "part, instead",
    [
        (r"d\.approved_at IS NOT NULL", "TRUE"),
        (r"d\.closed_at IS NULL", "TRUE"),
        (r"d\.expires_at > now\(\)", "TRUE"),
        (r"a\.staff_id = (\$\d+)", r"(a.staff_id = \1 OR TRUE)"),
        (r"dp\.person_id = t\.id", "TRUE"),
        (r"\(d\.categories & \d+\)", f"(d.categories | {Category.DEMOGRAPHIC.bit})"),
        (r"\(d\.categories & \d+\)", f"(d.categories & ~{Category.HEALTH.bit})"),
        (r"d\.items & ", f"(d.items | {PublicItem.GENDER.bit}) & "),
        (r"d\.items & ", ""),
        (r"ch\.manner = d\.manner", "TRUE"),
        (r"ch\.withdrawn_at IS NULL", "TRUE"),
        (r"ch\.chosen_at >= d\.opened_at", "TRUE"),
        (r"d\.undertaking IS NULL", "FALSE"),
        (r"d\.basis = 'CONSENT'", "FALSE"),
    ],
)
def test_c33_the_comparison_notices_any_part_of_the_statement_that_is_wrong(comparison, monkeypatch, part, instead):
    whole = comparison.ground.ask
    assert re.search(part, whole.sql)
    monkeypatch.setattr(comparison.ground, "ask", replace(whole, sql=re.sub(part, instead, whole.sql)))
    assert any(found != should for found, should in (comparison.both([case], words) for case, words, _ in TURNED))


def test_c33_exactly_what_an_approved_running_case_covers_is_shown_of_whoever_it_is_about(comparison):
    @settings(max_examples=40)
    @given(st.lists(CASES, max_size=3), st.lists(WORDS, max_size=3).map(once_each))
    def agrees(cases, words):
        found, should = comparison.both(cases, words)
        assert found == should

    agrees()


def test_c33_no_read_without_an_exception_asks_for_a_case():
    """What others read costs nothing more for it."""
    snapshot = default_snapshot(build_schema())
    for role, purpose in product(Role, Purpose):
        compiled = snapshot.slice(role, purpose)
        found = [situation_sql(compiled, table, of=of) for table, of in TABLES]
        text = " ".join((*(one.bits or "" for one in found), *(mask.sql for one in found for mask in one.masks)))
        text += " ".join(rows.member + (rows.listed or "") for rows in scope_of(role, purpose).values())
        asks = Basis.EXCEPTION in compiled.bases
        assert asks == ("disclosure_" in text), (role, purpose)
        assert asks == any(mask.by_item for one in found for mask in one.masks), (role, purpose)
