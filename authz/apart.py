"""What no ruleset may show together: a masked ID beside birth date and gender gives the ID away.

Told of all situations at once, as sets of pairs, and never one by one: there are more of them than anybody could ask.
"""

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from authz.catalogue import Catalogue
from authz.rules import RulesetError
from authz.situations import fitting
from authz.vocabulary import ANY, Action, Relation
from authz.workbench.behaviours import Behaviour, behaviour
from models.vocabulary import Category

if TYPE_CHECKING:
    from authz.compile import Slice

APART = (Category.DEMOGRAPHIC, Category.GOVERNMENT_ID)
_TOLD = fitting(Relation.SELF, ANY) | fitting(Relation.GUARDIAN_OF, ANY)
"""The pairs of oneself and one's guardian, who may see both."""
_OTHERS = fitting(ANY, ANY) & ~_TOLD


def check_birth_date_apart_from_masked_id(compiled: "Slice", catalogue: Catalogue) -> None:
    """Only oneself and one's guardian see both. Raises RulesetError."""
    births, numbers = (
        [behaviour(compiled.rules_on(name), name, catalogue) for name in compiled.names_of(category)]
        for category in APART
    )
    if shows_birth_date_beside_masked_id(births, numbers):
        message = f"{compiled.role} for {compiled.purpose} would see birth date or gender beside a masked ID number"
        raise RulesetError(message)


def shows_birth_date_beside_masked_id(births: Iterable[Behaviour], numbers: list[Behaviour]) -> bool:
    """Is there a situation, of whatever pairs, that reveals one of `births` and masks the best shown of `numbers`?"""
    return any(_shows_beside(*both, numbers) for both in itertools.product(births, numbers))


def _shows_beside(born: Behaviour, number: Behaviour, numbers: list[Behaviour]) -> bool:
    """Does some situation reveal the one and mask this number, of which none is revealed?"""
    within = _OTHERS & ~born.denied[Action.REVEAL] & ~born.denied[Action.MASK] & ~number.denied[Action.MASK]
    masked = number.allowed[Action.REVEAL] | number.allowed[Action.MASK]
    # What no rule is there to reveal is not revealed; nor is what something that is there denies.
    for denied in itertools.product((False, True), repeat=len(numbers)):
        left, needed = within, [born.allowed[Action.REVEAL], masked]
        for one, is_denied in zip(numbers, denied, strict=True):
            if is_denied:
                needed.append(one.denied[Action.REVEAL] | one.denied[Action.MASK])
            else:
                left &= ~one.allowed[Action.REVEAL]
        if all(left & some for some in needed):
            return True
    return False
