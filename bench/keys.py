"""How long does a rotation take? `python -m bench.keys --keys 100000`: data keys wrapped anew a second, in batches.

It makes a data directory of its own, with people who have nothing but a data key.
"""

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from models.migrating import migrate
from privacy.rotation import rotate
from vault.keyring import load_or_create
from vault.sealing import new_data_key

_PEOPLE = "INSERT INTO person (id, source) SELECT id, 'demo' FROM unnest($1::uuid[]) AS n (id)"


async def measure(installation: Installation, found: Database, keys: int) -> dict[str, float]:
    """Make so many data keys, and wrap each anew: `seconds`, and `per_second`."""
    await migrate(found)
    path = installation.keyring_path
    keyring, now = load_or_create(path, demo=True), datetime.now(UTC)
    owner = await connect_once(found.owner)
    try:
        people = [UUID(int=number) for number in range(keys)]
        await owner.execute(_PEOPLE, people)
        records = [(person, 1, new_data_key(keyring, person, retention=1).wrapped) for person in people]
        await owner.copy_records_to_table("data_key", records=records, columns=["person_id", "retention", "wrapped"])
        begun = time.perf_counter()
        done = await rotate(owner, keyring, path, now=now)
        seconds = time.perf_counter() - begun
    finally:
        await owner.close()
    return {"keys": done.rewrapped, "seconds": round(seconds, 2), "per_second": round(done.rewrapped / seconds)}


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench.keys", description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000, metavar="N")
    keys = parser.parse_args().keys
    with tempfile.TemporaryDirectory() as folder:
        installation = open_installation({"NEEDFUL_DATA": str(Path(folder, "data"))})
        with database(installation) as found:
            print(json.dumps(asyncio.run(measure(installation, found, keys))))


if __name__ == "__main__":
    main()
