"""What stands in the way of a content that is to be in force, and whether it takes the privacy officer (C24, C46)."""

from dataclasses import dataclass
from datetime import datetime

from authz.catalogue import Catalogue
from authz.compile import compile_ruleset
from authz.rules import RulesetError, boundaries, in_force, moment_text
from authz.ruleset_store import Content
from authz.workbench.cases import MOST_MOMENTS
from authz.workbench.checks import Checked, check
from authz.workbench.difference import difference_in_time
from authz.workbench.findings import FindingKind, Severity, watched


@dataclass(frozen=True, slots=True)
class Judged:
    """What is in the way, in sentences: of the rules, and of their cases; and what it takes to approve it.

    `widens`: would anybody be shown more of what the privacy officer watches, or of more persons, now or later?
    """

    errors: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    widens: bool = True


def judge(content: Content, parent: Content, catalogue: Catalogue, now: datetime) -> Judged:
    """Judge a content that is to come in place of its parent."""
    unusable = _unusable(content, catalogue, now)
    found = check(content, catalogue=catalogue, now=now, covering=False)
    errors, failed = _errors(found, of_cases=False), _errors(found, of_cases=True)
    if unusable and not errors:
        errors = (unusable,)
    if errors:
        return Judged(errors, failed)
    changed = difference_in_time(parent, content, catalogue=catalogue, now=now)
    return Judged(errors, failed, bool(watched(changed, parent, content, catalogue)))


def _errors(found: Checked, *, of_cases: bool) -> tuple[str, ...]:
    return tuple(
        one.message
        for one in found.findings
        if one.severity is Severity.ERROR and (one.kind is FindingKind.CASE_FAILED) is of_cases
    )


def _unusable(content: Content, catalogue: Catalogue, now: datetime) -> str | None:
    """Why some worker could not answer by it, now or from a moment on at which a rule begins or ends."""
    before = None
    try:
        ruleset = content.ruleset(1, catalogue)
        coming = [datetime.fromisoformat(bound) for bound in boundaries(ruleset) if bound > moment_text(now)]
        if len(coming) > MOST_MOMENTS:
            return f"Rules begin or end at {len(coming)} different moments, and {MOST_MOMENTS} are allowed."
        for moment in (now, *coming):
            before = compile_ruleset(in_force(ruleset, moment), catalogue, before=before)
    except RulesetError as refused:
        return str(refused)
    return None
