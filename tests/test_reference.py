"""The product and its naive second implementation give the same answers to generated operations."""

import os
from random import Random

from tests.reference.compare import Comparison
from tests.reference.world import load

SOAK = int(os.environ.get("NEEDFUL_SOAK_OPERATIONS", "0"))
"""Set by scripts/soak: how many operations instead of the suite's, with progress shown."""

OPERATIONS = SOAK or 300
SEED = int(os.environ.get("NEEDFUL_SOAK_SEED", "1"))


def test_generated_operations_get_the_same_answer_from_both_and_nothing_denied_is_found_anywhere(server, capsys):
    comparison = Comparison(server, load(server.plaintext), Random(SEED))  # noqa: S311 - the same every time
    for done in range(1, OPERATIONS + 1):
        comparison.step()
        if SOAK and (done % 100 == 0 or done == SOAK):
            with capsys.disabled():
                print(f"\rseed {SEED}: {done} operations, {comparison}", end="", flush=True)  # noqa: T201 - progress
    assert comparison.hidden, "no operation had anything to hide"
    assert comparison.logged(server.log.read_text(encoding="utf-8", errors="replace")) == 0
