"""What a check of a draft finds, as the API tells it: worked out beside the loop, one at a time, and kept.

A check asks Casbin for every case and compares two rulesets: a part of a second, and seconds for very many rules.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from authz import ruleset_store
from authz.compile import Snapshot
from authz.rules import RulesetError, moment_text
from authz.ruleset_store import Content, Publication
from authz.workbench.checks import Checked, check
from authz.workbench.drafts import Draft
from authz.workbench.findings import Finding, FindingKind, Severity
from resolvers.aside_turns import turn
from resolvers.asides import Fetching, Question
from resolvers.kept import Kept
from resolvers.rule_rows import rule_row, rule_rows
from resolvers.rulings import content_of

MOST_FINDINGS = 1_000
"""Findings that are told of one draft, the worst first."""
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="rule-checks")
"""The one that checks: what nobody waits for any more still has to end before the next begins."""
_ADVICE = "What was begun is finished and kept: ask again in a few seconds."


@dataclass(frozen=True, slots=True)
class ChecksTold:
    """Findings and cases by the schema's names; `count`: how many findings there are in all."""

    findings: Sequence[Mapping[str, Any]] = ()
    count: int = 0
    cases: Sequence[Mapping[str, Any]] = ()
    until: str | None = None
    """The moment from which rules that hold for a time only may make it another."""


_KEPT: Kept[tuple[UUID, int, str, str, int], ChecksTold] = Kept(16)
"""By what an edit, a rebase or a notice changes: a draft's revision, its parent's digests, the newest notice."""


async def checks_told(question: Question, draft: Draft, parent: Publication | None) -> ChecksTold:
    """What a check finds. Raises RATE_LIMITED while another is under way, UNAVAILABLE where it takes too long."""
    if parent is None:
        return ChecksTold()
    law = question.snapshot.law
    key = draft.id, draft.revision, parent.digest, parent.cases, law.notices.newest
    kept = _KEPT.find(key)
    if kept and (kept.until is None or moment_text(question.now) < kept.until):
        return kept
    async with turn(advice=_ADVICE):
        try:
            base = await content_of(question, parent)
        except RulesetError as refused:
            return _unusable(refused)
        cases = await ruleset_store.text(Fetching(question.fetch), draft.cases)
        checked = partial(_checked, draft, base, cases, question.snapshot, question.now)
        return await asyncio.get_running_loop().run_in_executor(_THREAD, lambda: _KEPT.keep(key, checked()))


def _checked(draft: Draft, base: Content, cases: str | None, snapshot: Snapshot, now: datetime) -> ChecksTold:
    try:
        content = replace(draft.changes.applied_to(base), cases=cases or ruleset_store.NO_CASES)
    except RulesetError as refused:
        return _unusable(refused)
    moment = moment_text(now)
    bounds = (bound for rule in (*base.rules, *content.rules) for bound in (rule.valid_from, rule.valid_until))
    until = min((bound for bound in bounds if bound > moment), default=None)
    found = check(content, catalogue=snapshot.catalogue, parent=base, now=now, law=snapshot.law, covering=False)
    return _told(found, until)


def _unusable(refused: RulesetError) -> ChecksTold:
    return _told(Checked((Finding(FindingKind.VOCABULARY, Severity.ERROR, None, str(refused)),)), None)


def _told(found: Checked, until: str | None) -> ChecksTold:
    findings = [_finding(one) for one in found.findings[:MOST_FINDINGS]]
    cases = [
        {
            "intent": one.group.intent,
            "case": list(one.case.words),
            "expected": one.expected.value,
            "got": one.got and one.got.value,
            "passed": one.passed,
        }
        for one in found.ran
    ]
    return ChecksTold(findings, len(found.findings), cases, until)


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "severity": one.severity.value,
        "message": one.message,
        "rule": one.rule and rule_row(one.rule),
        "others": rule_rows(one.others),
    }
