"""Four eyes: no sequence of acts publishes what two people who may have not looked at, exactly as it is (C46).

Held against a reference that knows nothing of digests or rows: it notes who has looked at which version of what.
"""

from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from authz import ruleset_store
from authz.workbench import approvals, drafts, editing
from authz.workbench.acts import Refused
from authz.workbench.approvals import approves_of
from authz.workbench.drafts import Changes
from authz.workbench.editing import Edit
from models.rulesets import Verdict
from models.vocabulary import Role
from tests.workbench.eyes import CATALOGUE, MACHINE, NOW, PEOPLE, World, overtaken, propose, run


@dataclass
class Reference:
    """Who has looked at what: versions are counted, and nothing else is known of them."""

    version: int = 0
    wide: bool = False
    state: str = "OPEN"
    hands: set = field(default_factory=set)
    proposer: str | None = None
    approved: dict = field(default_factory=dict)
    works: dict = field(default_factory=lambda: dict(PEOPLE))
    overtaken: bool = False

    def edited(self, who, *, wide):
        self.version += 1
        self.wide, self.state, self.proposer, self.approved = wide, "OPEN", None, {}
        self.hands.add(who)

    def may_publish(self):
        """Two people's eyes on exactly this, who all still work here as what they were."""
        if self.state != "PROPOSED" or self.overtaken:
            return False
        counted = {
            who: role
            for who, role in self.approved.items()
            if self.works.get(who) is role and who not in self.hands and who != self.proposer
        }
        eyes = set(counted)
        if self.works.get(self.proposer) is Role.SECURITY_ADMIN:
            eyes.add(self.proposer)
        roles = set(counted.values())
        return len(eyes) >= 2 and Role.SECURITY_ADMIN in roles and (not self.wide or Role.PRIVACY_OFFICER in roles)


WHO = st.sampled_from([*PEOPLE, MACHINE])
STALE, CURRENT = True, False
ANY_ACT = st.one_of(
    st.tuples(st.just("edit"), WHO, st.booleans()),
    st.tuples(st.just("propose"), WHO),
    st.tuples(st.just("approve"), WHO, st.booleans()),
    st.tuples(st.just("reject"), WHO),
    st.tuples(st.just("leave"), st.sampled_from([*PEOPLE])),
    st.tuples(st.just("role"), st.sampled_from([*PEOPLE]), st.sampled_from([*PEOPLE.values()])),
    st.tuples(st.just("publish"), WHO),
    st.tuples(st.just("overtake"), st.just(MACHINE)),
)
WAYS = [
    [("propose", "one"), ("approve", "two", CURRENT), ("publish", "one")],
    [("edit", "one", True), ("propose", "one"), ("approve", "two", CURRENT), ("approve", "officer", CURRENT)],
    [("propose", MACHINE), ("approve", "two", CURRENT), ("approve", "officer", CURRENT), ("publish", MACHINE)],
]
"""How something is published, into which anything may come in between."""


def mixed(way, others):
    acts = list(way)
    for place, act in others:
        acts.insert(place, act)
    return [*acts, ("publish", "one"), ("publish", MACHINE)]


ACTS = st.builds(mixed, st.sampled_from(WAYS), st.lists(st.tuples(st.integers(0, 8), ANY_ACT), max_size=8))


class Game(World):
    """Acts on one draft, each of which must come out as the reference has it."""

    async def begin(self):
        for name, role in PEOPLE.items():
            self.ids[name] = uuid4()
            insert = "INSERT INTO staff (id, username, role) VALUES ($1, $2, $3)"
            await self.connection.execute(insert, self.ids[name], name, role.value)
        self.known, self.published = Reference(), None
        begun = Edit("Title", "Reason", changes=self.change(wide=False))
        self.kept = self.rows
        author = self.actor("one", Role.SECURITY_ADMIN)
        self.draft = await editing.begin(self.connection, begun, actor=author, now=NOW)
        self.known.edited("one", wide=False)

    async def play(self, name, who, *more):
        self.who, self.me = who, self.actor(who, self.known.works.get(who, PEOPLE.get(who)))
        self.may_edit = who == MACHINE or self.known.works.get(who) is Role.SECURITY_ADMIN
        await getattr(self, name)(*more)

    async def edit(self, wide):
        found = await drafts.find(self.connection, self.draft)
        drop = found.changes.add
        change = Edit(changes=Changes(add=self.change(wide=wide).add, remove=drop))
        done = await editing.edit(self.connection, self.draft, change, actor=self.me, now=NOW)
        assert isinstance(done, Refused) == (not self.may_edit or self.known.state == "PUBLISHED")
        if not isinstance(done, Refused):
            self.known.edited(self.who, wide=wide)
            self.kept = self.rows

    async def propose(self):
        done = await propose(self.connection, self.draft, self.me)
        expected = self.may_edit and self.known.state == "OPEN" and not self.known.overtaken
        assert isinstance(done, Refused) == (not expected)
        if expected:
            self.known.state, self.known.proposer = "PROPOSED", self.who
            self.seen.append(approves_of(done))

    async def approve(self, stale, verdict=Verdict.APPROVED):
        found = await drafts.find(self.connection, self.draft)
        approves = (self.seen or ["0" * 64])[0 if stale else -1]
        done = await approvals.review(
            self.connection, self.draft, approves=approves, verdict=verdict, note="", actor=self.me, now=NOW
        )
        known, who = self.known, self.who
        able = known.works.get(who) in (Role.SECURITY_ADMIN, Role.PRIVACY_OFFICER) and who != MACHINE
        current = known.state == "PROPOSED" and approves == approves_of(found)
        expected = able and current and who not in known.hands and who != known.proposer
        assert isinstance(done, Refused) == (not expected)
        if expected and verdict is Verdict.APPROVED:
            known.approved[who] = known.works[who]
        elif expected:
            known.state = "REJECTED"

    async def reject(self):
        await self.approve(CURRENT, Verdict.REJECTED)

    async def leave(self):
        self.known.works.pop(self.who, None)
        await self.connection.execute("UPDATE staff SET left_at = $2 WHERE id = $1", self.ids[self.who], NOW)

    async def role(self, role):
        if self.who in self.known.works:
            self.known.works[self.who] = role
            await self.connection.execute("UPDATE staff SET role = $2 WHERE id = $1", self.ids[self.who], role.value)

    async def overtake(self):
        if self.known.state != "PUBLISHED":
            self.known.overtaken = True
            await overtaken(self.connection)

    async def publish(self):
        expected = self.may_edit and self.known.may_publish()
        done = await approvals.publish(self.connection, self.draft, actor=self.me, catalogue=CATALOGUE, now=NOW)
        assert isinstance(done, Refused) == (not expected), (done, self.known)
        if expected:
            self.known.state, self.published = "PUBLISHED", done
            kept = await ruleset_store.publication(self.connection, done)
            content = await ruleset_store.content(self.connection, kept)
            assert f"C{self.kept}" in {one.clause for one in content.rules}, "what was looked at last"


async def play(connection, acts):
    """Do some acts; was anything published?"""
    game = Game(connection)
    await game.begin()
    for act in acts:
        await game.play(*act)
    return game.published is not None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_nothing_is_published_without_two_distinct_pairs_of_eyes_on_exactly_that(governed, loop, checks_pass, acts):
    published = run(governed, loop, lambda connection: play(connection, acts))
    event("published" if published else "not published")


USUAL = [("propose", "one"), ("approve", "two", False)]


@pytest.mark.parametrize(
    "published, acts",
    [
        (True, [*USUAL, ("publish", "one")]),
        (True, [*USUAL, ("publish", MACHINE)]),
        (False, [*USUAL, ("leave", "two"), ("publish", "one")]),
        (True, [*USUAL, ("leave", "one"), ("publish", MACHINE), ("approve", "officer", False), ("publish", MACHINE)]),
        (False, [*USUAL, ("role", "two", Role.AUDITOR), ("publish", "one")]),
        (False, [*USUAL, ("role", "two", Role.PRIVACY_OFFICER), ("approve", "two", False), ("publish", "one")]),
        (False, [*USUAL, ("edit", "one", False), ("publish", "one"), ("propose", "one"), ("publish", "one")]),
        (False, [*USUAL, ("edit", "one", False), ("propose", "one"), ("approve", "two", True), ("publish", "one")]),
        (False, [("edit", "two", False), ("propose", "one"), ("approve", "two", False), ("publish", "one")]),
        (
            False,
            [("propose", "one"), ("role", "one", Role.PRIVACY_OFFICER), ("approve", "one", False), ("publish", "two")],
        ),
        (True, [("edit", "one", True), *USUAL, ("publish", "one"), ("approve", "officer", False), ("publish", "one")]),
        (False, [("edit", "one", True), ("propose", "one"), ("approve", "officer", False), ("publish", "two")]),
        (False, [("propose", MACHINE), ("approve", "two", False), ("publish", MACHINE)]),
        (True, [("propose", MACHINE), ("approve", "two", False), ("approve", "officer", False), ("publish", MACHINE)]),
        (
            False,
            [("propose", MACHINE), ("approve", MACHINE, False), ("approve", "auditor", False), ("publish", MACHINE)],
        ),
        (False, [*USUAL, ("overtake", MACHINE), ("publish", "one")]),
        (True, [*USUAL, ("reject", "officer"), ("publish", "one"), ("edit", "one", False), *USUAL, ("publish", "one")]),
    ],
)
def test_these_in_particular_come_out_as_they_must(governed, loop, checks_pass, published, acts):
    assert run(governed, loop, lambda connection: play(connection, acts)) is published


@pytest.mark.parametrize(
    "approved, proposer, sentence",
    [
        ({"two": Role.SECURITY_ADMIN}, "one", ""),
        (
            {"one": Role.SECURITY_ADMIN},
            "two",
            "Still missing: a security_admin.",
        ),
        ({"two": Role.SECURITY_ADMIN}, None, "Still missing: 1 more of security_admin or privacy_officer."),
        ({"officer": Role.PRIVACY_OFFICER}, "one", "Still missing: a security_admin."),
        ({"two": Role.PRIVACY_OFFICER}, "one", "Still missing: a security_admin."),
        ({"gone": Role.SECURITY_ADMIN}, "one", "Still missing: a security_admin."),
    ],
)
def test_who_wrote_it_or_is_no_longer_what_they_were_does_not_count_whatever_they_said(approved, proposer, sentence):
    lacking = approvals.missing(widening=False, hands={"one"}, proposer=proposer, approved=approved, working=PEOPLE)
    assert lacking.sentence == sentence
