"""No N+1: how many statements an operation runs depends on its document, never on rows."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from authz.callers import Wanted, find_caller
from models.database import connect
from models.vocabulary import Category, Purpose, Role, to_bits
from resolvers.operations import Request
from tests.inprocess import service_over

ROW = """query($id: ID!) { policy(id: $id) { policyNumber policyholder { name } insured { name } beneficiaries { name }
  claims(first: 2) { edges { node { claimNumber diagnosis } } } } }"""
POLICY = """{ policyNumber policyholder { name phone } beneficiaries { name }
  claims(first: 3) { totalCount edges { node { claimNumber diagnosis } } } }"""
USER = f"{{ edges {{ node {{ name policies(first: $m) {{ edges {{ node {POLICY} }} }} }} }} }}"
NESTED = f"""query($n: Int!, $m: Int!) {{
  head: users(first: $n) {USER} tail: users(last: $n) {USER} policies(first: $n) {{ edges {{ node {POLICY} }} }} }}"""


class CountingPool:
    """A pool whose connections count what they run."""

    def __init__(self, pool):
        self.pool, self.count = pool, 0

    @asynccontextmanager
    async def acquire(self, **options):
        async with self.pool.acquire(**options) as connection:
            yield CountingConnection(connection, self)


class CountingConnection:
    def __init__(self, connection, pool):
        self._connection, self._pool = connection, pool

    def is_in_transaction(self):
        return self._connection.is_in_transaction()

    async def fetch(self, *arguments):
        self._pool.count += 1
        return await self._connection.fetch(*arguments)

    async def fetchval(self, *arguments):
        # What counts the persons shown is asked the first time only, and of no level.
        return await self._connection.fetchval(*arguments)

    async def execute(self, *arguments):
        self._pool.count += 1
        return await self._connection.execute(*arguments)


async def _counts(server, sizes):
    async with connect(server.database.application, shared=False) as pool:
        counting = CountingPool(pool)
        service = service_over(server, counting)
        wanted = Wanted(Role.CLAIMS_HANDLER, [Purpose.CLAIM_HANDLING], to_bits(set(Category)))
        subject = await find_caller(pool, wanted, keyring=service.keyring)
        found = []
        for outer, inner in sizes:
            counting.count = 0
            answer = await service.answer(Request(NESTED, variables={"n": outer, "m": inner}), subject, None)
            data = answer.body["data"]
            users = [edge["node"] for edge in data["head"]["edges"] + data["tail"]["edges"]]
            parents = len(data["policies"]["edges"]) + sum(len(user["policies"]["edges"]) for user in users)
            found.append((parents, counting.count))
        answer = await service.answer(Request("{ policies(first: 1) { edges { node { id } } } }"), subject, None)
        policy = answer.body["data"]["policies"]["edges"][0]["node"]["id"]
        counting.count = 0
        answer = await service.answer(Request(ROW, variables={"id": policy}), subject, None)
        assert answer.body["data"]["policy"]["policyNumber"]
        found.append((1, counting.count))
        await service.recorder.close()
        return found


@pytest.fixture(scope="module")
def counts(server):
    return asyncio.run(_counts(server, [(1, 1), (50, 1), (100, 20)]))


def test_one_row_and_all_that_stands_below_it_are_read_by_one_statement(counts):
    assert counts[-1] == (1, 1)


def test_the_number_of_statements_is_the_same_for_1_50_and_500_parents(counts):
    counts = counts[:-1]
    parents = [parents for parents, _ in counts]
    assert parents[0] <= 3
    assert parents[1] >= 50
    assert parents[2] >= 500
    assert len({statements for _, statements in counts}) == 1
    levels = 2 * (2 + 4) + 1 + 4
    assert counts[0][1] == levels, "a statement a level, a count being one; the ledger row goes its own way"
