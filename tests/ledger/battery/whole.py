"""What the verifier must say, case by case: of a ledger as it was sealed nothing, of any other what is wrong.

Every case names, in their order, a part of each finding that it expects; none more may come.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.ledger.battery.case import Case
from tests.ledger.battery.drops import of_drops, of_forged_drops
from tests.ledger.battery.heads import of_heads
from tests.ledger.battery.parts import of_keys, of_parts
from tests.ledger.battery.program import Program
from tests.ledger.battery.rows import honest, of_lines, of_rows
from tests.ledger.battery.second_place import of_the_second_place

Check = Callable[[Any], None]


def cases() -> list[Case]:
    return [
        *honest(),
        *of_rows(),
        *of_lines(),
        *of_heads(),
        *of_the_second_place(),
        *of_drops(),
        *of_forged_drops(),
        *of_parts(),
        *of_keys(),
    ]


def battery(folder: Path) -> list[Check]:
    """Every check."""
    return [Program(folder).run, *(case.run for case in cases())]
