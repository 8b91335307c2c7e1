"""A server for accounts: its own data, since people who register stay, and little patience, since tests have none."""

import asyncio
import itertools
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pyotp
import pytest

from authz.commands import Call, Done
from authz.tokens import utc_now
from cli import _parser
from models.embedded import Database, database
from models.installation import Installation, open_installation
from resolvers.registered import house_documents
from tests.conftest import GRAPHQL, all_running, running_server
from vault.keyring import load

PASSWORD = "a horse eats 9 apples"
NEXT_PASSWORD = "nine apples eat 1 horse"
HOUSE = {text.split("(")[0].split("{")[0].split()[-1]: found for found, text in house_documents().items()}
"""Hashes of the house's registered documents by operation name."""
RESULTS = {
    "logOut": "SessionEnded { id }",
    "endSession": "SessionEnded { id }",
    "changePassword": "PasswordChanged { endedSessions }",
    "setUpSecondFactor": "SecondFactorSetUp { uri }",
    "confirmSecondFactor": "SteppedUp { accessToken }",
    "stepUp": "SteppedUp { accessToken }",
}
_numbers = itertools.count(int.from_bytes(secrets.token_bytes(3)))


@dataclass(repr=False)
class Customer:
    """Somebody who registered, as the client knows them."""

    phone: str
    username: str
    password: str
    access: str
    refresh: str
    second_factor: pyotp.TOTP | None = None


@dataclass
class Desk:
    """A running server and what a client does at it."""

    url: str
    data_dir: Path
    log: Path
    installation: Installation
    database: Database
    client: httpx.Client
    others: list[str] = field(default_factory=list)

    def post(self, body: Any, *, token: str | None = None, url: str | None = None, **headers: str) -> httpx.Response:
        """POST any body."""
        sent = {"Accept": GRAPHQL, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        return self.client.post(url or self.url, json=body, headers=sent)

    def registered(self, name: str, variables: Any = None, **more: Any) -> httpx.Response:
        """Run a registered document by its hash."""
        return self.post({"documentId": f"sha256:{HOUSE[name]}", "variables": variables}, **more)

    def sign_up(self, **given: str | None) -> dict[str, Any]:
        """The payload of a sign-up."""
        return payload(self.registered("SignUp", {"input": given}))

    def log_in(self, identifier: str, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
        """The payload of a login."""
        url = more.pop("url", None)
        given = {"identifier": identifier, "password": password, **more}
        return payload(self.registered("LogIn", {"input": given}, url=url))

    def refresh(self, refresh_token: str, *, url: str | None = None) -> dict[str, Any]:
        """The payload of a refresh."""
        return payload(self.registered("Refresh", {"input": {"refreshToken": refresh_token}}, url=url))

    def write(self, name: str, token: str | None, given: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """The payload of any mutation, with all that its types have."""
        declared = "($input: %sInput!)" % (name[0].upper() + name[1:]) if given is not None else ""
        arguments = "(input: $input)" if given is not None else ""
        document = (
            f"mutation{declared} {{ {name}{arguments} {{ __typename ... on Problem {{ code field clause consequence }}"
            f" ... on TryLaterProblem {{ retryAfter }} ... on {RESULTS[name]} }} }}"
        )
        return payload(self.post({"query": document, "variables": {"input": given}}, token=token, **more))

    def ask(self, document: str, token: str, **headers: str) -> httpx.Response:
        """A query under the purpose of one's own account."""
        return self.post({"query": document}, token=token, **{"X_Purpose": "account_service", **headers})

    def customer(self, *, second_factor: bool = False) -> Customer:
        """A new customer."""
        number = next(_numbers) % 10**8
        phone, username = f"179{number:08d}", f"tester{number}"
        found = self.sign_up(phone=phone, username=username, password=PASSWORD)
        assert found["__typename"] == "SessionTokens", found
        made = Customer(phone, username, PASSWORD, found["accessToken"], found["refreshToken"])
        if second_factor:
            set_up = self.write("setUpSecondFactor", made.access, {"password": PASSWORD})
            made.second_factor = authenticator(set_up["uri"])
            confirmed = self.write("confirmSecondFactor", made.access, {"code": made.second_factor.now()})
            assert confirmed["__typename"] == "SteppedUp", confirmed
            self.forget_codes()
        return made

    def staff(self, role: str) -> tuple[str, str, pyotp.TOTP]:
        """A new member of staff: work name, password of their own, second factor."""
        name = f"worker{next(_numbers)}"
        added = self.operate("staff", "add", name, "--role", role)
        codes = authenticator(added["uri"])
        found = self.log_in(name, added["password"], code=codes.now(), newPassword=PASSWORD, role="STAFF")
        assert found["__typename"] == "SessionTokens", found
        self.forget_codes()
        return name, PASSWORD, codes

    def operate(self, *arguments: str) -> Any:
        """What a command of the operator gives, run in this process: starting another takes seconds."""
        given, keyring = _parser().parse_args(arguments), load(self.installation.keyring_path)

        async def work(owner: Any) -> Done:
            done: Done = await given.act(Call(owner, given, keyring, utc_now(), self.installation))
            return done

        return asyncio.run(self._as_owner(work)).data

    def forget_codes(self) -> None:
        """As if half a minute had passed: the code of now may be used again."""
        self.execute("UPDATE login SET totp_step = totp_step - 5")

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


def payload(response: httpx.Response) -> dict[str, Any]:
    """What the one root field of a mutation answered."""
    assert response.status_code == 200, response.text
    (found,) = response.json()["data"].values()
    return found


def authenticator(uri: str) -> pyotp.TOTP:
    """What an authenticator app makes of an `otpauth:` address."""
    return pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])


@pytest.fixture(scope="package")
def desk(tmp_path_factory, prepared) -> Iterator[Desk]:
    """The server for accounts: three failures lock; and two more on the same data, one that refuses a third session."""
    folder = tmp_path_factory.mktemp("accounts")
    data_dir, log = folder / "data", folder / "server.log"
    prepared.demo(data_dir, 150, plaintext=folder / "plain.jsonl")
    with ExitStack() as stack:
        environment = {"NEEDFUL_LOGIN_FAILURES": "3", "NEEDFUL_PUBLIC_URL": "https://needful.example"}
        refusing = {**environment, "NEEDFUL_SESSION_CEILING": "2", "NEEDFUL_SESSION_OVER": "refuse"}
        first = running_server(data_dir, log, environment=environment)
        url, other = stack.enter_context(
            all_running(first, running_server(data_dir, folder / "other.log", environment=refusing))
        )
        installation = open_installation({**os.environ, "NEEDFUL_DATA": str(data_dir)})
        found = stack.enter_context(database(installation))
        client = stack.enter_context(httpx.Client(timeout=60))
        yield Desk(f"{url}/graphql", data_dir, log, installation, found, client, [f"{other}/graphql"])
