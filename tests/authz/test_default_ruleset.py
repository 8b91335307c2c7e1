"""A release's default rules are published once, whoever comes first, and never taken back by an earlier release."""

import asyncio
from dataclasses import replace

import pytest

from authz import default_ruleset
from authz.default_ruleset import default_content, keep_default
from authz.ruleset_store import latest
from authz.tokens import utc_now
from models.database import connect_once
from models.embedded import database
from models.installation import open_installation

THIS = default_content()
NEXT = replace(THIS, rules=THIS.rules[1:])


@pytest.fixture
def empty(tmp_path, prepared):
    prepared.empty(tmp_path / "data")
    with database(open_installation({"NEEDFUL_DATA": str(tmp_path / "data")})) as found:
        yield found


def test_two_releases_that_start_at_once_and_in_turn_publish_each_of_their_defaults_once(empty, monkeypatch):
    async def run():
        one, other = [await connect_once(empty.owner) for _ in range(2)]
        try:
            # Each looks before it has the lock; one of them finds, once it has it, that all is done.
            await asyncio.gather(keep_default(one, now=utc_now()), keep_default(other, now=utc_now()))
            numbers = [await latest(one)]
            for content in (NEXT, THIS, NEXT, THIS):
                monkeypatch.setattr(default_ruleset, "default_content", lambda content=content: content)
                await keep_default(one, now=utc_now())
                numbers.append(await latest(one))
            return numbers
        finally:
            await one.close()
            await other.close()

    assert asyncio.run(run()) == [1, 2, 2, 2, 2]
