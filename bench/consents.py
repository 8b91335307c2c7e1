"""Do decisions equal a naive replay of random histories? `python -m bench.consents [HISTORIES [SEED]]`.

Histories of grants, withdrawals, expiries, notices and recipients, under both bundles in turn, each written into a real
database and asked about by everybody who may ask. Exit 1 where product and replay differ.
"""

import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace

from models.embedded import database
from models.installation import open_installation
from privacy.bundles import BundleName
from tests.conftest import run_cli
from tests.privacy.histories import courtroom

HISTORIES, SHOWN = 1_000, 10


def main(histories: int = HISTORIES, seed: int = 1) -> int:
    """Judge so many histories, the first of this seed. Gives the exit code."""
    started, found = time.perf_counter(), []
    with TemporaryDirectory() as folder:
        data = Path(folder, "data")
        run_cli("demo", "--people", "60", data_dir=data)
        installation = open_installation({"NEEDFUL_DATA": str(data)})
        with (
            database(installation) as running,
            courtroom(SimpleNamespace(installation=installation, database=running)) as room,
        ):
            for number in range(seed, seed + histories):
                chance, bundle = Random(number), list(BundleName)[number % len(BundleName)]  # noqa: S311 - reproducible
                history = room.drawn(chance, bundle.value)
                found += [(number, one) for one in room.judge(history, bundle.value, lost=room.lost(chance))]
            decisions, effects = room.decisions, room.effects
    print(*found[:SHOWN], sep="\n", end="\n" if found else "")
    shares = ", ".join(f"{count:,} {name}" for name, count in sorted(effects.items()))
    print(
        f"{histories:,} histories, {decisions:,} decisions ({shares}), {len(found)} differences,"
        f" {time.perf_counter() - started:.0f} s"
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
