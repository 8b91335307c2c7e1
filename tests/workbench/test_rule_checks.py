"""Checks of drafts, as the API tells them: beside the loop, one at a time, and the same check once."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest

from authz.default_ruleset import default_content
from authz.rules import moment_text
from authz.ruleset_store import NO_CASES
from authz.workbench.checks import Checked, check
from authz.workbench.drafts import Changes
from bench.rules import many_rules
from resolvers import rule_checks
from resolvers.problems import Code, RequestRefusedError
from schema.build import build_schema
from tests.rules import default_snapshot

NOON, HOUR = datetime(2026, 6, 1, 12, tzinfo=UTC), timedelta(hours=1)
DEFAULT = default_content()
SNAPSHOT = default_snapshot(build_schema())
MANY = [one for one in many_rules(DEFAULT, SNAPSHOT.catalogue, 8_000).rules if one not in set(DEFAULT.rules)]


class Asking:
    """A question about one draft that adds some rows to the default rules, as its resolver asks it."""

    def __init__(self, monkeypatch, *rows):
        self.parent = SimpleNamespace(digest=DEFAULT.digest, cases="")
        self.draft = SimpleNamespace(id=uuid4(), revision=1, changes=Changes(add=rows), cases="")
        self.question = SimpleNamespace(fetch=self.fetch, now=NOON, snapshot=SNAPSHOT)
        self.checks = 0
        monkeypatch.setattr(rule_checks, "content_of", self.content)
        monkeypatch.setattr(rule_checks, "check", self.check)

    async def content(self, *_):
        return DEFAULT

    async def fetch(self, *_):
        return [(NO_CASES,)]

    def check(self, *given, **named):
        self.checks += 1
        return check(*given, **named)

    async def told(self):
        return await rule_checks.checks_told(self.question, self.draft, self.parent)


async def longest_wait(work):
    """How long others waited at most while something was awaited; and what came of it."""
    longest, done = 0.0, asyncio.ensure_future(work)
    while not done.done():
        begun = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - begun)
    return longest, await done


def test_others_are_served_while_a_draft_of_very_many_rules_is_checked_and_it_is_checked_once(monkeypatch):
    asking = Asking(monkeypatch, *MANY)

    async def run():
        begun = time.perf_counter()
        waited, told = await longest_wait(asking.told())
        took = time.perf_counter() - begun
        assert (len(told.findings), told.count > len(MANY) / 2) == (rule_checks.MOST_FINDINGS, True)
        # On the loop it would be all of it.
        assert waited < took / 2
        assert await asking.told() is told
        asking.draft.revision, asking.draft.changes = 2, Changes()
        assert (await asking.told()).count < told.count
        assert asking.checks == 2

    asyncio.run(run())


def test_two_checks_are_never_under_way_at_once(monkeypatch):
    asking = Asking(monkeypatch)
    begun, go_on = threading.Event(), threading.Event()

    def slow(*_, **__):
        begun.set()
        assert go_on.wait(10)
        return Checked(())

    monkeypatch.setattr(rule_checks, "check", slow)

    async def run():
        first = asyncio.ensure_future(asking.told())
        assert await asyncio.to_thread(begun.wait, 10)
        with pytest.raises(RequestRefusedError) as refused:
            await asking.told()
        assert refused.value.code is Code.RATE_LIMITED
        go_on.set()
        assert await first is await asking.told()

    asyncio.run(run())


def test_what_a_check_found_is_kept_no_longer_than_until_some_rule_ends(monkeypatch):
    asking = Asking(monkeypatch, replace(MANY[0], valid_until=moment_text(NOON + HOUR)))

    async def run():
        before = await asking.told()
        assert await asking.told() is before
        asking.question.now = NOON + HOUR
        after = await asking.told()
        assert {one["kind"] for one in after.findings} - {one["kind"] for one in before.findings} == {"EXPIRED"}

    asyncio.run(run())
