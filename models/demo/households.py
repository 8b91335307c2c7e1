"""Ordinary households: who lives together and what they insured."""

from collections.abc import Sequence
from datetime import date, timedelta
from enum import Enum, auto

from models.demo.books import Book
from models.demo.dealings import draw_contract_dealings, draw_disclosure, draw_person_dealings
from models.demo.draws import Draws, weighted
from models.demo.people import (
    Home,
    Member,
    Profile,
    add_guardian,
    add_person,
    draw_gender,
    draw_home,
)
from models.demo.policies import Contract, add_policy, draw_status
from models.demo.timeline import ADULTS_BORN_UNTIL, CHILDREN_BORN_FROM, CHILDREN_BORN_UNTIL, years_later
from models.people import Gender


class Part(Enum):
    """A place in a household."""

    HEAD = auto()
    SPOUSE = auto()
    CHILD = auto()
    GROWN_CHILD = auto()
    PARENT = auto()


_KINDS = weighted(
    {
        (Part.HEAD,): 26,
        (Part.HEAD, Part.SPOUSE): 24,
        (Part.HEAD, Part.SPOUSE, Part.CHILD): 20,
        (Part.HEAD, Part.SPOUSE, Part.CHILD, Part.CHILD): 10,
        (Part.HEAD, Part.CHILD): 4,
        (Part.HEAD, Part.SPOUSE, Part.GROWN_CHILD): 8,
        (Part.HEAD, Part.PARENT): 5,
        (Part.HEAD, Part.SPOUSE, Part.CHILD, Part.PARENT): 3,
    },
)
# First and last year of birth of adults who live alone or as a couple.
_COHORTS = weighted(
    {
        (1936, 1949): 6,
        (1950, 1959): 13,
        (1960, 1969): 19,
        (1970, 1979): 19,
        (1980, 1989): 22,
        (1990, 1999): 16,
        (2000, 2006): 5,
    },
)
_PARENTS_OF_CHILDREN = (1978, 1994)
_PARENTS_OF_GROWN = (1956, 1979)
_CHILDREN_OF_PARENTS = (1970, 1998)

_HELD = weighted({0: 9, 1: 22, 2: 26, 3: 20, 4: 13, 5: 7, 6: 3})


def draw_household(book: Book, *, limit: int) -> None:
    """Write one household of at most `limit` people, with everything of theirs."""
    draws = book.draws
    parts, home = draws.pick(_KINDS)[:limit], draw_home(draws)
    members = _add_members(book, parts, home=home)
    _add_guardians(book, parts, members=members)
    contracts = _add_contracts(book, members)
    claims = []
    for contract in contracts:
        claims += draw_contract_dealings(book, contract, household=members, home=home)
    for member in members:
        own = [claim for claim, insured in claims if insured is member]
        draw_person_dealings(book, member, guardian=members[0], claims=own)
    draw_disclosure(book, members)


def _add_members(book: Book, parts: Sequence[Part], *, home: Home) -> list[Member]:
    draws, head_born = book.draws, _head_born(book.draws, parts)
    head_gender = draw_gender(draws)
    members = []
    for part in parts:
        profile = Profile(
            born=_born(draws, part, head=head_born),
            gender=_gender(draws, part, head=head_gender),
            home=home,
            family_name=part is not Part.SPOUSE,
        )
        members.append(add_person(book, profile))
    return members


def _head_born(draws: Draws, parts: Sequence[Part]) -> date:
    if Part.CHILD in parts:
        first, last = _PARENTS_OF_CHILDREN
    elif Part.GROWN_CHILD in parts:
        first, last = _PARENTS_OF_GROWN
    else:
        first, last = _CHILDREN_OF_PARENTS if Part.PARENT in parts else draws.pick(_COHORTS)
    return draws.day(date(first, 1, 1), min(date(last, 12, 31), ADULTS_BORN_UNTIL))


def _born(draws: Draws, part: Part, *, head: date) -> date:
    match part:
        case Part.HEAD:
            return head
        case Part.SPOUSE:
            return min(head + timedelta(days=draws.number(-1_500, 1_500)), ADULTS_BORN_UNTIL)
        case Part.CHILD:
            return draws.day(CHILDREN_BORN_FROM, CHILDREN_BORN_UNTIL)
        case Part.GROWN_CHILD:
            return draws.day(years_later(head, 20), min(years_later(head, 32), ADULTS_BORN_UNTIL))
        case Part.PARENT:
            return draws.day(years_later(head, -33), years_later(head, -21))


def _gender(draws: Draws, part: Part, *, head: Gender) -> Gender:
    if part is Part.HEAD:
        return head
    if part is Part.SPOUSE:
        return Gender.MALE if head is Gender.FEMALE else Gender.FEMALE
    return draw_gender(draws)


def _add_guardians(book: Book, parts: Sequence[Part], *, members: Sequence[Member]) -> None:
    draws = book.draws
    for part, child in zip(parts, members, strict=True):
        if part not in {Part.CHILD, Part.GROWN_CHILD}:
            continue
        verified = draws.chance(0.88)
        add_guardian(book, members[0], child=child, verified=verified, revoked=verified and draws.chance(0.05))
        if Part.SPOUSE in parts and draws.chance(0.55):
            add_guardian(book, members[1], child=child, verified=draws.chance(0.88))


def _add_contracts(book: Book, members: Sequence[Member]) -> list[Contract]:
    """Policies of the grown-ups, mostly on themselves; then one for whoever would have no tie to us at all."""
    draws = book.draws
    adults = [member for member in members if not member.minor]
    pairs = [
        (holder, holder if draws.chance(0.6) else draws.one(members))
        for holder in adults
        for _ in range(draws.pick(_HELD))
    ]
    known = {member.id for pair in pairs for member in pair} | {member.id for member in members if member.account}
    pairs += [(adults[0], member) for member in members if member.id not in known]
    pairs += [(member, member) for member in members if member.minor and member.account and draws.chance(0.3)]
    return [add_policy(book, holder, insured=insured, status=draw_status(draws)) for holder, insured in pairs]
