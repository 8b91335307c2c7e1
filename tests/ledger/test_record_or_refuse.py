"""No sensitive value leaves without its row, whatever happens to the database: both are counted."""

import asyncio
import signal
from contextlib import asynccontextmanager

import psutil
import pytest

from authz.callers import Wanted, find_caller
from authz.token_keys import TokenKeys
from authz.tokens import mint, utc_now
from models.database import connect_once
from models.embedded import database
from models.installation import open_installation
from models.vocabulary import Category, Purpose, Role, to_bits
from tests.conftest import running_server
from tests.ledger.faults import Readers, filled, small_disk, unrecorded
from vault.keyring import load

PEOPLE = 60
MEGABYTES = 320
AS_SHIPPED = {"NEEDFUL_LEDGER_MILLISECONDS": "250"}


@pytest.fixture(scope="module")
def disk(tmp_path_factory, prepared):
    with small_disk(tmp_path_factory.mktemp("small") / "disk", megabytes=MEGABYTES) as folder:
        prepared.demo(folder / "data", PEOPLE)
        yield folder


class Suffering:
    """A server over a small disk, started again when it is killed."""

    def __init__(self, folder, log):
        self._log = log
        self.data_dir = folder / "data"
        self.installation = open_installation({"NEEDFUL_DATA": str(self.data_dir)})

    def start(self):
        self.server = running_server(self.data_dir, self._log, environment=AS_SHIPPED)
        return self.server.__enter__()

    def stop(self):
        self.server.__exit__()

    @property
    def processes(self):
        process = psutil.Process(self.server.process.pid)
        return [*process.children(recursive=True), process]

    def postgres(self):
        return [one for one in self.processes if "postgres" in one.name()]

    @asynccontextmanager
    async def owner(self):
        with database(self.installation) as found:
            connection = await connect_once(found.owner)
            try:
                yield connection
            finally:
                await connection.close()

    async def token(self):
        wanted = Wanted(Role.CLAIMS_HANDLER, [Purpose.CLAIM_HANDLING], to_bits(set(Category)), username="handler01")
        async with self.owner() as connection:
            subject = await find_caller(connection, wanted, keyring=load(self.installation.keyring_path))
        return mint(TokenKeys.load_or_create(self.installation.token_keys_path), subject, now=utc_now())


@pytest.fixture
def suffering(disk, tmp_path):
    found = Suffering(disk, tmp_path / "server.log")
    url = found.start()
    found.readers = Readers(f"{url}/graphql", asyncio.run(found.token()))
    yield found
    found.stop()


async def check(suffering, *, withheld):
    """Everything shown has its row; and the fault was felt."""
    readers = suffering.readers
    assert readers.shown
    assert readers.withheld + readers.refused > 0 or not withheld
    async with suffering.owner() as owner:
        assert await unrecorded(owner, readers.shown) == {}


def test_while_the_ledger_hangs_nothing_sensitive_is_shown_and_the_rest_is_within_a_second(suffering):
    async def ordeal():
        readers = suffering.readers
        async with readers.reading():
            await readers.more()
            async with suffering.owner() as owner, owner.transaction():
                await owner.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
                await readers.until(lambda: readers.withheld)
                before, withheld = set(readers.shown), readers.withheld
                await readers.until(lambda: readers.withheld > withheld + 30)
                assert set(readers.shown) == before
            await readers.more()
        await check(suffering, withheld=True)
        assert readers.slowest < 3

    asyncio.run(ordeal())


def test_while_the_whole_database_hangs_nothing_is_shown_that_is_not_recorded(suffering):
    async def ordeal():
        readers = suffering.readers
        async with readers.reading():
            for _ in range(3):
                await readers.more()
                stopped = suffering.postgres()
                for one in stopped:
                    one.suspend()
                await asyncio.sleep(0.7)
                for one in stopped:
                    one.resume()
            await readers.more()
        await check(suffering, withheld=False)

    asyncio.run(ordeal())


def test_a_kill_in_the_middle_of_a_commit_leaves_nothing_shown_without_its_row(suffering):
    async def ordeal():
        readers = suffering.readers
        for _ in range(2):
            async with readers.reading():
                await readers.more(30)
                for one in suffering.processes:
                    one.send_signal(signal.SIGKILL)
                suffering.server.process.wait()
                await readers.until(lambda: readers.refused)
            readers.url = f"{suffering.start()}/graphql"
        async with readers.reading():
            await readers.more()
        await check(suffering, withheld=True)

    asyncio.run(ordeal())


def test_on_a_full_disk_nothing_is_shown_that_is_not_recorded(suffering, disk):
    async def ordeal():
        readers = suffering.readers
        async with readers.reading():
            await readers.more()
            with filled(disk):
                await readers.until(lambda: readers.withheld + readers.refused)
                felt = readers.withheld + readers.refused
                await readers.until(lambda: readers.withheld + readers.refused > felt + 30)
            if not suffering.postgres():
                suffering.stop()
                readers.url = f"{suffering.start()}/graphql"
            await readers.more()
        await check(suffering, withheld=True)

    asyncio.run(ordeal())
