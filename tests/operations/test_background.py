"""Work in the background goes on whatever it dies of, and its death is heard."""

import asyncio
import logging

import pytest

from resolvers.operating.background import ENDED, running

SECRET = "13800138000"


@pytest.mark.parametrize("ends", [ValueError(SECRET), AttributeError(), TimeoutError(), None])
def test_a_task_that_ends_is_heard_of_and_begins_again_and_its_fault_tells_only_the_place(ends, caplog):
    begun, heard = [], []

    async def work():
        begun.append(1)
        if len(begun) == 3:
            await asyncio.Event().wait()
        if ends is not None:
            raise ends

    async def run():
        async with asyncio.timeout(5), running("grants", work, lambda *one, **more: heard.append((one, more)), pause=0):
            while len(begun) < 3:  # noqa: ASYNC110 - another task counts
                await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert heard == [((ENDED,), {"task": "grants"})] * 2
    assert len(caplog.records) == 2
    assert all("grants" in record.getMessage() for record in caplog.records)
    assert SECRET not in caplog.text
    assert ends is None or type(ends).__name__ in caplog.text


def test_a_task_ends_with_its_block_without_an_alarm():
    heard, ended = [], []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def run():
        async with running("watch", work, lambda *_, **__: heard.append(1)):
            await asyncio.sleep(0)

    asyncio.run(run())
    assert (ended, heard) == ([1], [])


def test_a_task_that_dies_at_once_each_time_is_begun_after_a_pause():
    begun = []

    async def work():
        begun.append(1)
        raise OSError

    async def run():
        async with running("expiry", work, lambda *_, **__: None, pause=0.2):
            await asyncio.sleep(0.3)

    asyncio.run(run())
    assert len(begun) == 2
