"""An office of its own for the writes: a small demo server that is written to, and fresh people to write for."""

import asyncio
import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from models.embedded import database
from models.global_ids import NodeType, from_global, to_global
from models.installation import open_installation
from models.vocabulary import Retention
from resolvers.registered import house_documents
from resolvers.registry import NOUNS
from resolvers.writing.rows import sealed_column
from tests.conftest import GRAPHQL, Server, running_server
from vault.keyring import Keyring, load
from vault.sealing import KeyCache, column_label, new_data_key, open_column, seal

PASSWORD = "a horse eats 9 apples"
PEOPLE, SEED = 60, 11
PROBLEM = (
    "... on Problem { code message field clause consequence } ... on AccessProblem { reason }"
    " ... on CollectionProblem { items { field clause } }"
    " ... on StateProblem { at: currentStatus version: currentVersion allowed }"
)
"""Everything that a problem tells; in short names."""
_SIGN_UP = next(found for found, text in house_documents().items() if "register(" in text)
_numbers = itertools.count(int.from_bytes(secrets.token_bytes(3)))


@dataclass(frozen=True, repr=False)
class Customer:
    """Somebody who has just registered: nothing but a phone and a username is known of them."""

    person: UUID
    phone: str
    username: str
    token: str

    @property
    def id(self) -> str:
        """The id of their User."""
        return to_global(NodeType.USER, self.person)


@dataclass
class Office(Server):
    """A server whose data tests may change."""

    keyring: Keyring = field(kw_only=True)

    def post(self, document, variables=None, *, token=None, purpose=None, **headers):  # type: ignore[override]
        """POST a document; `headers` in Python's spelling: `Idempotency_Key`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return super().post(document, variables, token=token, purpose=purpose, headers=sent)

    def write(self, name, given, *, token, purpose, show="", **headers) -> dict[str, Any] | None:
        """The payload of a mutation: a problem with all it tells, or what `show` selects (`... on Policy { id }`)."""
        declared = "$input: %sInput!" % (name[0].upper() + name[1:])
        document = f"mutation({declared}) {{ {name}(input: $input) {{ __typename {PROBLEM} {show} }} }}"
        response = self.post(document, {"input": given}, token=token, purpose=purpose, **headers)
        body = response.json()
        assert response.status_code == 200, body
        return body["data"][name]

    def customer(self) -> Customer:
        """A new customer with a session."""
        number = next(_numbers) % 10**8
        phone, username = f"174{number:08d}", f"writer{number}"
        given = {"phone": phone, "username": username, "password": PASSWORD}
        body = {"documentId": f"sha256:{_SIGN_UP}", "variables": {"input": given}}
        found = self.client.post(self.url, json=body, headers={"Accept": GRAPHQL}).json()["data"]["register"]
        assert found["__typename"] == "SessionTokens", found
        token = found["accessToken"]
        answer = self.post("{ viewer { user { id } } }", token=token, purpose="account_service").json()
        person = from_global(answer["data"]["viewer"]["user"]["id"])[1]
        return Customer(person, phone, username, token)

    def guardian(self, *children: UUID, verified: bool = True) -> Customer:
        """A new customer with a token as guardian of some people; whose wards those are that are known to be minors."""
        made = self.customer()
        for child in children:
            self.execute(
                "INSERT INTO guardian_link (id, guardian_id, child_id, verified_at) VALUES ($1, $2, $3, $4)",
                *(uuid4(), made.person, child, datetime.now(UTC) if verified else None),
            )
        token = self.token("guardian", user=made.username, purposes=["account_service", "rights_request"])
        return Customer(made.person, made.phone, made.username, token)

    def agree(self, guardian: Customer, child: UUID, purpose: str) -> None:
        """Let a guardian agree, in so many words, that a child acts alone for a purpose."""
        self.execute(
            "INSERT INTO consent (id, person_id, guardian_id, purpose, categories, notice_version, notice_hash,"
            " granted_at) VALUES ($1, $2, $3, $4, 0, '2020-10-26', '', now())",
            *(uuid4(), child, guardian.person, purpose),
        )

    def know(self, person: UUID, **items: str) -> None:
        """Put items on a person's record, by schema field, as if they had been given earlier; no look-up finds them."""
        row = self.rows(
            "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = $2", person, Retention.ACCOUNT
        )
        if row:
            key = KeyCache(self.keyring).get(row[0][0], person_id=person, retention=Retention.ACCOUNT)
        else:
            key = new_data_key(self.keyring, person, retention=Retention.ACCOUNT)
            statement = "INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, $2, $3)"
            self.execute(statement, person, Retention.ACCOUNT, key.wrapped)
        for item, value in items.items():
            column = sealed_column(NOUNS["User"], item)
            blob = seal(key, value, label=column_label("person", column), row=person.bytes)
            self.execute(f"UPDATE person SET {column} = $2 WHERE id = $1", person, blob)  # noqa: S608 - our own names

    def stored(self, noun: str, row_id: UUID, *, owner: UUID) -> dict[str, str | None]:
        """What is stored of one row, opened: its sealed values by schema field; `owner`: whose key."""
        stored = NOUNS[noun]
        (row,) = self.rows(f"SELECT * FROM {stored.table} WHERE id = $1", row_id)  # noqa: S608 - as above
        wrapped = self.rows(
            "SELECT wrapped FROM data_key WHERE person_id = $1 AND retention = $2", owner, stored.retention
        )
        key = wrapped and KeyCache(self.keyring).get(wrapped[0][0], person_id=owner, retention=stored.retention)
        found = {}
        for name, column in stored.fields.items():
            sealed = getattr(column, "column", None)
            if sealed and getattr(column, "table", None) is None:
                label = column_label(stored.table, sealed)
                found[name] = open_column([row[sealed]], [key or None], [row_id.bytes], label=label)[0]
        return found

    def execute(self, statement: str, *values: Any) -> None:
        """Run a statement as the owner of the tables."""
        asyncio.run(self._as_owner(lambda owner: owner.execute(statement, *values)))

    def rows(self, statement: str, *values: Any) -> list[Any]:
        """Read rows as the owner of the tables."""
        return asyncio.run(self._as_owner(lambda owner: owner.fetch(statement, *values)))

    async def _as_owner(self, work: Any) -> Any:
        who = self.database.owner
        connection = await asyncpg.connect(
            host=who.host, port=who.port, user=who.user, password=who.password, database=who.database
        )
        try:
            return await work(connection)
        finally:
            await connection.close()


def row_id(global_id: str) -> UUID:
    """The row behind an id."""
    return from_global(global_id)[1]


@pytest.fixture(scope="package")
def office(tmp_path_factory, prepared) -> Iterator[Office]:
    """The one server of these tests: others compare the demo data with what was loaded, here they are written to."""
    folder = tmp_path_factory.mktemp("office")
    data_dir, plaintext, log = folder / "data", folder / "plain.jsonl", folder / "server.log"
    prepared.demo(data_dir, PEOPLE, seed=SEED, plaintext=plaintext)
    with ExitStack() as stack:
        url = stack.enter_context(running_server(data_dir, log))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        keyring = load(installation.keyring_path)
        yield Office(f"{url}/graphql", data_dir, plaintext, log, installation, found, client, keyring=keyring)
