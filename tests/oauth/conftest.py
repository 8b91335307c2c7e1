"""Two server processes of one installation behind one public address, and partners that tests register with them."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from authz.oauth.registration import Terms, agree, register
from authz.tokens import utc_now
from models.database import connect_once
from models.embedded import Database, database
from models.installation import Installation, open_installation
from models.vocabulary import Category, Purpose, to_bits
from tests.conftest import all_running, running_server
from tests.oauth.wire import ISSUER, Partner, new_key

DOCUMENT = "{ viewer { role organization purposes } }"
PURPOSES = ("policy_service", "claim_handling", "application")
CATEGORIES = ("name", "phone", "health", "incident")


@dataclass
class Pair:
    """The two servers, and what a test may ask of them."""

    urls: tuple[str, str]
    logs: tuple[Path, Path]
    installation: Installation
    database: Database
    http: httpx.Client

    def post(self, path, form, *, headers=None, server=0):
        return self.http.post(f"{self.urls[server]}{path}", data=form, headers=headers)

    def call(self, token, *, scheme="Bearer", proof=None, server=0, document=DOCUMENT):
        """The answer of the API to whoever shows this token."""
        proofs = [proof] if isinstance(proof, str) else proof or []
        headers = [("Authorization", f"{scheme} {token}"), *(("DPoP", one) for one in proofs)]
        return self.http.post(f"{self.urls[server]}/graphql", json={"query": document}, headers=headers)

    def owner(self, act):
        """Do something on the owner's connection."""

        async def run():
            connection = await connect_once(self.database.owner)
            try:
                return await act(connection)
            finally:
                await connection.close()

        return asyncio.run(run())

    def organization(self, kind="INSURER") -> str:
        """A fresh organization: its code."""
        code = f"X{secrets.token_hex(4)}"
        insert = "INSERT INTO organization (id, code, name, kind) VALUES ($1, $2, $2, $3)"
        self.owner(lambda connection: connection.execute(insert, uuid4(), code, kind))
        return code

    def agree(self, code, *, purposes=PURPOSES, categories=CATEGORIES, begins=-1, ends=3600, **more) -> str:
        """An agreement that runs from and to these seconds from now: its reference."""
        now, reference = utc_now(), f"R-{secrets.token_hex(6)}"
        terms = Terms(
            reference=reference,
            purposes=tuple(map(Purpose, purposes)),
            categories=to_bits(set(map(Category, categories))),
            valid_from=now + timedelta(seconds=begins),
            valid_to=now + timedelta(seconds=ends),
            **{"processor": False, "attested": False, **more},
        )
        self.owner(lambda connection: agree(connection, code, terms=terms, now=now))
        return reference

    def partner(self, kind="INSURER", *, code=None, agreed=True, key=None, alg="EdDSA", **terms) -> Partner:
        """A client with a key; by default of a fresh organization with an agreement."""
        code = code or self.organization(kind)
        reference = self.agree(code, **terms) if agreed else None
        key = key or new_key()
        jwk = key.as_dict(private=False)
        done = self.owner(lambda c: register(c, code, contact="ops@partner.test", keys=jwk, now=utc_now()))
        return Partner(self, code, reference, done.client, key, alg)


@pytest.fixture(scope="package")
def pair(tmp_path_factory, prepared) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("partners")
    data_dir, logs = folder / "data", (folder / "one.log", folder / "two.log")
    prepared.demo(data_dir, 10)
    environment = {"NEEDFUL_PUBLIC_URL": ISSUER}
    with ExitStack() as stack:
        servers = (running_server(data_dir, log, environment=environment) for log in logs)
        urls = tuple(stack.enter_context(all_running(*servers)))
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        yield Pair(urls, logs, installation, found, stack.enter_context(httpx.Client(timeout=60)))


@pytest.fixture(scope="package")
def insurer(pair) -> Partner:
    return pair.partner()
