"""People who consent: somebody new with a token of their own, and what is asked about their consents."""

import asyncio
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from authz.token_keys import TokenKeys
from authz.tokens import mint, new_subject, utc_now
from models.global_ids import NodeType, to_global
from models.vocabulary import Category, Purpose, Retention, Role, to_bits
from privacy.notices import default_notice
from resolvers.registry import NOUNS
from resolvers.writing.rows import sealed_column
from tests.writing.conftest import Office
from vault.keyring import load
from vault.sealing import column_label, new_data_key, seal

HASH = default_notice().digest
"""Of the notice that everybody stands under who agreed to no other."""
CONSENT = (
    "... on Consent { id purpose recipient { code } categories status noticeVersion noticeHash givenByGuardian"
    " grantedAt withdrawnAt withdrawnByGuardian expiresAt receipt { fileName mediaType jws document } }"
)
HISTORY = (
    "query($id: ID!) { user(id: $id) { consents { edges { node {"
    " id purpose status givenByGuardian withdrawnByGuardian grantedAt withdrawnAt categories recipient { code }"
    " } } } } }"
)
OF_VERIFICATION = (
    "query($after: String) { users(first: 100, after: $after) {"
    " edges { cursor node { id name idNumber phone } } pageInfo { hasNextPage } } }"
)
CHILD = (utc_now() - timedelta(days=10 * 365)).date().isoformat()
"""Under age in both bundles."""


@dataclass(frozen=True, repr=False)
class Person:
    """Somebody of whom a name, an ID number and a phone are known."""

    person: UUID
    account: UUID
    name: str

    @property
    def id(self) -> str:
        """The id of their User."""
        return to_global(NodeType.USER, self.person)


@dataclass
class Consenting(Office):
    """A server, and people who consent on it."""

    longest_days: int = 0

    @classmethod
    def on(cls, bundled: Any) -> "Consenting":
        """The server of a bundle, for which these tests make people of their own."""
        found, days = bundled.server, bundled.bundle.consent.longest_days
        keyring = load(found.installation.keyring_path)
        given = (
            found.url,
            found.data_dir,
            found.plaintext,
            found.log,
            found.installation,
            found.database,
            found.client,
        )
        return cls(*given, keyring=keyring, longest_days=days)

    def somebody(self, *, birth: str = "1980-02-03", **items: str) -> Person:
        """A new person, with what is usually known of one."""
        made = Person(uuid4(), uuid4(), f"人{secrets.token_hex(4)}")
        known = {"name": made.name, "idNumber": "110101198002030014", "phone": "13800000000", "birthDate": birth}
        key = new_data_key(self.keyring, made.person, retention=Retention.ACCOUNT)
        columns = {sealed_column(NOUNS["User"], item): value for item, value in {**known, **items}.items()}
        sealed = [
            seal(key, value, label=column_label("person", column), row=made.person.bytes)
            for column, value in columns.items()
        ]
        places = "".join(f", ${place}" for place in range(2, len(sealed) + 2))
        person = f"INSERT INTO person (id, source, {', '.join(columns)}) VALUES ($1, 'application'{places})"  # noqa: S608 - our own names
        kept = "INSERT INTO data_key (person_id, retention, wrapped) VALUES ($1, $2, $3)"

        async def make(owner: Any) -> None:
            await owner.execute(person, made.person, *sealed)
            await owner.execute(kept, made.person, Retention.ACCOUNT, key.wrapped)

        asyncio.run(self._as_owner(make))
        return made

    def guards(self, guardian: Person, child: Person, *, verified: bool = True) -> None:
        """Let one be the other's guardian."""
        self.execute(
            "INSERT INTO guardian_link (id, guardian_id, child_id, verified_at)"
            " VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END)",
            *(uuid4(), guardian.person, child.person, verified),
        )

    def of(self, who: Person, *, role: Role = Role.CUSTOMER, purposes: Any = None, categories: Any = None) -> str:
        """A token of somebody's."""
        wanted = purposes or (Purpose.ACCOUNT_SERVICE, Purpose.RIGHTS_REQUEST)
        listed = to_bits(set(Category) if categories is None else set(categories))
        subject = new_subject(role, wanted, categories=listed, account=who.account, person=who.person)
        return mint(TokenKeys.load(self.installation.token_keys_path), subject, now=utc_now())

    def guardian_of(self, who: Person) -> str:
        """A token of somebody's as a guardian."""
        return self.of(who, role=Role.GUARDIAN)

    def grant(self, token: str, purpose="VERIFICATION", categories=("NAME",), recipient=None, **given: Any) -> Any:
        """The payload of grantConsent."""
        asked = {"purpose": purpose, "categories": list(categories), "recipient": recipient, "noticeHash": HASH}
        under = given.pop("under", "account_service")
        return self.write("grantConsent", {**asked, **given}, token=token, purpose=under, show=CONSENT)

    def withdraw(self, token: str, consent: str, *, under: str = "account_service") -> Any:
        """The payload of withdrawConsent."""
        return self.write("withdrawConsent", {"id": consent}, token=token, purpose=under, show=CONSENT)

    def ask(self, document: str, token: str, purpose: str, **variables: Any) -> Any:
        """The data of an answer."""
        return self.post(document, variables, token=token, purpose=purpose).json()["data"]

    def history(self, token: str, who: Person, purpose: str = "account_service") -> list[dict[str, Any]]:
        """All consents of a person, as a token is told them."""
        user = self.ask(HISTORY, token, purpose, id=who.id)["user"]
        return [edge["node"] for edge in user["consents"]["edges"]]

    def latest_receipt(self, token: str) -> str:
        """The signed receipt of the caller's one consent, made anew."""
        edges = self.ask("{ consents { edges { node { receipt { jws } } } } }", token, "account_service")["consents"]
        (edge,) = edges["edges"]
        return str(edge["node"]["receipt"]["jws"])

    def verified(self, code: str) -> dict[str, dict[str, Any]]:
        """Whom an affiliate is shown for verification, by id."""
        token = self.token("affiliate", org=code, purposes=["verification"])
        edges, after, more = [], None, True
        while more:
            page = self.ask(OF_VERIFICATION, token, "verification", after=after)["users"]
            edges += page["edges"]
            after, more = edges[-1]["cursor"] if edges else None, page["pageInfo"]["hasNextPage"]
        return {edge["node"]["id"]: edge["node"] for edge in edges}


def download(found: Consenting, consent: str, token: str | None, *, accept: str = "*/*") -> Any:
    """The response to a download of a receipt."""
    headers = {
        "Accept": accept,
        "X-Purpose": "account_service",
        **({"Authorization": f"Bearer {token}"} if token else {}),
    }
    return found.client.get(found.url.replace("/graphql", f"/consents/{consent}/receipt"), headers=headers)


def published_keys(found: Consenting) -> dict[str, Any]:
    """The keys that the service publishes for receipts."""
    keys: dict[str, Any] = json.loads(
        found.client.get(found.url.replace("/graphql", "/.well-known/consent-receipt-keys.json")).text
    )
    return keys
