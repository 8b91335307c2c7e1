"""The smallest missing condition: the fewest changes that would give more, found by reading and confirmed by asking."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from authz.narrowing import Narrowing, both, compares, effects_of, refused
from authz.rules import Rule
from authz.situations import NOTHING
from authz.vocabulary import ANY, Action, Basis, Effect, Reason, Relation
from authz.workbench.readings import Act, Held, Pair, Reading, Token, compiled, fits, situation_of
from models.vocabulary import Purpose

_EVERY_PAIR = tuple(product(Relation, Basis))
_UNTIED = frozenset({(Relation.NONE, Basis.NONE)})


@dataclass(frozen=True, slots=True)
class Missing:
    """Changes that together would give more, and no fewer would; `gives` is None where that depends on what holds.

    `token`: TOKEN_SCOPE, a token that is not narrowed so; STEP_UP, a second factor.
    """

    gives: Effect | None
    pair: Pair | None = None
    """Witnessed too, by one record."""
    purpose: Purpose | None = None
    """Instead of the one asked for, if the same holds under it."""
    token: tuple[Reason, ...] = ()
    rule: Rule | None = None
    """The rule that would allow it, where one more has to."""
    notice: bool = False
    """That the person agrees to a notice which tells of this use (C75)."""

    @property
    def changes(self) -> int:
        """How many changes that is."""
        return (self.pair is not None) + (self.purpose is not None) + len(self.token) + self.notice


@dataclass(frozen=True, slots=True)
class _Changed:
    """A question with some changes, and what the rules, read, give to it."""

    gives: Effect
    purpose: Purpose
    parts: tuple[Held, ...]
    token: Token | None
    pair: Pair | None
    reasons: tuple[Reason, ...]


def smallest_missing(
    reading: Reading, purpose: Purpose, parts: tuple[Held, ...], token: Token | None
) -> Missing | None:
    """The smallest change that gives more than is given; None where no change of these does.

    Among changes of one size, what gives more comes first, then what is nearest to what holds.
    """
    given = reading.answer(purpose, parts, token)
    if given is Effect.REVEAL:
        return None
    found = [one for one in _changes(reading, parts, token) if one.gives > given]
    for one in sorted(found, key=lambda one: _distance(one, purpose, parts[0])):
        if answered(reading, one.purpose, one.parts, one.token) > given:
            changed = None if one.purpose == purpose else one.purpose
            return Missing(one.gives, one.pair, changed, one.reasons, _rule(reading, one))
    return None


def _changes(reading: Reading, parts: tuple[Held, ...], token: Token | None) -> Iterator[_Changed]:
    tokens = list(_tokens(reading, token))
    for other in Purpose:
        allowing = reading.allowing(other)
        pairs = [pair for pair in _EVERY_PAIR if any(fits(rule, pair) for rule in allowing)]
        for pair in (None, *pairs) if allowing else ():
            held = tuple(one if pair is None else _added(one, pair) for one in parts)
            for reasons, wider in tokens:
                asked = held if wider and compares(compiled(reading, other), wider.narrowing) else held[:1]
                yield _Changed(reading.answer(other, asked, wider), other, asked, wider, pair, reasons)


def _added(held: Held, pair: Pair) -> Held:
    """Once a record witnesses something, it is no longer true that none does."""
    return frozenset({pair}) if held <= _UNTIED else held | {pair}


def _tokens(reading: Reading, token: Token | None) -> Iterator[tuple[tuple[Reason, ...], Token | None]]:
    """The token, and tokens that narrow less, each with what about it is changed."""
    yield (), token
    if token is None or reading.category is None or reading.act is Act.WRITE:
        return
    wider = Token(token.categories | reading.category.bit, replace(token.narrowing, most=Effect.REVEAL))
    if wider != token:
        yield (Reason.TOKEN_SCOPE,), wider
    if reading.waits(token):
        yield (Reason.STEP_UP,), Token(token.categories, _stepped_up(token.narrowing))
        yield (Reason.TOKEN_SCOPE, Reason.STEP_UP), Token(wider.categories, _stepped_up(wider.narrowing))


def _stepped_up(narrowing: Narrowing) -> Narrowing:
    return replace(narrowing, step_up=False)


def _distance(one: _Changed, purpose: Purpose, held: Held) -> tuple[int | bool, ...]:
    other = one.purpose != purpose
    size = (one.pair is not None) + other + len(one.reasons)
    return (size, -one.gives, len(one.reasons), other, *_apart(one.pair, held), list(Purpose).index(one.purpose))


def _apart(pair: Pair | None, held: Held) -> tuple[int | bool, ...]:
    """How far a pair is from those that hold: best is to have the relation already, then the basis."""
    if pair is None:
        return False, False, 0
    relation, basis = pair
    tied = relation in {one for one, _ in held if one != Relation.NONE}
    opened = basis in {one for _, one in held if one != Basis.NONE}
    return not tied, not opened, _EVERY_PAIR.index(pair)


def _rule(reading: Reading, one: _Changed) -> Rule | None:
    """The rule by which a change gives what it gives: the narrowest of those that do."""
    if one.pair is None and not one.reasons:
        pairs = one.parts[0]
    elif one.pair is not None:
        pairs = frozenset({one.pair})
    else:
        return None
    wanted = Action.REVEAL if one.gives is Effect.REVEAL and reading.act is Act.SHOW else None
    giving = [
        rule
        for rule in reading.allowing(one.purpose)
        if any(fits(rule, pair) for pair in pairs) and wanted in (None, rule.action)
    ]
    return min(giving, key=lambda rule: ((rule.relation == ANY) + (rule.basis == ANY), rule.line), default=None)


def answered(reading: Reading, purpose: Purpose, parts: tuple[Held, ...], token: Token | None) -> Effect:
    """What the compiled rules answer to the same question. Raises DecisionFaultError where Casbin cannot."""
    asked, name = compiled(reading, purpose), reading.coordinate
    situations = [situation_of(held) or NOTHING for held in parts]
    if reading.act is Act.WRITE:
        return Effect.REVEAL if all(asked.may_write(name, one) for one in situations) else Effect.DENY
    coordinate = reading.snapshot.catalogue[name]
    if reading.act is Act.FILTER:
        # As a look-up is planned (`resolvers.compiler`).
        whole = token is None or (token.narrowing.most is Effect.REVEAL and token.categories & coordinate.category.bit)
        return Effect.REVEAL if whole and all(asked.may_filter(name, one) for one in situations) else Effect.DENY
    if token is None:
        return min(asked.table(name)[one] for one in situations)
    if refused(coordinate.category, token.categories, token.narrowing) is not None:
        return Effect.DENY
    table = effects_of(asked, coordinate, token.narrowing)
    return table[both(situations[0], situations[-1]) if compares(asked, token.narrowing) else situations[0]]
