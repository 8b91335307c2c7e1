"""A draft moved onto another ruleset keeps what was published since; and what a release cannot read stops no list."""

from uuid import UUID, uuid4

import pytest

from authz import ruleset_store
from authz.rules import Budget, parse_rule
from authz.workbench import approvals, drafts, editing
from authz.workbench.acts import Actor, RulesRefusal, row_of
from authz.workbench.cases import read_cases
from authz.workbench.drafts import Changes
from authz.workbench.editing import Edit
from models.global_ids import NodeType, to_global
from models.rulesets import RulesetKind
from models.vocabulary import Purpose, Role
from tests.workbench.eyes import CATALOGUE, NOW, propose, run
from tests.workbench.governing import Governing

HEAD = ["allow", "customer_service", "policy_service", "assigned", "none", "reveal"]
HIDDEN = ["customer_service", "policy_service", "none:none", "User.occupation", "deny"]
UNREADABLE = '{"add": [["allow","astronaut","research","any","any","reveal","tag","C08","",""]], "remove": [],'
UNREADABLE += ' "add_budgets": [], "remove_budgets": []}'


def row(obj, *clause_and_bounds):
    return parse_rule([*HEAD, obj, *(clause_and_bounds or ("C1",))], place="test")


def cases_of(*intents):
    words = ",".join(f'"{word}"' for word in HIDDEN)
    return "[" + ",".join(f'["{intent}",[[{words}]]]' for intent in intents) + "]"


def intents(text):
    return [group.intent for group in read_cases(text)]


class Moving:
    """A draft, and what is published meanwhile."""

    def __init__(self, connection):
        self.connection = connection

    async def publish(self, changes=None, *, cases=None):
        """Put something in force, whoever approved it."""
        number = await ruleset_store.latest(self.connection)
        before = await ruleset_store.published(self.connection, number)
        after = (changes or Changes()).applied_to(before)
        after = ruleset_store.Content(after.rules, after.budgets, cases or before.cases)
        await ruleset_store.publish(
            self.connection,
            after,
            parent=number,
            kind=RulesetKind.PUBLISHED,
            author="operator",
            reason="A test.",
            now=NOW,
            row=row_of(Actor(), NOW, "publish"),
        )

    async def draft(self, changes=None, **more):
        edit = Edit("Title", "Reason", changes=changes, **more)
        return await editing.begin(self.connection, edit, actor=Actor(), now=NOW)

    async def rebased(self, draft, **more):
        return await editing.edit(self.connection, draft, Edit(rebase=True, **more), actor=Actor(), now=NOW)

    async def cases(self, draft):
        found = await drafts.find(self.connection, draft)
        return intents(await ruleset_store.text(self.connection, found.cases))


@pytest.fixture
def moving(governed, loop):
    """Does some work of which nothing stays."""
    return lambda work: run(governed, loop, lambda connection: work(Moving(connection)))


def test_cases_published_in_between_are_kept_whether_the_draft_changes_cases_or_not(moving):
    async def work(world):
        await world.publish(cases=cases_of("Old one.", "Older one."))
        plain = await world.draft(Changes(add=(row("occupation"),)))
        own = await world.draft(cases=cases_of("My own.", "Older one."))
        await world.publish(cases=cases_of("Old one.", "Older one.", "Their own."))
        await world.rebased(plain)
        await world.rebased(own)
        return await world.cases(plain), await world.cases(own)

    plain, own = moving(work)
    assert plain == ["Old one.", "Older one.", "Their own."]
    assert own == ["My own.", "Older one.", "Their own."]


@pytest.mark.parametrize(
    "mine, theirs",
    [
        ([row("occupation", "C1")], [row("occupation", "C1", "2027-01-01T00:00:00Z", "")]),
        ([row("occupation", "C2")], [row("occupation", "C1", "", "2028-01-01T00:00:00Z")]),
        ([], [row("occupation", "C3")]),
    ],
)
def test_a_row_that_both_changed_is_refused_by_name(moving, mine, theirs):
    async def work(world):
        old = row("occupation", "C9")
        await world.publish(Changes(add=(old,)))
        draft = await world.draft(Changes(add=tuple(mine), remove=(old,)))
        await world.publish(Changes(add=tuple(theirs), remove=(old,)))
        return await world.rebased(draft)

    refused = moving(work)
    assert refused.why is RulesRefusal.RULES_INVALID
    assert theirs[0].line in refused.detail


def test_a_row_that_both_added_otherwise_is_refused_and_so_is_a_budget(moving):
    async def work(world):
        was = next(
            one
            for one in (await ruleset_store.published(world.connection, 1)).budgets
            if (one.role, one.purpose) == (Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE)
        )
        mine, theirs = (Budget(was.role, was.purpose, was.per_hour, was.per_day + more, "C08") for more in (1, 2))
        added = await world.draft(Changes(add=(row("occupation", "C1"),)))
        raised = await world.draft(Changes(add_budgets=(mine,), remove_budgets=(was,)))
        await world.publish(Changes(add=(row("occupation", "C2"),), add_budgets=(theirs,), remove_budgets=(was,)))
        return [await world.rebased(draft) for draft in (added, raised)]

    for refused in moving(work):
        assert refused.why is RulesRefusal.RULES_INVALID
        assert "has been published since" in refused.detail


def test_what_both_did_alike_needs_no_change_and_another_window_of_a_rule_is_no_conflict(moving):
    async def work(world):
        early = row("occupation", "C1", "", "2027-01-01T00:00:00Z")
        late = row("occupation", "C1", "2028-01-01T00:00:00Z", "")
        await world.publish(Changes(add=(early,)))
        draft = await world.draft(Changes(add=(late, row("tag"))))
        await world.publish(Changes(add=(row("tag"),)))
        return (await world.rebased(draft)).changes

    changes = moving(work)
    assert (len(changes.add), changes.add[0].valid_from) == (1, "2028-01-01T00:00:00Z")


def test_cases_are_read_when_they_are_given_and_kept_in_their_order(moving):
    async def work(world):
        draft = await world.draft(cases=cases_of("Second.", "First."))
        kept = await drafts.find(world.connection, draft)
        wrong = await world.draft(cases='[["It holds.",[["astronaut","research","none:none","User.name","deny"]]]]')
        return await ruleset_store.text(world.connection, kept.cases), wrong

    text, wrong = moving(work)
    assert text.replace(" ", "") == cases_of("First.", "Second.").replace(" ", "")
    assert (wrong.why, "case 1" in wrong.detail) == (RulesRefusal.RULES_INVALID, True)


def test_a_draft_of_more_rows_than_may_be_is_refused(moving, monkeypatch):
    monkeypatch.setattr(editing, "MOST_ROWS", 10)
    refused = moving(lambda world: world.draft(Changes(add=(row("occupation"),))))
    assert (refused.why, "10 at most" in refused.detail) == (RulesRefusal.RULES_INVALID, True)


def test_a_roll_back_to_words_that_a_release_does_not_have_any_more_is_refused_and_the_ruleset_listed(moving):
    async def work(world):
        number = await ruleset_store.latest(world.connection)
        (digest,) = await ruleset_store.keep_texts(world.connection, "allow,astronaut,research,any,any,reveal,tag,C08")
        insert = """INSERT INTO ruleset (number, digest, parent, kind, author, reason, manifest, cases, published_at)
        SELECT number + 1, digest, number, kind, author, reason, $2::jsonb, cases, published_at
        FROM ruleset WHERE number = $1"""
        await world.connection.execute(insert, number, f'[["astronaut","research","{digest}"]]')
        listed = await ruleset_store.publication(world.connection, number + 1)
        await world.connection.execute(
            insert.replace("$2::jsonb", "(SELECT manifest FROM ruleset WHERE number = $2)"), number + 1, number
        )
        refused = await approvals.roll_back(
            world.connection, number + 1, reason="Back.", actor=Actor(), catalogue=CATALOGUE, now=NOW
        )
        return listed, refused

    listed, refused = moving(work)
    assert ("astronaut", "research") in listed.slices
    assert (refused.why, "astronaut" in refused.detail) == (RulesRefusal.RULES_INVALID, True)


def test_a_draft_in_words_that_a_release_does_not_have_any_more_is_listed_shown_and_withdrawn(governed, loop):
    rules, draft = Governing(governed), uuid4()
    rules.execute(
        """INSERT INTO rule_draft (id, parent, author, editors, title, reason, state, changes, cases, revision,
        created_at, updated_at) SELECT $1, number, 'operator', ARRAY['operator'], 'Old words', 'Reason', 'OPEN',
        $2::jsonb, cases, 1, now(), now() FROM ruleset ORDER BY number DESC LIMIT 1""",
        draft,
        UNREADABLE,
    )
    try:
        named = to_global(NodeType.RECORD, UUID(str(draft)))
        document = (
            "query($id: ID!) { ruleDrafts { id } ruleDraft(id: $id) { changes { add { role } } findings { message } } }"
        )
        found = rules.ask(document, id=named)
        assert named in [one["id"] for one in found["ruleDrafts"]]
        assert found["ruleDraft"]["changes"] == {"add": []}
        assert "astronaut" in found["ruleDraft"]["findings"][0]["message"]
        assert "+ allow,astronaut,research,any,any,reveal,tag,C08" in rules.cli("rules", "show", str(draft)).stdout
        refused = run(governed, loop, lambda connection: propose(connection, draft, Actor()))
        assert refused.why is RulesRefusal.RULES_INVALID
        assert rules.write("withdrawDraft", "sun.ning", draft=named)["state"] == "WITHDRAWN"
    finally:
        rules.execute("DELETE FROM rule_draft WHERE id = $1", draft)
