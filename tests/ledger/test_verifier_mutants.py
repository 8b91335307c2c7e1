"""A verifier that is wrong anywhere is found out: of its mutants nine in ten and more fail what it is tested with."""

import signal
import sys
from time import perf_counter
from types import ModuleType

from ledger import verify
from tests.conftest import ROOT
from tests.ledger.battery.whole import battery
from tests.ledger.mutants import mutants

NAME = "verifier_mutant"
LONGEST = 1.0
"""Seconds that a mutant may take: one that goes on for ever is found out too."""


class TakesTooLong(BaseException):
    """Not caught by what catches exceptions."""


def test_at_least_nine_in_ten_mutants_of_the_verifier_are_killed(tmp_path, capsys, monkeypatch):
    def too_long(*_):
        raise TakesTooLong

    begun = perf_counter()
    checks = sorted(battery(tmp_path), key=seconds)
    source = (ROOT / "ledger" / "verify.py").read_text()
    monkeypatch.setitem(sys.modules, NAME, ModuleType(NAME))
    before = signal.signal(signal.SIGALRM, too_long)
    try:
        lives = [mutant.told() if is_fooled(mutant, checks) else None for mutant in mutants(source)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    lived, number = [one for one in lives if one is not None], len(lives)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{number - len(lived)} of {number} mutants of the verifier killed ({1 - len(lived) / number:.1%})"
            f" in {perf_counter() - begun:.1f} s"
        )
    assert number > 400
    assert 1 - len(lived) / number >= 0.9, "\n".join(lived)


def seconds(check) -> float:
    """How long a check takes of the verifier as it is: the cheapest come first."""
    begun = perf_counter()
    check(verify)
    return perf_counter() - begun


def is_fooled(mutant, checks) -> bool:
    """Does the mutant pass every check?"""
    place = 0
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        module = mutant.load(NAME)
        for place, check in enumerate(checks):  # noqa: B007 - told below
            check(module)
    except (Exception, TakesTooLong):  # noqa: BLE001 - whatever it is, it was found out
        # What has found one out is likely to find out the next, which is changed close by.
        checks.insert(0, checks.pop(place))
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return True
