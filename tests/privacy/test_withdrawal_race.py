"""A withdrawal races reads: none that began after it was acknowledged shows anything by it (C67, C68)."""

import asyncio
import os
from random import Random

import pytest

from privacy.bundles import BUNDLE
from tests.conftest import running_server
from tests.privacy.consenting import Consenting
from tests.privacy.racing import KINDS, Race

SOAK = int(os.environ.get("NEEDFUL_SOAK_WITHDRAWING", "0"))
"""Set by scripts/soak: how many reads under each bundle instead of the suite's."""
READS = SOAK or 500
PEOPLE = 40 if SOAK else 8
WORKERS = 2


@pytest.fixture
def race(bundled, tmp_path):
    """A second server on the bundle's data, with several workers, and readers of one affiliate."""
    found = Consenting.on(bundled)
    environment = {BUNDLE: bundled.bundle.name, "NEEDFUL_AUDIENCE_CEILING": "999999999"}
    running = running_server(found.data_dir, tmp_path / "log", "--workers", str(WORKERS), environment=environment)
    with running as url:
        (row,) = found.rows("SELECT code FROM organization WHERE kind = 'AFFILIATE' ORDER BY code DESC LIMIT 1")
        tokens = {
            purpose: found.token("affiliate", org=row["code"], purposes=[purpose])
            for purpose in ("verification", "marketing")
        }
        yield Race(found, url, row["code"], Random(6), tokens)  # noqa: S311 - the same every time


def test_c67_c68_no_read_that_began_after_a_withdrawal_was_acknowledged_shows_anything_by_it(race, capsys):
    asyncio.run(race.run(people=PEOPLE, reads=READS))
    counts = race.counts()
    assert len(race.reads) >= READS
    assert all(counts["shown"][kind] > READS / 30 and counts["after"][kind] > READS / 6 for kind in KINDS), counts
    assert race.late() == []
    assert race.late_by_ledger() == []
    if SOAK:
        with capsys.disabled():
            told = f"{READS} reads beside {2 * PEOPLE} withdrawals: {counts['shown']} showed somebody, none too late"
            print(f"\n{told}")  # noqa: T201 - what scripts/soak is run for
