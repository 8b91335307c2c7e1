"""Four eyes: who acts while somebody else does comes before or after, and nothing is locked while rules are judged."""

import asyncio
import threading
import time
from uuid import uuid4

import asyncpg
import pytest

from authz import ruleset_store
from authz.workbench import approvals, editing
from authz.workbench.acts import Actor
from authz.workbench.approvals import approves_of
from authz.workbench.editing import Edit
from authz.workbench.judging import Judged
from models.database import connect_once
from models.rulesets import Verdict
from models.vocabulary import Role
from tests.workbench.eyes import CATALOGUE, NOW, World, propose


class Both:
    """Two draft-holders on two connections, and what they leave is undone by hand."""

    def __init__(self, server):
        self.server = server

    async def __aenter__(self):
        self.first = await connect_once(self.server.database.owner)
        self.second = await connect_once(self.server.database.owner)
        self.world = World(self.first)
        self.names = {}
        for name in ("one", "two"):
            self.world.ids[name] = uuid4()
            await self.first.execute(
                "INSERT INTO staff (id, username, role) VALUES ($1, $2, 'security_admin')",
                self.world.ids[name],
                f"{name}.{self.world.ids[name].hex[:8]}",
            )
        return self

    async def __aexit__(self, *_):
        ids = list(self.world.ids.values())
        await self.first.execute("UPDATE staff SET left_at = now() WHERE id = ANY($1)", ids)
        await self.first.close()
        await self.second.close()

    def actor(self, who):
        return self.world.actor(who, Role.SECURITY_ADMIN)

    async def proposed(self):
        begun = Edit("Title", "Reason", changes=self.world.change(wide=False))
        draft = await editing.begin(self.first, begun, actor=self.actor("one"), now=NOW)
        return draft, await propose(self.first, draft, self.actor("one"))

    async def approve(self, connection, draft, approves):
        return await approvals.review(
            connection, draft, approves=approves, verdict=Verdict.APPROVED, note="", actor=self.actor("two"), now=NOW
        )

    async def publish(self, connection, draft):
        return await approvals.publish(connection, draft, actor=self.actor("one"), catalogue=CATALOGUE, now=NOW)


async def waits(both, task):
    """Is the second connection held up by the first?"""
    blocked = "SELECT cardinality(pg_blocking_pids($1)) > 0"
    begun = time.monotonic()
    while not task.done() and time.monotonic() - begun < 10:
        if await both.first.fetchval(blocked, both.second.get_server_pid()):
            return True
        await asyncio.sleep(0.01)
    return False


def test_of_two_who_publish_at_once_one_does_and_of_two_drafts_one_is_first(governed, loop, checks_pass):
    async def work():
        async with Both(governed) as both:
            draft, found = await both.proposed()
            await both.approve(both.first, draft, approves_of(found))
            other, told = await both.proposed()
            await both.approve(both.first, other, approves_of(told))
            outer = both.first.transaction()
            await outer.start()
            number = await both.publish(both.first, draft)
            same = asyncio.create_task(both.publish(both.second, draft))
            assert await waits(both, same)
            await outer.commit()
            assert (await same).why == "DRAFT_STATE"
            assert (await both.publish(both.second, other)).why == "PARENT_STALE"
            assert number == await ruleset_store.latest(both.first)
            await editing.withdraw(both.first, other, actor=Actor(), now=NOW)

    with_rules_back(governed, loop, work)


def test_who_approves_while_somebody_edits_has_approved_nothing(governed, loop, checks_pass):
    async def work():
        async with Both(governed) as both:
            draft, found = await both.proposed()
            outer = both.first.transaction()
            await outer.start()
            await editing.edit(both.first, draft, Edit(title="Other"), actor=both.actor("one"), now=NOW)
            late = asyncio.create_task(both.approve(both.second, draft, approves_of(found)))
            assert await waits(both, late)
            await outer.commit()
            assert (await late).why == "DRAFT_STATE"
            await propose(both.first, draft, both.actor("one"))
            assert (await both.approve(both.second, draft, approves_of(found))).why == "PROPOSAL_CHANGED"
            assert (await both.publish(both.first, draft)).why == "NOT_APPROVED"
            await editing.withdraw(both.first, draft, actor=Actor(), now=NOW)

    loop.run_until_complete(work())


def test_a_reviewer_who_leaves_while_it_is_published_has_left_before_or_after(governed, loop, checks_pass):
    async def work():
        async with Both(governed) as both:
            draft, found = await both.proposed()
            await both.approve(both.first, draft, approves_of(found))
            outer = both.first.transaction()
            await outer.start()
            await both.first.execute("UPDATE staff SET left_at = now() WHERE id = $1", both.world.ids["two"])
            late = asyncio.create_task(both.publish(both.second, draft))
            assert await waits(both, late)
            await outer.commit()
            assert (await late).why == "NOT_APPROVED"
            await editing.withdraw(both.first, draft, actor=Actor(), now=NOW)

    loop.run_until_complete(work())


def with_rules_back(server, loop, work):
    """What is published stays for good: the next tests begin with the content of before."""
    from tests.workbench.governing import Governing  # noqa: PLC0415 - asks over HTTP, only here

    with Governing(server).restored():
        loop.run_until_complete(work())


def test_what_is_published_and_what_was_said_of_it_cannot_be_changed_by_the_application(governed, loop):
    async def work():
        application = await connect_once(governed.database.application)
        try:
            for statement in (
                "UPDATE ruleset SET digest = digest",
                "DELETE FROM ruleset",
                "UPDATE rule_review SET verdict = 'APPROVED'",
                "DELETE FROM rule_review",
                "UPDATE ruleset_text SET text = text",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await application.execute(statement)
        finally:
            await application.close()

    loop.run_until_complete(work())


@pytest.fixture
def slow(monkeypatch):
    """Judging begins, and ends when it is told to."""
    begun, go_on = threading.Event(), threading.Event()

    def judged(*_):
        begun.set()
        assert go_on.wait(10)
        return Judged(widens=False)

    def hold():
        monkeypatch.setattr(approvals, "judge", judged)
        return begun, go_on

    yield hold
    go_on.set()


def test_a_draft_is_not_locked_while_it_is_judged_and_is_not_proposed_where_it_was_edited(
    governed, loop, checks_pass, slow
):
    async def work():
        async with Both(governed) as both:
            begun = Edit("Title", "Reason", changes=both.world.change(wide=False))
            draft = await editing.begin(both.first, begun, actor=both.actor("one"), now=NOW)
            await edited_meanwhile(both, draft, lambda: propose(both.first, draft, both.actor("one")), slow())

    loop.run_until_complete(work())


def test_a_draft_is_not_locked_while_its_publication_is_judged_and_is_not_published_where_it_was_edited(
    governed, loop, checks_pass, slow
):
    async def work():
        async with Both(governed) as both:
            draft, found = await both.proposed()
            await both.approve(both.first, draft, approves_of(found))
            await edited_meanwhile(both, draft, lambda: both.publish(both.first, draft), slow(), why="DRAFT_STATE")

    loop.run_until_complete(work())


async def edited_meanwhile(both, draft, act, gates, why="PROPOSAL_CHANGED"):
    """Somebody edits a draft while it is judged for an act, which comes to nothing."""
    begun, go_on = gates
    judging = asyncio.create_task(act())
    assert await asyncio.to_thread(begun.wait, 10)
    other = Edit(title="Another")
    done = await asyncio.wait_for(editing.edit(both.second, draft, other, actor=both.actor("two"), now=NOW), timeout=10)
    assert done.title == "Another"
    go_on.set()
    assert (await judging).why == why
    await editing.withdraw(both.first, draft, actor=Actor(), now=NOW)
