"""Policies to write to, the calls that write them, and what the database keeps of a call."""

import asyncio
import itertools
import secrets
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import httpx

from models.global_ids import NodeType, to_global
from tests.conftest import GRAPHQL
from tests.recorded import NAMED, came_of, said
from tests.writing.conftest import Customer, Office

SHOWN = "id status version endsOn policyholder { id phone } premium"
_numbers = itertools.count()


@dataclass(frozen=True)
class Call:
    """One call of a mutation: its document is named apart from all others, so that its ledger rows are found."""

    document: str
    variables: dict[str, Any]
    token: str
    purpose: str
    key: str | None = None

    def sent(self, **headers: str) -> dict[str, Any]:
        """What an httpx client sends for it."""
        key = {"Idempotency-Key": self.key} if self.key is not None else {}
        named = {"Accept": GRAPHQL, "Authorization": f"Bearer {self.token}", "X-Purpose": self.purpose}
        body = {"query": self.document, "variables": self.variables}
        return {"json": body, "headers": {**named, **key, **headers}}

    def on(self, policy: UUID, *, key: str) -> "Call":
        """The same for another policy, under a key of its own."""
        given = {**self.variables["input"], "id": to_global(NodeType.POLICY, policy)}
        return replace(self, variables={"input": given}, key=key)

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.document.split("(")[0].removeprefix("mutation ")

    def post(self, office: Office, **headers: str) -> httpx.Response:
        """Send it."""
        return office.client.post(office.url, **self.sent(**headers))

    def payload(self, office: Office) -> Any:
        """Send it; the payload of its one root field."""
        response = self.post(office)
        assert response.status_code == 200, response.text
        (found,) = response.json()["data"].values()
        return found


def surrender(policy: UUID, token: str, *, key: str | None = None, **given: Any) -> Call:
    """A call of surrenderPolicy by its holder."""
    return writing("surrenderPolicy", policy, token, "account_service", key=key, **given)


def begin_application(token: str) -> Call:
    """A call of draftApplication by a customer for themself: every time it is done there is one application more."""
    return _call("draftApplication", {"productCode": "INS01-ACC"}, token, "account_service")


def writing(mutation: str, policy: UUID, token: str, purpose: str, *, key: str | None = None, **given: Any) -> Call:
    """A call of a mutation of a policy."""
    return _call(mutation, {"id": to_global(NodeType.POLICY, policy), **given}, token, purpose, key)


def _call(mutation: str, given: dict[str, Any], token: str, purpose: str, key: str | None = None) -> Call:
    declared = f"$input: {mutation[0].upper()}{mutation[1:]}Input!"
    name = f"Call{next(_numbers)}{secrets.token_hex(4)}"
    selected = f"__typename ... on Problem {{ code }} ... on Policy {{ {SHOWN} }}"
    document = f"mutation {name}({declared}) {{ {mutation}(input: $input) {{ {selected} }} }}"
    return Call(document, {"input": given}, token, purpose, key)


def a_policy(office: Office, holder: Customer, status: str = "IN_FORCE") -> UUID:
    """A policy of a customer, made as the demo's are."""
    (made,) = policies_of(office, holder, 1, status)
    return made


def policies_of(office: Office, holder: Customer, count: int, status: str = "IN_FORCE") -> list[UUID]:
    """So many of them."""
    made = [uuid4() for _ in range(count)]
    office.execute(
        "INSERT INTO policy (id, policy_number, product_id, insurer_id, status, holder_id, insured_id, currency,"
        " starts_on, ends_on) SELECT made, 'T' || left(replace(made::text, '-', ''), 20), product_id, insurer_id, $2,"
        " $3, $3, currency, starts_on, ends_on FROM unnest($1::uuid[]) AS made,"
        " (SELECT * FROM policy WHERE status = 'IN_FORCE' ORDER BY id LIMIT 1) AS one",
        *(made, status, holder.person),
    )
    return made


def standing(office: Office, policy: UUID) -> tuple[str, int]:
    """A policy's status and version."""
    (row,) = office.rows("SELECT status, version FROM policy WHERE id = $1", policy)
    return row["status"], row["version"]


def recorded(office: Office, call: Call) -> list[tuple[str, str | None]]:
    """What the ledger says came of a call, each time: outcome and code."""
    return [came_of(body)[1:] for body in said(office.rows(NAMED, call.name))]


def kept(office: Office, client: UUID) -> int:
    """How many idempotency keys are kept of a client."""
    (row,) = office.rows("SELECT count(*) FROM idempotency_key WHERE client = $1", client)
    count: int = row[0]
    return count


def account_of(office: Office, person: UUID) -> UUID:
    """The account of a person: the client of its keys."""
    (row,) = office.rows("SELECT id FROM account WHERE person_id = $1", person)
    found: UUID = row["id"]
    return found


def at_once(calls: list[tuple[str, Call]]) -> list[httpx.Response]:
    """Calls, each to an address, all sent at the same moment."""
    (responses,) = in_rounds([calls])
    return responses


def in_rounds(rounds: list[list[tuple[str, Call]]]) -> list[list[httpx.Response]]:
    """Rounds of such calls, one round after the other."""

    async def send() -> list[list[httpx.Response]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            return [await asyncio.gather(*(client.post(url, **call.sent()) for url, call in calls)) for calls in rounds]

    return asyncio.run(send())
