"""The default ruleset is published like any other: first, and again by a release that brings another one.

Once somebody has published rules of their own, a release's defaults are no more than a proposal: what they changed is
told, and left to the security team (`rules diff --default`).
"""

import logging
from datetime import datetime
from typing import Any
from uuid import uuid4

from authz import ruleset_store
from authz.default_rules import CASES, RULES
from authz.rules import read_budgets, read_rules
from authz.ruleset_store import Content, text_digest
from authz.workbench.cases import write_cases
from authz.workbench.files import read_case_files
from ledger.rows import Kind, Operation
from models.rulesets import RulesetKind

ITSELF = "needful"
"""Who published it."""

_WAS_DEFAULT = "SELECT EXISTS (SELECT FROM ruleset WHERE kind = 'DEFAULT' AND digest = $1 AND cases = $2)"

_log = logging.getLogger("needful.rules")


def default_content() -> Content:
    """The rules, budgets and cases that this release comes with. Raises RulesetError."""
    return Content(tuple(read_rules(RULES)), tuple(read_budgets(RULES)), write_cases(read_case_files(CASES)))


async def keep_default(connection: Any, *, now: datetime) -> None:  # noqa: ANN401 - the owner's connection
    """Publish this release's defaults where no others than a release's have been, and these never before.

    So an earlier release's command on the same database takes nothing back. Raises the database's error.
    """
    given = default_content()
    if not await _is_new(connection, given):
        return
    async with connection.transaction():
        await ruleset_store.lock(connection)
        # Another process may have come first.
        if not await _is_new(connection, given):
            return
        number = await ruleset_store.latest(connection)
        row = Operation(
            Kind.RULES,
            uuid4(),
            now,
            ruleset=number + 1,
            digest=given.digest,
            detail={"act": "publish", "kind": RulesetKind.DEFAULT.value},
        )
        await ruleset_store.publish(
            connection,
            given,
            parent=number,
            kind=RulesetKind.DEFAULT,
            author=ITSELF,
            reason="The rules that this release comes with.",
            now=now,
            row=row,
        )


async def _is_new(connection: Any, given: Content) -> bool:  # noqa: ANN401 - as above
    """Have only defaults been published so far, and these not yet?"""
    if await connection.fetchval(_WAS_DEFAULT, given.digest, text_digest(given.cases)):
        return False
    number = await ruleset_store.latest(connection)
    found = await ruleset_store.publication(connection, number)
    if found is None or found.kind is RulesetKind.DEFAULT:
        return True
    _log.info("ruleset %s stays in force; see `rules diff --default` for what this release's rules say", number)
    return False
