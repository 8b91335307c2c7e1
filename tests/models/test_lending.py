"""A loan of the pool is asyncpg's own in all but its cost: what comes back is clean, and nobody jumps a queue."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from models.database import connect
from models.lending import lent

MOST = 2


def on_a_pool(server, work):
    """Run some work on a pool of two connections."""

    async def run():
        async with connect(server.database.application, min_size=MOST, max_size=MOST, shared=False) as pool:
            await work(pool)
            assert (pool.get_size(), pool.get_idle_size()) == (MOST, MOST)

    asyncio.run(run())


def lend(pool, seconds=5.0):
    return lent(pool, seconds=seconds)


def test_a_connection_is_lent_and_comes_back_and_is_nobodys_afterwards(server):
    async def work(pool):
        for _ in range(10):
            async with lend(pool) as connection:
                assert await connection.fetchval("SELECT 7") == 7
                assert pool.get_idle_size() == MOST - 1
            with pytest.raises(asyncpg.InterfaceError):
                await connection.fetchval("SELECT 7")

    on_a_pool(server, work)


def test_a_fault_in_the_block_comes_out_and_the_connection_back(server):
    async def work(pool):
        async def use(statement):
            async with lend(pool) as connection:
                await connection.fetch(statement)
                raise KeyError

        for statement, fault in (("SELECT * FROM no_such_table", asyncpg.UndefinedTableError), ("SELECT 7", KeyError)):
            with pytest.raises(fault):
                await use(statement)

    on_a_pool(server, work)


def test_who_finds_none_free_waits_for_one_that_comes_back_and_no_longer_than_said(server):
    async def work(pool):
        async with lend(pool), lend(pool):
            with pytest.raises(TimeoutError):
                async with lend(pool, 0.05):
                    pytest.fail("there was none")
        order = []

        async def use(name):
            async with lend(pool) as connection:
                order.append(name)
                await connection.fetchval("SELECT pg_sleep(0.01)")

        await asyncio.gather(*(use(name) for name in range(20)))
        assert order == list(range(20))

    on_a_pool(server, work)


def test_a_transaction_left_open_does_not_outlive_its_loan(server):
    async def work(pool):
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        async with lend(pool) as connection:
            await connection.execute("BEGIN")
        assert any("active transaction" in one for one in told)
        for _ in range(2 * MOST):
            async with lend(pool) as connection:
                assert not connection.is_in_transaction()

    on_a_pool(server, work)


def test_a_statement_that_is_cancelled_disturbs_nobody_after_it(server):
    async def work(pool):
        async def sleep():
            async with lend(pool) as connection:
                await connection.fetchval("SELECT pg_sleep(30)")

        for _ in range(3):
            asleep = asyncio.create_task(sleep())
            await asyncio.sleep(0.05)
            asleep.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asleep
        for number in range(10):
            async with lend(pool) as connection:
                assert await connection.fetchval("SELECT $1::int", number) == number

    on_a_pool(server, work)


def test_a_connection_that_broke_is_replaced(server):
    async def work(pool):
        for _ in range(2 * MOST):
            async with lend(pool) as connection:
                connection.terminate()
            async with lend(pool) as connection:
                assert await connection.fetchval("SELECT 7") == 7
        async with lend(pool), lend(pool):
            pass

    on_a_pool(server, work)


def test_listeners_do_not_outlive_their_loan(server):
    async def work(pool):
        with pytest.warns(asyncpg.InterfaceWarning):
            async with lend(pool) as connection:
                await connection.add_listener("anything", print)
        async with lend(pool) as connection, lend(pool) as other:
            for one in (connection, other):
                await one.remove_listener("anything", print)

    on_a_pool(server, work)


def test_a_pool_that_closes_lends_nothing_more(server):
    async def run():
        async with connect(server.database.application, max_size=MOST, shared=False) as pool:
            kept = pool
        with pytest.raises(asyncpg.InterfaceError):
            async with lend(kept):
                pytest.fail("it was closed")

    asyncio.run(run())


def test_any_other_pool_lends_in_its_own_way():
    class Other:
        @asynccontextmanager
        async def acquire(self, *, timeout):  # noqa: ASYNC109 - as asyncpg has it
            yield timeout

    async def run():
        async with lent(Other(), seconds=3.0) as found:
            return found

    assert asyncio.run(run()) == 3.0
