"""What counts for a while only is kept exactly as long: not deleted early, not kept for good."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from authz.expiry import OVER, PORTION, forget_expired
from authz.faults import UnavailableError
from models.database import connect
from tests.oauth.wire import API_URL, Holder

INSERTS = {
    "idempotency_key": (
        "INSERT INTO idempotency_key (client, key_digest, request_digest, noun, row_id, expires_at) VALUES"
        " (gen_random_uuid(), convert_to($1, 'UTF8'), '', 'Policy', gen_random_uuid(), now() + $2::interval)"
    ),
    "rate_count": "INSERT INTO rate_count (key, count, expires_at) VALUES ($1, 1, now() + $2::interval)",
    "revocation": "INSERT INTO revocation (kind, key, expires_at) VALUES ('TOKEN', $1, now() + $2::interval)",
    "token_use": "INSERT INTO token_use (token_id, shown, expires_at) VALUES ($1, 1, now() + $2::interval)",
    "used_proof": "INSERT INTO used_proof (id, expires_at) VALUES ($1, now() + $2::interval)",
}


def application(pair, act):
    """Do something with the application's rights."""

    async def run():
        async with connect(pair.database.application, shared=False) as pool:
            return await act(pool)

    return asyncio.run(run())


def test_what_has_run_out_is_deleted_and_nothing_else(pair):
    columns = {
        "idempotency_key": "convert_from(key_digest, 'UTF8')",
        "rate_count": "key",
        "revocation": "key",
        "token_use": "token_id",
        "used_proof": "id",
    }
    assert set(columns) == set(OVER) - {"disclosure_lease", "failed_login", "session"}

    async def act(pool):
        for insert in INSERTS.values():
            await pool.execute(insert.replace("$2", "'-3 minutes'"), "expired-row")
            await pool.execute(insert.replace("$2", "'-1 minute'"), "lasting-row")
        await forget_expired(pool)
        return {
            table: [
                row[0]
                for row in await pool.fetch(f"SELECT {column} FROM {table} WHERE {column} LIKE '%-row'")  # noqa: S608
            ]
            for table, column in columns.items()
        }

    assert application(pair, act) == {key: ["lasting-row"] for key in columns}


def test_however_much_has_run_out_all_of_it_is_deleted(pair):
    async def act(pool):
        many = "INSERT INTO used_proof (id, expires_at) SELECT 'pile-' || n, now() - interval '1 hour'"
        await pool.execute(f"{many} FROM generate_series(1, $1) n", 2 * PORTION + 1)
        await forget_expired(pool)
        return await pool.fetchval("SELECT count(*) FROM used_proof WHERE id LIKE 'pile-%'")

    assert application(pair, act) == 0


@pytest.mark.parametrize(
    "failed, locked, stays",
    [("-25 hours", None, False), ("-23 hours", None, True), ("-25 hours", "-1 minute", False),
     ("-25 hours", "1 minute", True)],
)  # fmt: skip
def test_failures_are_forgotten_after_a_day_but_not_while_they_lock(pair, failed, locked, stays):
    async def act(pool):
        await pool.execute(
            "INSERT INTO failed_login (identifier, failures, failed_at, locked_until)"
            " VALUES ('somebody', 5, now() + $1::text::interval, now() + $2::text::interval)",
            failed,
            locked,
        )
        await forget_expired(pool)
        return await pool.fetchval("DELETE FROM failed_login WHERE identifier = 'somebody' RETURNING TRUE")

    assert bool(application(pair, act)) is stays


@pytest.mark.parametrize(
    "ended, expires, stays",
    [(None, "-31 days", False), (None, "-29 days", True), ("-31 days", "-2 days", False), ("-29 days", "1 day", True),
     (None, "1 day", True)],
)  # fmt: skip
def test_a_session_and_its_refresh_tokens_are_kept_thirty_days_after_it_was_over(pair, ended, expires, stays):
    session, digest = uuid4(), uuid4().hex

    async def act(pool):
        await pool.execute(
            "INSERT INTO session (id, account_id, role, opened_at, used_at, expires_at, ended_at) SELECT $1, id,"
            " 'customer', now(), now(), now() + $2::text::interval, now() + $3::text::interval FROM account LIMIT 1",
            session,
            expires,
            ended,
        )
        await pool.execute(
            "INSERT INTO refresh_token (digest, session_id, issued_at) VALUES ($1, $2, now())", digest, session
        )
        await forget_expired(pool)
        left = await pool.fetchval("SELECT count(*) FROM session WHERE id = $1", session)
        assert left == await pool.fetchval("SELECT count(*) FROM refresh_token WHERE digest = $1", digest)
        return left

    assert bool(application(pair, act)) is stays


def test_a_proof_is_remembered_for_as_long_as_it_is_good_and_clocks_differ(pair, insurer):
    def kept(act):
        before = {row[0] for row in application(pair, lambda pool: pool.fetch("SELECT id FROM used_proof"))}
        act()
        rows = application(
            pair, lambda pool: pool.fetch("SELECT id, extract(epoch FROM expires_at - now()) FROM used_proof")
        )
        return [float(left) for name, left in rows if name not in before]

    holder = Holder()
    lasts = kept(lambda: insurer.token(["claim_handling"], holder=holder))
    assert len(lasts) == 2  # the assertion's two minutes, and the proof's one
    assert all(120 < left <= 185 for left in lasts)
    token = insurer.token(["claim_handling"], holder=holder)
    proof = holder.proof("POST", API_URL, token)
    (left,) = kept(lambda: pair.call(token, scheme="DPoP", proof=proof))
    assert 115 < left <= 125


def test_a_database_that_does_not_answer_is_told_of_and_breaks_nothing():
    class Broken:
        async def execute(self, *_):
            raise asyncpg.ConnectionDoesNotExistError

    with pytest.raises(UnavailableError):
        asyncio.run(forget_expired(Broken()))
