"""The one place that asks Casbin: small enforcers, each built once and never changed."""

import logging
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

import casbin

from authz.catalogue import Catalogue
from authz.rules import Rule, RulesetError
from authz.situations import holds
from authz.vocabulary import Action, RuleEffect

_ONE_AT_A_TIME = Lock()
_MODEL = (Path(__file__).parent / "model.conf").read_text()


def acts(asked: str, action: str, effect: str) -> bool:
    """Does a rule speak to the asked action?

    Masking is part of revealing: what may be revealed may be masked, and where masking is denied so is revealing.
    """
    if asked == action:
        return True
    if asked == Action.MASK:
        return action == Action.REVEAL and effect == RuleEffect.ALLOW
    return asked == Action.REVEAL and action == Action.MASK and effect == RuleEffect.DENY


class Enforcer:
    """Casbin over some rules of one slice: those on one coordinate are all that its decisions depend on."""

    def __init__(self, rules: Iterable[Rule], *, catalogue: Catalogue) -> None:
        """Load the rules and read them back. Raises RulesetError if Casbin holds other rows than given."""
        self._catalogue = catalogue
        # Casbin keeps no row twice: what two rules say for different times or reasons is said once.
        rows = [list(row) for row in dict.fromkeys(map(_row, rules))]
        # Casbin is not asked without rules: some of its policies allow when there are none.
        self._enforcer = self._loaded(rows) if rows else None

    def allows(self, role: str, purpose: str, *, situation: int, coordinate: str, action: Action) -> bool:
        """May this role, for this purpose, in this situation, do this with this coordinate?"""
        if self._enforcer is None or not role or not purpose or not self._catalogue.knows(coordinate):
            return False
        # Casbin parses its matcher at every call, and what parses is not safe in two threads at once.
        with _ONE_AT_A_TIME:
            return bool(self._enforcer.enforce(role, purpose, situation, coordinate, str(action.value)))

    def _loaded(self, rows: list[list[str]]) -> casbin.Enforcer:
        logging.getLogger("casbin").setLevel(logging.CRITICAL)
        model = casbin.Model()
        model.load_model_from_text(_MODEL)
        enforcer = casbin.Enforcer(model)
        enforcer.add_function("acts", acts)
        enforcer.add_function("covers", self._catalogue.covers)
        enforcer.add_function("holds", holds)
        for row in rows:
            enforcer.add_policy(*row)
        if sorted(enforcer.get_policy()) != sorted(rows):
            message = "the rules that Casbin loaded are not the rules that were given"
            raise RulesetError(message)
        return enforcer


def _row(one: Rule) -> tuple[str, ...]:
    words = (one.role, one.purpose, one.relation, one.basis, one.object, one.action, one.effect)
    return tuple(str(word) for word in words)
