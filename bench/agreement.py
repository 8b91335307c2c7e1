"""Do six engines agree about random rulesets? `python -m bench.agreement [RULESETS [REQUESTS]]`.

Casbin with all rules at once, the compiled table, the explainer, reach, who, and Cedar; with tokens that narrow, the
compiled table and the explainer. One request of each ruleset is explained in full, its smallest missing condition too.
Exit 1 where any two differ.
"""

import sys
import time
from collections import Counter

from tests.workbench.engines import differences

RULESETS, REQUESTS = 10_000, 10
SHOWN = 20


def main(rulesets: int = RULESETS, requests: int = REQUESTS) -> int:
    started, found, answers = time.perf_counter(), [], Counter()
    for seed in range(rulesets):
        different, given = differences(seed, requests=requests, thorough=1)
        found += different
        answers.update(effect.name for effect in given)
    seconds = time.perf_counter() - started
    print(*found[:SHOWN], sep="\n", end="\n" if found else "")
    shares = ", ".join(f"{count:,} {name}" for name, count in sorted(answers.items()))
    print(
        f"{rulesets:,} rulesets, {sum(answers.values()):,} requests ({shares}),"
        f" {len(found)} differences, {seconds:.0f} s"
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
