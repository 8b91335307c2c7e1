"""Findings: all that is wrong with rules or worth a second look, each with what to do (C24, C55, C56).

An ERROR keeps a draft from being proposed. Where some rule decides (a deny wins, the broader rule allows anyway), the
finding says so; nothing here changes what is decided. The time it takes grows with the number of rules, not its square.
"""

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from authz.catalogue import Catalogue
from authz.law import EVERYTHING, Law, recipient_of
from authz.oauth.attestations import PURPOSES as AFFILIATE_PURPOSES
from authz.rules import Budget, Rule, moment_text
from authz.ruleset_store import Content
from authz.situations import fitting
from authz.vocabulary import ANY, MASKABLE, Action, Basis, RuleEffect
from authz.workbench.behaviours import Objects, objects_of
from authz.workbench.difference import SHOWING, Cell, Changed, difference_in_time, matrix, widened, word_of
from authz.workbench.meetings import MOST_MOMENTS, Meetings, TooManyMomentsError, birth_date_beside_masked_id
from authz.workbench.reachable import NEVER_GIVEN, reachable
from models.vocabulary import PARTNER_ROLES, STAFF_ROLES, Category, Purpose, Role, from_bits, to_bits

WATCHED = frozenset(
    {
        Category.GOVERNMENT_ID,
        Category.BANK_ACCOUNT,
        Category.HEALTH,
        Category.INCIDENT,
        Category.EXPENSE,
    }
)
"""The categories that the privacy officer watches: what proves who somebody is (C04, C11), where their money is (C04,
C08), and what tells of their body: health itself, what a claim says happened, and what its treatment cost (C05, C08).
"""


def watched(changed: Iterable[Changed], before: Content, after: Content, catalogue: Catalogue) -> frozenset[Category]:
    """What takes the privacy officer: watched categories shown to more, or revealed of more persons (C08, C46)."""
    of_budgets = (_revealed(after, budget, catalogue) for _, budget in _larger(before.budgets, after.budgets))
    return (widened(changed) & WATCHED).union(*of_budgets)


def _revealed(content: Content, budget: Budget, catalogue: Catalogue) -> frozenset[Category]:
    """Of the watched categories those that some rule, whenever it holds, lets the holder of a budget be revealed."""
    objects = {
        rule.object
        for rule in content.rules
        if (rule.role, rule.purpose) == (budget.role, budget.purpose)
        and (rule.effect, rule.action) == (RuleEffect.ALLOW, Action.REVEAL)
    }
    named = {catalogue[name].category for name in objects if name in catalogue}
    return frozenset(one for one in WATCHED if one in objects or one in named)


Use = tuple[Role, Purpose, str]
"""A coordinate that was shown to a role for a purpose."""


class Severity(StrEnum):
    """How much a finding weighs; an ERROR cannot be proposed."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    NOTE = "NOTE"


class FindingKind(StrEnum):
    """What a finding is about."""

    FILE = "FILE"
    """A file or row that cannot be read."""
    VOCABULARY = "VOCABULARY"
    DOUBLED = "DOUBLED"
    EMPTY = "EMPTY"
    CONFLICT = "CONFLICT"
    SHADOWED = "SHADOWED"
    UNREACHABLE = "UNREACHABLE"
    WIDENED = "WIDENED"
    NEVER_USED = "NEVER_USED"
    SENSITIVE_PAIR = "SENSITIVE_PAIR"
    EXPIRED = "EXPIRED"
    BUDGET_MISSING = "BUDGET_MISSING"
    BUDGET_IDLE = "BUDGET_IDLE"
    CASE_FAILED = "CASE_FAILED"
    NOT_IN_NOTICE = "NOT_IN_NOTICE"
    UNLAWFUL_BASIS = "UNLAWFUL_BASIS"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, in a sentence that says what to do; `place`: file and line, of what was read from files."""

    kind: FindingKind
    severity: Severity
    rule: Rule | None
    message: str
    others: tuple[Rule, ...] = ()
    place: str = ""


def findings(  # noqa: PLR0913 - what is looked at
    content: Content,
    *,
    catalogue: Catalogue,
    parent: Content | None = None,
    now: datetime,
    used: frozenset[Use] | None = None,
    law: Law = EVERYTHING,
) -> list[Finding]:
    """Every finding, errors first.

    `parent`: against which it widens; `used`: what has ever been shown to whom; `law`: what holds beside the rules.
    """
    objects = objects_of(catalogue)
    doubled, unreachable = list(_doubled(content)), list(_unreachable(content.rules, objects, catalogue))
    # Of these it is told already that they are one too many.
    never = {one.rule.sentence for one in (*doubled, *unreachable) if one.rule}
    found = [
        *_vocabulary(content, objects, catalogue),
        *doubled,
        *unreachable,
        *_expired(content.rules, moment_text(now)),
        *_unlawful((rule for rule in content.rules if rule.sentence not in never), objects, catalogue, law),
        *_budgets(content),
        *_meetings(content.rules, never, objects, catalogue),
        *(_widened(parent, content, catalogue, now) if parent else ()),
        *(_never_used(content.rules, objects, used) if used is not None else ()),
    ]
    order = list(Severity)
    return sorted(found, key=lambda one: order.index(one.severity))


def refuses(found: Iterable[Finding]) -> bool:
    """Is there an ERROR among them? Then it cannot be proposed."""
    return any(one.severity is Severity.ERROR for one in found)


def _vocabulary(content: Content, objects: Objects, catalogue: Catalogue) -> Iterator[Finding]:
    if not content.rules:
        message = "There is no rule at all: nobody would see anything. Take the rules in force and change those."
        yield Finding(FindingKind.EMPTY, Severity.ERROR, None, message)
    unknown: dict[str, str] = {}
    for rule in content.rules:
        if rule.object not in objects:
            if rule.object not in unknown:
                unknown[rule.object] = _meant(rule.object, objects) if len(unknown) < _MOST_GUESSES else ""
            message = (
                f"{rule.object[:40]!r} is neither a category, nor a sensitive field, nor a write of this schema."
                f"{unknown[rule.object]} Write one of them."
            )
            yield Finding(FindingKind.VOCABULARY, Severity.ERROR, rule, message)
        elif rule.object in catalogue.writes and rule.action != Action.WRITE:
            message = f"{rule.object} can only be written: make the action `write`, or name what is read."
            yield Finding(FindingKind.VOCABULARY, Severity.ERROR, rule, message)
        elif rule.object in catalogue.counts and rule.action != Action.FILTER:
            message = f"{rule.object} only counts: make the action `filter`."
            yield Finding(FindingKind.VOCABULARY, Severity.ERROR, rule, message)


_MOST_GUESSES = 100


def _meant(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word[:80], known, n=1)
    return f" Did you mean {found[0]}?" if found else ""


def _doubled(content: Content) -> Iterator[Finding]:
    rows = Counter((*rule.sentence, rule.valid_from, rule.valid_until) for rule in content.rules)
    twice = {row for row, count in rows.items() if count > 1}
    told = set()
    for rule in content.rules if twice else ():
        row = (*rule.sentence, rule.valid_from, rule.valid_until)
        if row in twice and row not in told:
            told.add(row)
            message = f"It stands {rows[row]} times: keep one of these rows, with every clause that it rests on."
            yield Finding(FindingKind.DOUBLED, Severity.ERROR, rule, message)
    budgets = Counter((budget.role, budget.purpose) for budget in content.budgets)
    for (role, purpose), count in budgets.items():
        if count > 1:
            message = f"{role} for {purpose} has {count} budgets: keep one row."
            yield Finding(FindingKind.DOUBLED, Severity.ERROR, None, message)


def _unreachable(rules: Iterable[Rule], objects: Objects, catalogue: Catalogue) -> Iterator[Finding]:
    known: dict[tuple[str, ...], tuple[Severity, str] | None] = {}
    for rule in rules:
        if rule.object not in objects:
            continue
        if rule.sentence not in known:
            known[rule.sentence] = _why_never(rule, objects, catalogue)
        why = known[rule.sentence]
        if why is not None:
            yield Finding(FindingKind.UNREACHABLE, why[0], rule, why[1])


def _why_never(rule: Rule, objects: Objects, catalogue: Catalogue) -> tuple[Severity, str] | None:
    """Why a rule can never matter to anybody, and what to do; None where it can."""
    if rule.role == Role.AFFILIATE and rule.purpose not in AFFILIATE_PURPOSES and rule.effect == RuleEffect.ALLOW:
        return Severity.ERROR, "Affiliates have marketing, verification and security only (C35): delete the rule."
    categories = {catalogue[name].category for name in objects[rule.object] if name in catalogue}
    if rule.action == Action.MASK and rule.effect == RuleEffect.ALLOW and not categories & MASKABLE:
        return Severity.ERROR, f"{rule.object} has no masked form: allow to reveal it, or delete the rule."
    if rule.action == Action.WRITE and categories & NEVER_GIVEN:
        return Severity.ERROR, f"{rule.object} is never given with a write: delete the rule."
    possible = 0
    for name in objects[rule.object]:
        possible |= reachable(rule.role, rule.purpose, name, action=rule.action, catalogue=catalogue)
    if possible & fitting(rule.relation, rule.basis):
        return None
    if not possible:
        doing = "looks nothing up by" if rule.action == Action.FILTER else "has no rows of"
        told = f"{rule.role} for {rule.purpose} {doing} {rule.object}, so it never applies: delete the rule."
    elif rule.action == Action.FILTER:
        told = "Rows are looked up before any is known: give a filter the relation `any` and the basis `any`."
    else:
        told = (
            f"No record ties {rule.role} by {rule.relation} with {rule.basis} for {rule.purpose}, so it never applies:"
            " take a relation and basis that some row of the matrix has for them, or delete the rule."
        )
    return Severity.WARNING, told


def _expired(rules: Iterable[Rule], now: str) -> Iterator[Finding]:
    for rule in rules:
        if rule.valid_until and rule.valid_until <= now:
            message = f"It ended at {rule.valid_until}: delete it, or give it another end."
            yield Finding(FindingKind.EXPIRED, Severity.WARNING, rule, message)


def _unlawful(rules: Iterable[Rule], objects: Objects, catalogue: Catalogue, law: Law) -> Iterator[Finding]:
    """Rules that never speak, or for nobody yet, whatever they say: the law decides beside them (C24, C75)."""
    for rule in rules:
        if rule.basis not in (ANY, Basis.NONE) and not law.knows(Basis(rule.basis), rule.purpose):
            message = (
                f"{rule.basis} is no lawful basis for {rule.purpose} here, so it never applies: take a basis that the"
                " bundle in use has for it, or delete the rule."
            )
            yield Finding(FindingKind.UNLAWFUL_BASIS, Severity.WARNING, rule, message)
        if rule.effect == RuleEffect.ALLOW and rule.action != Action.WRITE:
            shown = {catalogue[name].category for name in objects.get(rule.object, ()) if name in catalogue}
            untold = to_bits(shown) & ~law.notices.newest_tells(rule.role, rule.purpose)
            if untold:
                message = (
                    f"The newest notice does not tell of {' and '.join(sorted(from_bits(untold)))} for {rule.purpose}"
                    f" by {recipient_of(rule.role).value}: nobody's is shown until a notice tells of it and they agreed"
                    " to that. Publish one, or delete the rule."
                )
                yield Finding(FindingKind.NOT_IN_NOTICE, Severity.WARNING, rule, message)


def _budgets(content: Content) -> Iterator[Finding]:
    first: dict[tuple[Role, Purpose], Rule] = {}
    for rule in content.rules:
        if (rule.effect, rule.action) == (RuleEffect.ALLOW, Action.REVEAL):
            first.setdefault((rule.role, rule.purpose), rule)
    given = {(budget.role, budget.purpose) for budget in content.budgets}
    for place, rule in first.items():
        if place not in given:
            message = (
                f"{rule.role} for {rule.purpose} has no budget, so nothing would be revealed: add a row to budget.csv."
            )
            yield Finding(FindingKind.BUDGET_MISSING, Severity.ERROR, rule, message)
    for role, purpose in sorted(given - first.keys()):
        message = f"{role} for {purpose} has a budget, and nothing that is revealed: delete its row of budget.csv."
        yield Finding(FindingKind.BUDGET_IDLE, Severity.NOTE, None, message)


def _meetings(
    rules: Iterable[Rule], never: Collection[tuple[str, ...]], objects: Objects, catalogue: Catalogue
) -> Iterator[Finding]:
    slices: dict[tuple[Role, Purpose], list[Rule]] = {}
    for rule in rules:
        if rule.object in objects:
            slices.setdefault((rule.role, rule.purpose), []).append(rule)
    for (role, purpose), some in slices.items():
        met = Meetings(some, objects, catalogue)
        for rule in some:
            if rule.sentence not in never:
                yield from _of_meetings(rule, met)
        message = _apart(role, purpose, met, catalogue)
        if message:
            yield Finding(FindingKind.SENSITIVE_PAIR, Severity.ERROR, None, message)


def _apart(role: Role, purpose: Purpose, met: Meetings, catalogue: Catalogue) -> str | None:
    try:
        if not birth_date_beside_masked_id(met, catalogue):
            return None
    except TooManyMomentsError:
        return (
            f"{role} for {purpose} has more than {MOST_MOMENTS} beginnings and ends of rules on birth dates and ID"
            " numbers, more than can be checked: give them fewer."
        )
    return (
        f"{role} for {purpose} would see birth date or gender beside a masked ID number, which gives the number"
        " away: reveal the number, or do not show the other where it is masked."
    )


def _of_meetings(rule: Rule, met: Meetings) -> Iterator[Finding]:
    covering = met.covering(rule)
    if covering is not None:
        message = f"It changes nothing: `{covering.line}` says as much. Delete one of the two."
        yield Finding(FindingKind.SHADOWED, Severity.WARNING, rule, message, (covering,))
    elif met.needless(rule):
        if rule.effect == RuleEffect.DENY:
            message = "It changes nothing: no rule allows what it denies. Keep it if it is meant as a guard."
            yield Finding(FindingKind.SHADOWED, Severity.NOTE, rule, message)
        else:
            message = (
                "It changes nothing: the other rules allow as much, or deny it anyway. Delete it, then look again."
            )
            yield Finding(FindingKind.SHADOWED, Severity.WARNING, rule, message, met.beside(rule))
    if rule.effect == RuleEffect.DENY:
        at_once, together = met.denied(rule)
        if at_once:
            message = f"It denies what `{at_once[0].line}` allows: the deny wins. Keep it only if that is meant."
            yield Finding(FindingKind.CONFLICT, Severity.WARNING, rule, message, at_once)
        elif together:
            message = f"It wins over `{together[0].line}` wherever both records are there. Keep it if that is meant."
            yield Finding(FindingKind.CONFLICT, Severity.NOTE, rule, message, together)


def _widened(parent: Content, content: Content, catalogue: Catalogue, now: datetime) -> Iterator[Finding]:
    changed = [one for one in difference_in_time(parent, content, catalogue=catalogue, now=now) if one.widens]
    before = set(parent.rules)
    added: dict[tuple[Role, Purpose], list[Rule]] = {}
    for rule in content.rules:
        if rule not in before:
            added.setdefault((rule.role, rule.purpose), []).append(rule)
    for cell in matrix(changed):
        watched = cell.action in SHOWING and cell.object in WATCHED
        about = {cell.object, *cell.coordinates}
        rules = [rule for rule in added.get((cell.role, cell.purpose), ()) if rule.object in about][:_MOST_OTHERS]
        yield Finding(
            FindingKind.WIDENED,
            Severity.WARNING if watched else Severity.NOTE,
            rules[0] if rules else None,
            _how_wide(cell, watched=watched),
            tuple(rules[1:]),
        )
    yield from _raised(parent, content, catalogue)


_MOST_OTHERS = 10


def _how_wide(cell: Cell, *, watched: bool) -> str:
    asks = "the privacy officer has to approve it" if watched else "see that it is needed"
    doing = "" if cell.action == Action.REVEAL else f" to {cell.action}"
    return (
        f"{cell.role} for {cell.purpose} gets more of {cell.object}{doing}: {word_of(cell.before)} becomes"
        f" {word_of(cell.after)} when {'; '.join(cell.when)}: {asks}."
    )


def _larger(before: Iterable[Budget], after: Iterable[Budget]) -> Iterator[tuple[Budget, Budget]]:
    """Budgets that are raised, as they were and as they are."""
    earlier = {(budget.role, budget.purpose): budget for budget in before}
    for budget in after:
        was = earlier.get((budget.role, budget.purpose))
        if was is not None and (budget.per_hour > was.per_hour or budget.per_day > was.per_day):
            yield was, budget


def _raised(before: Content, after: Content, catalogue: Catalogue) -> Iterator[Finding]:
    for was, budget in _larger(before.budgets, after.budgets):
        watched_too = sorted(_revealed(after, budget, catalogue))
        asks = (
            f"they are revealed {' and '.join(watched_too)}, so the privacy officer has to approve it"
            if watched_too
            else "see that their work needs it"
        )
        message = (
            f"{budget.role} for {budget.purpose} is revealed more persons: {was.per_hour} an hour and {was.per_day}"
            f" a day become {budget.per_hour} and {budget.per_day}: {asks}."
        )
        severity = Severity.WARNING if watched_too else Severity.NOTE
        yield Finding(FindingKind.WIDENED, severity, None, message)


def _never_used(rules: Iterable[Rule], objects: Objects, used: frozenset[Use]) -> Iterator[Finding]:
    """Of staff and partners: what customers and guardians may see is their right, and nobody counts it."""
    for rule in rules:
        shows = rule.effect == RuleEffect.ALLOW and rule.action in (Action.REVEAL, Action.MASK)
        if not shows or rule.role not in STAFF_ROLES | PARTNER_ROLES:
            continue
        names = objects.get(rule.object, ())
        if not any((rule.role, rule.purpose, name) in used for name in names):
            message = f"{rule.object} was never shown to {rule.role} for {rule.purpose}: ask them whether they need it."
            yield Finding(FindingKind.NEVER_USED, Severity.NOTE, rule, message)
