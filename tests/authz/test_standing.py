"""What is taken back is known within a second, and while nobody knows, nobody is answered."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import asyncpg
import pytest

from authz.standing import POLL_SECONDS, Standing, StandingUnknownError, revoke
from authz.tokens import Grant, Token, client_key, names_of, new_subject
from models.database import connect_once
from models.revocations import Revoked
from models.vocabulary import Purpose, Role

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def connection(server):
    found = await connect_once(server.database.application)
    yield found
    await found.close()


@asynccontextmanager
async def watching(server):
    standing = Standing(partial(connect_once, server.database.application))
    task = asyncio.create_task(standing.watch())
    try:
        yield standing
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await standing.close()


def token(issued=None):
    subject = new_subject(
        Role.CUSTOMER, [Purpose.ACCOUNT_SERVICE], categories=0, account=uuid4(), person=uuid4(), session=uuid4()
    )
    now = int(time.time()) if issued is None else issued
    grant = Grant(client=uuid4().hex, agreement=uuid4(), client_key="k1")
    return Token(subject, grant, now, now + 600, names_of(subject, grant))


KEYS = {
    Revoked.TOKEN: lambda one: one.subject.token_id,
    Revoked.SESSION: lambda one: one.subject.session,
    Revoked.CLIENT: lambda one: one.grant.client,
    Revoked.CLIENT_KEY: lambda one: client_key(one.grant.client, "k1"),
    Revoked.AGREEMENT: lambda one: one.grant.agreement,
    Revoked.SUBJECT: lambda one: one.subject.account,
}


async def test_a_revocation_of_any_kind_is_known_within_a_second_and_concerns_nobody_else(server):
    async def check(kind) -> None:
        connection = await connect_once(server.database.application)
        async with watching(server) as standing:
            concerned, other = token(), token()
            assert await standing.check(concerned) is None
            await revoke(connection, kind, KEYS[kind](concerned))
            await asyncio.sleep(2 * POLL_SECONDS)
            assert await standing.check(concerned), kind
            assert await standing.check(other) is None, kind
        await connection.close()

    await asyncio.gather(*map(check, Revoked))


async def test_a_kind_is_not_taken_for_another(server, connection):
    async with watching(server) as standing:
        concerned = token()
        for kind in Revoked:
            for other in Revoked:
                if other is not kind:
                    await revoke(connection, kind, KEYS[other](concerned))
        await asyncio.sleep(2 * POLL_SECONDS)
        assert await standing.check(concerned) is None


async def test_one_who_lost_access_and_was_let_in_again_is_in_with_a_new_token_only(server, connection):
    async with watching(server) as standing:
        before = token()
        await revoke(connection, Revoked.SUBJECT, before.subject.account)
        await asyncio.sleep(2 * POLL_SECONDS)
        assert await standing.check(before)
        assert await standing.check(replace(before, issued=int(time.time()) + 2)) is None


async def test_a_worker_that_starts_later_knows_what_was_revoked_before(server, connection):
    concerned = token()
    await connection.execute(
        "INSERT INTO revocation (kind, key, revoked_at, expires_at) VALUES ('TOKEN', $1, $2, $3)",
        concerned.subject.token_id,
        datetime.now(UTC) - timedelta(minutes=30),
        datetime.now(UTC) + timedelta(minutes=30),
    )
    async with watching(server) as standing:
        assert await standing.check(concerned)


async def test_a_revocation_committed_long_after_it_was_stamped_is_not_missed(server, connection):
    other = await connect_once(server.database.application)
    async with watching(server) as standing:
        late, early = token(), token()
        async with other.transaction():
            await revoke(other, Revoked.TOKEN, late.subject.token_id)
            await revoke(connection, Revoked.TOKEN, early.subject.token_id)
            await asyncio.sleep(4 * POLL_SECONDS)
            assert await standing.check(early)
            assert await standing.check(late) is None
        await asyncio.sleep(2 * POLL_SECONDS)
        assert await standing.check(late)
    await other.close()


async def test_a_revocation_that_is_rolled_back_never_was(server, connection):
    concerned = token()
    change = connection.transaction()
    await change.start()
    await revoke(connection, Revoked.TOKEN, concerned.subject.token_id)
    await change.rollback()
    async with watching(server) as standing:
        await asyncio.sleep(2 * POLL_SECONDS)
        assert await standing.check(concerned) is None


async def test_while_the_database_cannot_be_asked_nobody_is_answered_and_afterwards_all_are(server):
    reachable = True

    async def connect():
        if not reachable:
            raise OSError("gone")
        return await connect_once(server.database.application)

    standing = Standing(connect)
    assert await standing.check(token()) is None
    reachable = False
    await standing.close()
    standing._asked -= 2
    with pytest.raises(StandingUnknownError):
        await standing.check(token())
    reachable = True
    await asyncio.sleep(POLL_SECONDS)
    assert await standing.check(token()) is None
    await standing.close()


async def test_while_the_database_hangs_all_are_refused_together_and_not_one_after_another(monkeypatch):
    monkeypatch.setattr("authz.standing._ASK_SECONDS", 0.3)
    standing = Standing(asyncio.Event().wait)
    started = time.monotonic()
    answers = await asyncio.gather(*(standing.check(token()) for _ in range(50)), return_exceptions=True)
    assert {type(one) for one in answers} == {StandingUnknownError}
    with pytest.raises(StandingUnknownError):
        await standing.check(token())
    assert time.monotonic() - started < 0.6


FAULTS = (
    asyncpg.InternalClientError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


async def test_however_a_connection_breaks_the_watch_goes_on(server):
    async def check(fault) -> None:
        breaks = 1

        async def connect():
            nonlocal breaks
            if breaks:
                breaks -= 1
                raise fault("broken")
            return await connect_once(server.database.application)

        standing = Standing(connect)
        watch = asyncio.create_task(standing.watch())
        await asyncio.sleep(4 * POLL_SECONDS)
        assert not watch.done(), fault
        assert breaks == 0
        assert await standing.check(token()) is None
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await standing.close()

    await asyncio.gather(*map(check, FAULTS))


async def test_one_who_gives_up_does_not_end_the_question_of_the_others(server):
    standing = Standing(partial(connect_once, server.database.application))
    impatient = asyncio.create_task(standing.check(token()))
    others = [asyncio.create_task(standing.check(token())) for _ in range(3)]
    await asyncio.sleep(0)
    impatient.cancel()
    assert await asyncio.gather(*others) == [None] * 3
    await standing.close()


async def test_what_was_revoked_while_a_worker_slept_for_minutes_is_not_missed(server, connection):
    standing = Standing(partial(connect_once, server.database.application))
    concerned = token()
    assert await standing.check(concerned) is None
    await connection.execute(
        "INSERT INTO revocation (kind, key, revoked_at, expires_at) VALUES ('TOKEN', $1, $2, $3)",
        concerned.subject.token_id,
        datetime.now(UTC) - timedelta(minutes=9),
        datetime.now(UTC) + timedelta(minutes=30),
    )
    standing._since -= timedelta(minutes=10)
    standing._asked -= 600
    assert await standing.check(concerned)
    await standing.close()


async def test_many_who_find_it_stale_ask_once(server):
    asked = 0

    class Counting(Standing):
        async def _learn(self):
            nonlocal asked
            asked += 1
            await super()._learn()

    standing = Counting(partial(connect_once, server.database.application))
    assert await asyncio.gather(*(standing.check(token()) for _ in range(50))) == [None] * 50
    assert asked == 1
    await standing.close()
