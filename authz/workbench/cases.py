"""Cases: what rules are meant to do, as data that somebody who does not program can read and write.

A case says what one role, for one purpose, gets of one coordinate where records witness some pairs. Cases stand under a
sentence of intent. They are asked of the compiled rules, now and at each later moment at which one begins or ends: a
case says the most that is shown from now on. They tell which rules no case would miss.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import orjson

from authz.catalogue import Catalogue
from authz.compile import Snapshot, assemble
from authz.enforce import acts
from authz.rules import Rule, RulesetError, boundaries, in_force, make_ruleset, moment_text
from authz.ruleset_store import Content
from authz.situations import holds, pair_bit
from authz.vocabulary import Action, Basis, Effect, Relation, RuleEffect
from authz.workbench.behaviours import Answer, Behaviour, behaviour, by_name, objects_of
from models.vocabulary import Purpose, Role

Pair = tuple[Relation, Basis]


class Expected(StrEnum):
    """What a case expects: how much is shown, or whether rows may be looked up by it, or it may be written."""

    REVEAL = "reveal"
    MASK = "mask"
    DENY = "deny"
    FILTER = "filter"
    NO_FILTER = "no_filter"
    WRITE = "write"
    NO_WRITE = "no_write"

    @property
    def action(self) -> Action:
        """What is asked."""
        return _ASKED.get(self, Action.REVEAL)


_ASKED = {
    Expected.FILTER: Action.FILTER,
    Expected.NO_FILTER: Action.FILTER,
    Expected.WRITE: Action.WRITE,
    Expected.NO_WRITE: Action.WRITE,
}
_SHOWN = {Effect.REVEAL: Expected.REVEAL, Effect.MASK: Expected.MASK, Effect.DENY: Expected.DENY}
_ALLOWED = {
    (Action.FILTER, True): Expected.FILTER,
    (Action.FILTER, False): Expected.NO_FILTER,
    (Action.WRITE, True): Expected.WRITE,
    (Action.WRITE, False): Expected.NO_WRITE,
}
CASE_COLUMNS = ("intent", "role", "purpose", "pairs", "coordinate", "effect")
MOST_PAIRS = 8
"""Pairs that records witness at once, in one case."""
MOST_MOMENTS = 366
"""At which rules of one ruleset may begin or end: at each of them a worker compiles anew."""
_INTENT = re.compile(r"\w[\w ,.;:()§/'’?!%、，。；：（）《》–-]{2,198}[\w.)?!%。）]")
"""A sentence: nothing that a table program takes for a formula."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One expectation; `pairs`: what records witness, in order; none at all is `none:none`."""

    role: Role
    purpose: Purpose
    pairs: tuple[Pair, ...]
    coordinate: str
    effect: Expected

    @property
    def situation(self) -> int:
        """The pairs as bits."""
        return sum(pair_bit(relation, basis) for relation, basis in self.pairs)

    @property
    def words(self) -> tuple[str, ...]:
        """As a row, without its intent."""
        pairs = " ".join(f"{relation}:{basis}" for relation, basis in self.pairs)
        return self.role.value, self.purpose.value, pairs, self.coordinate, self.effect.value


@dataclass(frozen=True, slots=True, order=True)
class CaseGroup:
    """Cases under a sentence that says what they are to hold."""

    intent: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Ran:
    """One case asked; `got`: the most that came; None where there is no such coordinate or write.

    `since`: the first moment from which on that comes, as rules write it; empty: it does now.
    """

    group: CaseGroup
    case: Case
    expected: Expected
    got: Expected | None
    passed: bool
    since: str = ""

    @property
    def message(self) -> str:
        """What was expected and what came, and what to do."""
        case = self.case
        asked = f"{case.role} for {case.purpose}, {' and '.join(case.words[2].split())}: {case.coordinate}"
        if self.got is None:
            return f"{self.group.intent} {asked} is not there to be {_DONE[case.effect.action]}: name one that is."
        got = f"{self.got} from {self.since} on" if self.since else self.got
        return f"{self.group.intent} {asked} is {got}, not {self.expected}: change the rules, or the case."


_DONE = {Action.REVEAL: "shown", Action.FILTER: "looked up by", Action.WRITE: "written"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Rules that no case exercises, and rules without which every case would pass as before."""

    unexercised: tuple[Rule, ...]
    unnoticed: tuple[Rule, ...]


def parse_case(row: tuple[str, ...], *, place: str) -> tuple[str, Case]:
    """An intent and its case from 6 words; nothing is trimmed, guessed or defaulted. Raises RulesetError."""
    if len(row) != len(CASE_COLUMNS) or not all(row):
        raise RulesetError(f"{place}: a case has {len(CASE_COLUMNS)} words, none of them empty")
    intent, role, purpose, pairs, coordinate, effect = row
    try:
        return _checked(intent), Case(Role(role), Purpose(purpose), _pairs(pairs), coordinate, Expected(effect))
    except ValueError as fault:
        raise RulesetError(f"{place}: {fault}") from fault


def _checked(intent: str) -> str:
    if not _INTENT.fullmatch(intent):
        raise ValueError(f"{intent[:40]!r} is no sentence of 4 to 200 letters, digits and common signs")
    return intent


def _pairs(text: str) -> tuple[Pair, ...]:
    found = []
    for word in text.split(" "):
        relation, _, basis = word.partition(":")
        found.append((Relation(relation), Basis(basis)))
    if len(set(found)) != len(found) or len(found) > MOST_PAIRS:
        raise ValueError(f"pairs are up to {MOST_PAIRS} different ones, such as assigned:contract_open")
    return tuple(sorted(found, key=lambda pair: pair_bit(*pair)))


def grouped(cases: Iterable[tuple[str, Case]]) -> tuple[CaseGroup, ...]:
    """Cases under their intents, in order. Raises RulesetError for one that stands twice."""
    found: defaultdict[str, list[Case]] = defaultdict(list)
    for intent, case in cases:
        found[intent].append(case)
    for intent, some in found.items():
        if len(set(some)) != len(some):
            raise RulesetError(f"a case stands twice under {intent!r}: keep one of the two")
    return tuple(CaseGroup(intent, tuple(sorted(found[intent]))) for intent in sorted(found))


def read_cases(text: str) -> tuple[CaseGroup, ...]:
    """The groups of a text as a content keeps it. Raises RulesetError for one that is not wholly valid."""
    try:
        given = orjson.loads(text)
        rows = [(intent, *words) for intent, some in given for words in some]
    except (ValueError, TypeError) as fault:
        raise RulesetError("the text of cases is no list of intents, each with rows of words") from fault
    if not isinstance(given, list) or not all(isinstance(word, str) for row in rows for word in row):
        raise RulesetError("the text of cases is no list, or has a word that is no text")
    return grouped(parse_case(row, place=f"case {at}") for at, row in enumerate(rows, start=1))


def write_cases(groups: Iterable[CaseGroup]) -> str:
    """The text of groups as a content keeps it: the same for the same cases, in whatever order."""
    ordered = grouped((group.intent, case) for group in groups for case in group.cases)
    return orjson.dumps([[group.intent, [case.words for case in group.cases]] for group in ordered]).decode()


@dataclass(frozen=True, slots=True)
class At:
    """What holds from a moment on, as rules write it; empty: what holds now."""

    since: str
    snapshot: Snapshot


def from_now_on(content: Content, catalogue: Catalogue, *, now: datetime) -> tuple[At, ...]:
    """What cases are asked of: what holds now, and at each later moment at which a rule begins or ends.

    Beyond `MOST_MOMENTS` of them it is, as of one moment, the most that can be shown at any. Raises RulesetError.
    """
    moment = moment_text(now)
    # A row that stands twice decides what it decides once; that it does is a finding of its own.
    lasting = {
        (*rule.sentence, rule.valid_from, rule.valid_until): rule
        for rule in content.rules
        if not rule.valid_until or rule.valid_until > moment
    }
    ruleset = make_ruleset(1, lasting.values(), catalogue=catalogue, budgets=content.budgets)
    coming = [bound for bound in boundaries(ruleset) if bound > moment]
    if len(coming) > MOST_MOMENTS:
        most = tuple(rule for rule in ruleset.rules if not rule.timed or rule.effect == RuleEffect.ALLOW)
        return (At("", assemble(replace(ruleset, rules=most), catalogue)),)
    found = [At("", assemble(in_force(ruleset, now), catalogue))]
    for bound in coming:
        held = in_force(ruleset, datetime.fromisoformat(bound))
        found.append(At(bound, assemble(held, catalogue, before=found[-1].snapshot)))
    return tuple(found)


def run_cases(groups: Iterable[CaseGroup], *moments: At) -> list[Ran]:
    """Every case asked of the compiled rules, in order. Raises DecisionFaultError."""
    return [_ran(group, case, moments) for group in groups for case in group.cases]


def _ran(group: CaseGroup, case: Case, moments: Sequence[At]) -> Ran:
    """One case: it passes if what it expects comes at some moment, and more at none."""
    known: dict[int, Expected | None] = {}
    most: tuple[Expected | None, str] | None = None
    for at in moments:
        compiled = _compiled(case, at.snapshot)
        # Most slices stay what they were from one moment to the next.
        if id(compiled) in known:
            continue
        got = known[id(compiled)] = _got(case, at.snapshot)
        if most is None or _much(got) > _much(most[0]):
            most = got, at.since
    got, since = most or (None, "")
    return Ran(group, case, case.effect, got, got is case.effect, since)


_MUCH = {Expected.DENY: 0, Expected.MASK: 1, Expected.REVEAL: 2}


def _much(got: Expected | None) -> int:
    return _MUCH.get(got, int(got in (Expected.FILTER, Expected.WRITE))) if got else -1


def _compiled(case: Case, snapshot: Snapshot) -> object:
    place = case.role, case.purpose
    return snapshot.writing(*place) if case.effect.action is Action.WRITE else snapshot.slice(*place)


def _got(case: Case, snapshot: Snapshot) -> Expected | None:
    action = case.effect.action
    known = snapshot.catalogue
    besides = {Action.WRITE: known.writes, Action.FILTER: known.counts}.get(action, frozenset())
    if case.coordinate not in known and case.coordinate not in besides:
        return None
    if action is Action.WRITE:
        allowed = snapshot.writing(case.role, case.purpose).may_write(case.coordinate, case.situation)
        return _ALLOWED[action, allowed]
    compiled = snapshot.slice(case.role, case.purpose)
    if action is Action.FILTER:
        return _ALLOWED[action, compiled.may_filter(case.coordinate, case.situation)]
    return _SHOWN[compiled.table(case.coordinate)[case.situation]]


def coverage(groups: Iterable[CaseGroup], content: Content, catalogue: Catalogue) -> Coverage:
    """Which rules cases do without: of all rules, also those that hold for a time only, as if they held now."""
    objects = objects_of(catalogue)
    cases: defaultdict[tuple[Role, Purpose, bool, str], list[Case]] = defaultdict(list)
    for case in {case for group in groups for case in group.cases}:
        cases[case.role, case.purpose, case.effect.action is Action.WRITE, case.coordinate].append(case)
    places: defaultdict[tuple[Role, Purpose, bool], list[Rule]] = defaultdict(list)
    for rule in content.rules:
        places[rule.role, rule.purpose, rule.action == Action.WRITE].append(rule)
    covered = _Covered(set(), set())
    for place, rules in places.items():
        for name, some in by_name(rules, objects).items():
            asked = cases.get((*place, name))
            if asked:
                _cover(name, some, asked, catalogue, covered)
    return Coverage(
        unexercised=tuple(rule for rule in content.rules if rule not in covered.exercised),
        unnoticed=tuple(rule for rule in content.rules if rule not in covered.noticed),
    )


@dataclass(frozen=True, slots=True)
class _Covered:
    exercised: set[Rule]
    noticed: set[Rule]


def _cover(name: str, rules: list[Rule], cases: list[Case], catalogue: Catalogue, covered: _Covered) -> None:
    """Of the rules on one coordinate, those that cases exercise and notice; only what a rule fits can notice it."""
    whole = behaviour(rules, name, catalogue)
    by_words: defaultdict[tuple[str, ...], list[Rule]] = defaultdict(list)
    for rule in rules:
        by_words[rule.effect, rule.action, rule.relation, rule.basis].append(rule)
    for some in by_words.values():
        fitting = [case for case in cases if _exercises(case, some[0])]
        covered.exercised.update(some if fitting else ())
        # Where another rule says the same, neither is missed.
        if len(some) == 1 and fitting:
            others = (words[0] for words in by_words.values() if words is not some)
            without = behaviour(others, name, catalogue)
            if any(_answer(case, whole) != _answer(case, without) for case in fitting):
                covered.noticed.add(some[0])


def _exercises(case: Case, rule: Rule) -> bool:
    asked = (Action.REVEAL, Action.MASK) if case.effect.action is Action.REVEAL else (case.effect.action,)
    speaks = any(acts(action, rule.action, rule.effect) for action in asked)
    return speaks and holds(case.situation, rule.relation, rule.basis)


def _answer(case: Case, said: Behaviour) -> Answer:
    return said.answer(case.effect.action, case.situation)
