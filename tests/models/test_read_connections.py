"""Connections that reads hand on: no more than their share, none that is broken, none idle while somebody waits."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from models.database import connect
from models.read_connections import read_connections

SIZE = 4


@asynccontextmanager
async def reads(server, size=SIZE):
    async with (
        connect(server.database.application, min_size=0, max_size=size, shared=False) as pool,
        read_connections(pool, size=size) as reading,
    ):
        yield pool, reading


async def backend(reading, *, seconds=0.0):
    async with reading.acquire(timeout=5) as connection:
        return await connection.fetchval("SELECT pg_backend_pid() FROM pg_sleep($1)", seconds)


def test_reads_one_after_the_other_share_a_connection_that_does_not_return_to_the_pool(server):
    async def run():
        async with reads(server) as (pool, reading):
            seen = {await backend(reading) for _ in range(5)}
            return seen, reading.idle, pool.get_size() - pool.get_idle_size()

    seen, idle, taken = asyncio.run(run())
    assert (len(seen), idle, taken) == (1, 1, 1)


def test_of_many_reads_at_once_every_one_is_served_and_half_of_the_pool_stays_with_them(server):
    async def run():
        async with reads(server) as (pool, reading):
            seen = await asyncio.gather(*(backend(reading, seconds=0.02) for _ in range(24)))
            return len(seen), len(set(seen)), reading.idle, pool.get_size() - pool.get_idle_size()

    served, connections, idle, taken = asyncio.run(run())
    assert served == 24
    assert connections == SIZE
    assert idle == taken <= SIZE // 2


def test_whoever_waits_for_a_connection_of_the_pool_gets_one_that_reads_kept(server):
    async def run():
        async with reads(server) as (pool, reading):
            reader = asyncio.create_task(backend(reading, seconds=0.2))
            await asyncio.sleep(0.05)
            async with pool.acquire(), pool.acquire(), pool.acquire():
                waits = asyncio.create_task(pool.fetchval("SELECT pg_backend_pid()"))
                return await reader, await asyncio.wait_for(waits, 5), reading.idle

    read_on, served_on, idle = asyncio.run(run())
    assert read_on == served_on
    assert idle == 0


@pytest.mark.parametrize("fails", ["error", "cancelled", "terminated"])
def test_after_a_read_that_failed_the_next_one_has_a_connection_that_works(server, fails):
    async def run():
        async with reads(server, size=2) as (_, reading):
            before = await backend(reading)
            if fails == "error":
                with pytest.raises(asyncpg.DivisionByZeroError):
                    async with reading.acquire(timeout=5) as connection:
                        await connection.fetchval("SELECT 1/0")
            elif fails == "cancelled":
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(backend(reading, seconds=30), 0.05)
            else:
                async with reading.acquire(timeout=5) as connection:
                    own = connection
                with pytest.raises(asyncpg.PostgresConnectionError):
                    await own.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
            assert reading.idle <= 1
            return before, await asyncio.gather(*(backend(reading) for _ in range(6)))

    before, after = asyncio.run(run())
    assert len(after) == 6
    if fails == "terminated":
        assert before not in after


def test_a_read_waits_no_longer_than_it_may(server):
    async def run():
        async with reads(server, size=2) as (pool, reading), pool.acquire(), pool.acquire():
            with pytest.raises(TimeoutError):
                async with reading.acquire(timeout=0.05):
                    pass

    asyncio.run(run())


def test_closing_returns_everything_to_the_pool(server):
    async def run():
        async with reads(server) as (pool, reading):
            async with reading.acquire(timeout=5) as last:
                await asyncio.gather(*(backend(reading, seconds=0.01) for _ in range(3)))
                await reading.close()
                assert await last.fetchval("SELECT 1") == 1
            return pool.get_size() - pool.get_idle_size(), reading.idle

    assert asyncio.run(run()) == (0, 0)
