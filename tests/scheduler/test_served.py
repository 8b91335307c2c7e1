"""`needful serve` alone does what is due: nobody has to start anything else."""

import asyncio
import json
import time

from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from tests.conftest import run_cli, running_server
from tests.keys.conftest import PEOPLE, SEED

MISSED = (
    "INSERT INTO scheduled_job (name, since) VALUES ('duties', now() - interval '3 days')"
    " ON CONFLICT (name) DO UPDATE SET since = excluded.since"
)
ROW = """
SELECT body::text FROM ledger
WHERE body::jsonb ->> 'kind' = 'JOB' AND body::jsonb -> 'detail' ->> 'job' = 'duties'
"""


def test_what_is_due_is_done_by_a_server_alone_and_stands_in_the_history_and_in_the_ledger(tmp_path, prepared):
    data_dir, log = tmp_path / "data", tmp_path / "server.log"
    prepared.demo(data_dir, PEOPLE, seed=SEED)
    installation = open_installation({"NEEDFUL_DATA": str(data_dir)})

    async def asked(found, text):
        owner = await connect_once(found.owner)
        try:
            return await owner.fetch(text)
        finally:
            await owner.close()

    environment = {"NEEDFUL_SCHEDULER": "1"}
    with running_server(data_dir, log, environment=environment), database(installation) as found:
        asyncio.run(asked(found, MISSED))
        deadline = time.monotonic() + 30
        while not (rows := asyncio.run(asked(found, ROW))):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        history = json.loads(run_cli("jobs", "history", "duties", "--json", data_dir=data_dir).stdout)
    (row,), (turn,) = [json.loads(one[0]) for one in rows], history
    assert (row["outcome"], row["detail"]["job"]) == ("DONE", "duties")
    assert (turn["job"], turn["outcome"], turn["counts"]) == ("duties", "DONE", row["detail"]["counts"])
    # It ended with its server.
    with database(installation) as found:
        assert asyncio.run(asked(found, "SELECT FROM scheduler.procrastinate_workers")) == []
