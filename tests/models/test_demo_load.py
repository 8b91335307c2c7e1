import asyncio
import contextlib
import io
import json
import traceback
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from models.demo.load import EMPTIED, FILLED, DemoRefused, load_demo
from models.demo.rows import TABLES
from models.embedded import database
from models.global_ids import from_global
from models.installation import open_installation
from models.migrating import migrate
from models.vocabulary import BlindColumn, Retention
from vault.blind import blind
from vault.keyring import generate
from vault.sealing import column_label, open_column, unwrap

pytestmark = pytest.mark.anyio
KEYRING = generate()


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def found(tmp_path_factory, prepared):
    data_dir = tmp_path_factory.mktemp("found") / "data"
    prepared.empty(data_dir)
    installation = open_installation({"NEEDFUL_DATA": str(data_dir)})
    with database(installation) as served:
        asyncio.run(migrate(served))
        yield served


@contextlib.asynccontextmanager
async def owner(found):
    one = found.owner
    connection = await asyncpg.connect(
        host=one.host,
        port=one.port,
        user=one.user,
        password=one.password,
        database=one.database,
        ssl=False,
    )
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def connection(found):
    async with owner(found) as connection:
        yield connection
        await connection.execute(f"TRUNCATE {', '.join(EMPTIED)}")


async def load(connection, people=50, *, seed=3):
    stream = io.StringIO()
    told = []
    report = await load_demo(
        connection,
        keyring=KEYRING,
        people=people,
        seed=seed,
        plaintext=stream,
        progress=told.append,
    )
    assert told[-1] == people
    return report, [json.loads(line) for line in stream.getvalue().splitlines()]


async def counts(connection):
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in FILLED}  # noqa: S608


async def test_the_report_counts_what_is_stored(connection):
    report, lines = await load(connection)
    stored = await counts(connection)
    assert stored.pop("demo_load") == 1
    assert {table: number for table, number in stored.items() if number} == report.rows
    assert report.people_per_second > 0
    types = Counter(line["type"] for line in lines)
    for table in TABLES:
        if table.line not in {None, "Account"}:
            assert types[table.line] == stored[table.name]


async def test_every_sealed_cell_opens_to_the_value_of_its_plain_line(connection):
    _, lines = await load(connection)
    plain = {from_global(line["id"])[1]: line for line in lines if from_global(line["id"]) and line["type"] != "Staff"}
    keys = {
        (row["person_id"], row["retention"]): unwrap(
            KEYRING,
            row["wrapped"],
            person_id=row["person_id"],
            retention=row["retention"],
        )
        for row in await connection.fetch("SELECT * FROM data_key")
    }
    owners = {"person": "id", "policy": "holder_id", "beneficiary": "holder_id", "claim": "insured_id"}
    for table in TABLES:
        rows = await connection.fetch(f"SELECT * FROM {table.name}") if table.sealed else []  # noqa: S608
        owned = [keys[row[owners.get(table.name, "person_id")], table.retention] for row in rows]
        for column in table.sealed:
            blobs = [row[column.name] for row in rows]
            ids = [row["id"].bytes for row in rows]
            opened = open_column(blobs, owned, ids, label=column_label(table.name, column.name))
            for row, text in zip(rows, opened, strict=True):
                told = plain[UUID(bytes=row["id"].bytes)][column.field]
                assert text == (json.dumps(told, ensure_ascii=False) if isinstance(told, list) else told)


async def test_no_sealed_value_is_used_twice_and_keys_exist_only_where_data_do(connection):
    await load(connection)
    stored = {(row[0], row[1]) for row in await connection.fetch("SELECT person_id, retention FROM data_key")}
    needed = {(row["id"], Retention.ACCOUNT) for row in await connection.fetch("SELECT id FROM person")}
    for table, owner_column, retention in (
        ("policy", "holder_id", Retention.CONTRACT),
        ("claim", "insured_id", Retention.CLAIM),
        ("device", "person_id", Retention.DEVICE),
    ):
        owners = await connection.fetch(f"SELECT {owner_column} FROM {table}")  # noqa: S608
        needed |= {(row[0], retention) for row in owners}
    assert stored == needed
    nonces = [bytes(row[0][2:14]) for row in await connection.fetch("SELECT name_sealed FROM person")]
    assert len(set(nonces)) == len(nonces)


@pytest.mark.parametrize("field", ["phone", "idNumber", "bankCard", "username"])
async def test_a_person_is_found_by_the_blind_index(connection, field):
    _, lines = await load(connection)
    user = next(line for line in lines if line["type"] == "User" and line[field])
    name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in field)
    rows = await connection.fetch(
        'SELECT person_id FROM blind_index WHERE "column" = $1 AND digest = $2',
        BlindColumn[name.upper()].value,
        blind(KEYRING, name, user[field]),
    )
    assert [row[0] for row in rows] == [from_global(user["id"])[1]]


async def test_loading_replaces_earlier_demo_data_and_leaves_indexes_and_keys_as_they_were(connection):
    query = "SELECT indexdef FROM pg_indexes UNION SELECT conname FROM pg_constraint"
    before = {row[0] for row in await connection.fetch(query)}
    await load(connection, 60)
    first = await counts(connection)
    await load(connection, 40, seed=4)
    assert (await counts(connection))["person"] == 40
    await load(connection, 60)
    assert await counts(connection) == first
    assert {row[0] for row in await connection.fetch(query)} == before


async def test_other_data_are_refused_and_kept(connection):
    for _ in range(2):
        await connection.execute("INSERT INTO person (id, source) VALUES ($1, 'registered')", uuid4())
        with pytest.raises(DemoRefused):
            await load(connection)
    assert (await counts(connection))["person"] == 2
    await connection.execute("TRUNCATE person CASCADE")
    await load(connection)
    await connection.execute("INSERT INTO person (id, source) VALUES ($1, 'registered')", uuid4())
    with pytest.raises(DemoRefused):
        await load(connection)
    assert (await counts(connection))["person"] == 51


async def test_people_beyond_the_load_are_refused_even_if_called_demo_data(connection):
    await load(connection)
    await connection.execute("INSERT INTO person (id, source) VALUES ($1, 'demo')", uuid4())
    with pytest.raises(DemoRefused):
        await load(connection)


async def test_the_sessions_that_still_run_are_revoked_at_the_end(connection):
    await load(connection)
    running, ended = uuid4(), uuid4()
    insert = (
        "INSERT INTO session (id, staff_id, role, opened_at, used_at, expires_at, ended_at) SELECT $1, id, role, now(),"
        " now(), now() + interval '1 hour', $2 FROM staff LIMIT 1"
    )
    await connection.execute(insert, running, None)
    await connection.execute(insert, ended, datetime.now(UTC))
    await connection.execute("TRUNCATE revocation")
    loaded = []

    def progress(_):
        loaded.append(datetime.now(UTC))

    await load_demo(connection, keyring=KEYRING, people=50, seed=3, progress=progress)
    rows = await connection.fetch("SELECT kind, key, revoked_at, expires_at FROM revocation")
    assert [(row["kind"], row["key"]) for row in rows] == [("SESSION", str(running))]
    assert rows[0]["revoked_at"] > loaded[-1]  # workers look back a minute from when they see it
    assert rows[0]["expires_at"] > rows[0]["revoked_at"] + timedelta(minutes=10)


async def test_the_ledger_stays(connection):
    await connection.execute(
        "INSERT INTO ledger (writer, sequence, at, body) VALUES ($1, 1, now(), '{}')",
        uuid4(),
    )
    await load(connection)
    assert await connection.fetchval("SELECT count(*) FROM ledger") == 1


async def test_a_failing_load_changes_nothing_and_names_no_value(connection):
    _, lines = await load(connection)
    before = await counts(connection)

    def stop(_):
        message = "stop"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError) as caught:
        await load_demo(connection, keyring=KEYRING, people=80, seed=3, progress=stop)
    assert await counts(connection) == before
    values = {line["idNumber"] for line in lines if line["type"] == "User"}
    told = "".join(traceback.format_exception(caught.value))
    assert not [value for value in values if value in told]
