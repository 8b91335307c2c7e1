"""The floor: each query as one hand-written JSON statement over plain columns, its text passed through by Starlette.

No decisions, no sealing, no masks, no ledger. `python -m bench.floor` serves it beside the product of the same
`NEEDFUL_DATA`; the schema `floor` holds the product's rows with the sealed columns in the clear.
"""

import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.embedded import Credentials, database
from models.global_ids import from_global
from models.installation import open_installation
from resolvers.serving.listening import Listening
from resolvers.serving.server import server_config

TABLES = {"person": "User", "policy": "Policy", "beneficiary": "Beneficiary", "claim": "Claim"}
_SEALED = "_sealed"

_INDEXES = """
ALTER TABLE floor.person ADD PRIMARY KEY (id);
ALTER TABLE floor.policy ADD PRIMARY KEY (id);
ALTER TABLE floor.beneficiary ADD PRIMARY KEY (id);
ALTER TABLE floor.claim ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON floor.policy (policy_number);
CREATE UNIQUE INDEX ON floor.policy (global_id);
CREATE INDEX ON floor.beneficiary (policy_id, position, id);
CREATE UNIQUE INDEX ON floor.claim (claim_number);
CREATE INDEX ON floor.claim (policy_id, claim_number);
"""

_POLICY = """json_build_object(
    'policyNumber', t.policy_number,
    'policyholder', json_build_object('name', h.name, 'idNumber', h.id_number, 'phone', h.phone),
    'beneficiaries', (
        SELECT coalesce(json_agg(json_build_object(
            'name', b.name, 'idNumber', b.id_number, 'relation', b.relation, 'share', b.share::text
        ) ORDER BY b.position, b.id), '[]')
        FROM floor.beneficiary b WHERE b.policy_id = t.id),
    'claims', (
        SELECT json_build_object('edges', coalesce(json_agg(json_build_object('node', json_build_object(
            'claimNumber', c.claim_number, 'status', c.status, 'amountClaimed', c.amount_claimed,
            'diagnosis', c.diagnosis, 'bankCard', c.bank_card
        )) ORDER BY c.claim_number), '[]'))
        FROM (SELECT * FROM floor.claim c WHERE c.policy_id = t.id AND c.status <> 'DRAFT'
              ORDER BY c.claim_number LIMIT 20) c)
)"""

STATEMENTS = {
    "Q1": f"""
SELECT json_build_object('data', json_build_object('policy', (
    SELECT {_POLICY} FROM floor.policy t JOIN floor.person h ON h.id = t.holder_id WHERE t.global_id = $1)))::text
""",
    "Q2": f"""
SELECT json_build_object('data', json_build_object('policies', json_build_object('edges', (
    SELECT coalesce(json_agg(json_build_object('node', {_POLICY}) ORDER BY t.policy_number), '[]')
    FROM (SELECT * FROM floor.policy ORDER BY policy_number LIMIT 50) t
    JOIN floor.person h ON h.id = t.holder_id))))::text
""",
    "Q3": """
SELECT json_build_object('data', json_build_object('claims', json_build_object(
    'edges', coalesce(json_agg(json_build_object('node', json_build_object(
        '__typename', 'Claim', 'id', t.global_id, 'claimNumber', t.claim_number, 'status', t.status,
        'reportedAt', t.reported_at, 'closedAt', t.closed_at, 'diagnosis', t.diagnosis, 'bankCard', t.bank_card
    )) ORDER BY t.claim_number) FILTER (WHERE t.place <= 100), '[]'),
    'pageInfo', json_build_object(
        'endCursor', max(t.claim_number) FILTER (WHERE t.place <= 100), 'hasNextPage', count(*) > 100))))::text
FROM (SELECT *, row_number() OVER (ORDER BY claim_number) AS place FROM floor.claim
      WHERE status <> 'DRAFT' AND claim_number > coalesce($1, '') ORDER BY claim_number LIMIT 101) t
""",
}
"""By operation name; a statement's parameters are the request's variables in their order."""


async def copy_rows(owner: asyncpg.Connection, plaintext: Path) -> None:
    """Make the schema `floor` from the product's tables and the plain lines of the same demo data."""
    await owner.execute("DROP SCHEMA IF EXISTS floor CASCADE; CREATE SCHEMA floor")
    await owner.execute("CREATE TEMP TABLE plain (id uuid PRIMARY KEY, line jsonb)")
    await owner.copy_records_to_table("plain", records=list(_lines(plaintext)))
    await owner.execute("ANALYZE plain")
    for table in TABLES:
        names = await owner.fetch(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position",
            table,
        )
        columns = ", ".join(_column(name) for (name,) in names)
        await owner.execute(
            f"CREATE TABLE floor.{table} AS SELECT {columns}, p.line ->> 'id' AS global_id"
            f" FROM {table} t JOIN plain p ON p.id = t.id"
        )
    await owner.execute(_INDEXES)
    await owner.execute("DROP TABLE plain")
    await owner.execute("VACUUM ANALYZE")


def _lines(plaintext: Path) -> Iterator[tuple[UUID, str]]:
    with plaintext.open(encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            if line["type"] in TABLES.values():
                found = from_global(line["id"])
                assert found is not None
                yield found[1], text


def _column(name: str) -> str:
    if not name.endswith(_SEALED):
        return f"t.{name}"
    plain = name.removesuffix(_SEALED)
    member = re.sub("_([a-z])", lambda match: match.group(1).upper(), plain)
    return f"p.line ->> '{member}' AS {plain}"


def build_app(credentials: Credentials) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        who = credentials
        async with asyncpg.create_pool(
            host=who.host,
            port=who.port,
            user=who.user,
            password=who.password or None,
            database=who.database,
            min_size=2,
            max_size=10,
            reset=_keep_session,
            max_inactive_connection_lifetime=0,
            max_cached_statement_lifetime=0,
            server_settings={"jit": "off", "timezone": "Asia/Shanghai"},
        ) as pool:
            app.state.pool = pool
            yield

    return Starlette(routes=[Route("/graphql", _answer, methods=["POST"])], lifespan=lifespan)


async def _keep_session(_: asyncpg.Connection) -> None:
    """As the product: nothing is cleared when a connection returns to the pool."""


async def _answer(request: Request) -> Response:
    given = orjson.loads(await request.body())
    values = given.get("variables") or {}
    text = await request.app.state.pool.fetchval(STATEMENTS[given["operationName"]], *values.values())
    return Response(text, media_type="application/json")


def main() -> None:
    with database(open_installation(os.environ)) as found:
        config = server_config(build_app(found.owner), Listening(port=int(sys.argv[1])))
        uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
