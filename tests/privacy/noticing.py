"""An office whose notices tests publish: versions are rows of the owner's where they have to count already."""

import itertools
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from authz import ruleset_store
from authz.rules import parse_rule
from ledger.rows import Kind, Operation
from models.organizations import OrganizationKind
from models.rulesets import RulesetKind
from models.vocabulary import Category, Purpose, to_bits
from privacy.bundles import Bundle
from privacy.notice_contents import Content, Told
from privacy.notices import default_notice, keep
from tests.recorded import as_owner
from tests.writing.conftest import Office

FIRST = default_notice()
SERVICE = Purpose.HEALTH_SERVICE, OrganizationKind.HEALTH_PROVIDER
PENDING = "{ viewer { pendingNotices { version major hash agreed } standingNotice { version hash agreed } } }"


@dataclass
class Noticing(Office):
    """A server under one bundle whose notices and rules these tests alone change."""

    bundle: Bundle = field(kw_only=True)
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(10, 10), kw_only=True)

    @contextmanager
    def published(self):
        """Whatever notices are published in the block are gone after it."""
        try:
            yield self
        finally:
            self.execute("DELETE FROM notice_agreement")
            self.execute("DELETE FROM impact_assessment")
            self.execute("DELETE FROM notice_function WHERE notice > 1")
            self.execute("DELETE FROM notice WHERE number > 1")

    def version(self, content: Content, *, major: bool = True, days: int = -1) -> Content:
        """A version that counts since so many days, or will; its number is one that no worker has seen."""
        number = next(self._numbers)
        begins = date.today() + timedelta(days=days)  # noqa: DTZ011 - a day more or less makes no odds
        given = replace(content, version=f"test-{number}", effective_on=begins)
        now = datetime.now(UTC)
        as_owner(self, lambda owner: keep(owner, given, number=number, major=major, by="test", reason="", now=now))
        return given

    def rule(self, line: str) -> None:
        """One rule more, for good."""

        async def work(owner):
            number = await ruleset_store.latest(owner)
            before = await ruleset_store.published(owner, number)
            content = replace(before, rules=(*before.rules, parse_rule(line.split(","), place="a test")))
            async with owner.transaction():
                await ruleset_store.publish(
                    owner,
                    content,
                    parent=number,
                    kind=RulesetKind.PUBLISHED,
                    author="test",
                    reason="A test wants it.",
                    now=datetime.now(UTC),
                    row=Operation(Kind.RULES, uuid4(), datetime.now(UTC)),
                )

        as_owner(self, work)

    def says(self, token: str, content: Content, *, agrees: bool = True, **more):
        """Acknowledge a notice: its payload."""
        given = {"noticeHash": content.digest, "agrees": agrees, **more}
        return self.write("acknowledgeNotice", given, token=token, purpose="account_service", show="... on User { id }")

    def viewer(self, token: str):
        """What a caller is told of notices."""
        return self.post(PENDING, token=token, purpose="account_service").json()["data"]["viewer"]


def telling(content: Content, function, *categories: Category) -> Content:
    """A content that tells of these categories for a function, whatever it told before; none: no such function."""
    kept = tuple(one for one in content.functions if one.function != function)
    new = (Told(*function, to_bits(set(categories)), "用于测试。"),) if categories else ()
    return replace(content, functions=kept + new)


def until(check, *, seconds: float = 30.0):
    """What `check` gives, once it gives anything."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found
