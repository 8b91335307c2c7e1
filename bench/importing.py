"""The rows of a rig's peers as the product's own: sealed, indexed, under rules that say what the rig's peers say.

The rig's schema `app` holds users, policies, beneficiaries and claims in the clear. What the product has and the rig
lacks is made up so that there is more to do rather than less: who reports and is paid is the insured; the claims of
the caller's insurer are assigned to the caller, so that every diagnosis is decided by its row.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from authz.default_ruleset import default_content
from authz.rules import Budget, Rule
from authz.ruleset_store import Content
from authz.vocabulary import ANY, Action, Basis, Relation, RuleEffect
from bench.rules import FEW, PLACE, publish
from bench.translation import RELATIONS, number_of
from models.claims import ClaimStatus
from models.demo.bulk import in_bulk
from models.demo.load import FILLED
from models.demo.rows import TABLES, Batch, Cell, Table
from models.demo.sealer import Sealer
from models.global_ids import NodeType, to_global
from models.organizations import OrganizationKind
from models.people import IdType, PersonSource
from models.policies import PolicyStatus
from models.vocabulary import Category, Role
from vault.keyring import Keyring

INSURER = "INS01"
"""Whose claims the rig's caller sees the diagnosis of."""
CALLER, NOBODY = "caller", "nobody"
"""The user names of who may see, and of who has rows and may see nothing of them."""
_MADE_BY = UUID("6e656564-6675-4c00-8000-62656e636800")
_STATUS = {"active": PolicyStatus.IN_FORCE, "lapsed": PolicyStatus.LAPSED, "expired": PolicyStatus.EXPIRED}
_CLOSED = frozenset({ClaimStatus.PAID, ClaimStatus.REJECTED})
_NAMES = ("users", "policies", "beneficiaries", "claims")
_BY_NAME: Mapping[str, Table] = {table.name: table for table in TABLES}
_JOINED = datetime(2020, 1, 1, tzinfo=UTC)

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Source:
    """The rig's rows, each kind in the order of its ids."""

    users: Rows
    policies: Rows
    beneficiaries: Rows
    claims: Rows

    @property
    def digest(self) -> str:
        """The name of these rows."""
        found = hashlib.sha256()
        for name in _NAMES:
            for row in getattr(self, name):
                found.update(repr(tuple(row.values())).encode())
        return found.hexdigest()


async def read_source(address: str) -> Source:
    """The rows at a PostgreSQL address. Raises the database's error."""
    connection = await asyncpg.connect(address)
    try:
        found = {name: await connection.fetch(f"SELECT * FROM app.{name} ORDER BY id") for name in _NAMES}
    finally:
        await connection.close()
    return Source(**found)


def policy_ids(source: Source) -> dict[str, str]:
    """Global ids of policies by the rig's ids."""
    return {str(row["id"]): to_global(NodeType.POLICY, _made("policy", row["id"])) for row in source.policies}


def claim_ids(source: Source) -> dict[str, str]:
    """Global ids of claims by the rig's ids."""
    return {str(row["id"]): to_global(NodeType.CLAIM, _made("claim", row["id"])) for row in source.claims}


async def load_source(owner: Any, source: Source, *, keyring: Keyring, content: Content) -> Counter[str]:  # noqa: ANN401
    """Fill an empty database that is up to date with the rows, and publish the rules; gives the rows by table."""
    rows: Counter[str] = Counter()
    async with owner.transaction(), in_bulk(owner, FILLED):
        for part in Sealer(keyring).parts(batch_of(source)):
            if part.count:
                await owner.copy_records_to_table(part.table, columns=part.columns, records=part.records)
                rows[part.table] += part.count
    await owner.execute("VACUUM ANALYZE")
    await publish(owner, content)
    return rows


def batch_of(source: Source) -> Batch:
    """All rows, not yet sealed. Raises KeyError for words or rows that there are not."""
    batch = Batch(people=len(source.users))
    _add_directory(batch, source)
    for user in source.users:
        _add_user(batch, user)
    policies = {row["id"]: row for row in source.policies}
    for policy in source.policies:
        _add_policy(batch, policy)
    places: dict[int, Iterator[int]] = {number: count() for number in policies}
    for one in source.beneficiaries:
        _add_beneficiary(batch, one, policies[one["policy_id"]], next(places[one["policy_id"]]))
    for claim in source.claims:
        _add_claim(batch, claim, policies[claim["policy_id"]])
    return batch


def _made(table: str, number: object) -> UUID:
    return uuid5(_MADE_BY, f"{table} {number}")


def _add(batch: Batch, table: str, row: UUID, values: Mapping[str, Cell], *, owner: UUID | None = None) -> None:
    declared = _BY_NAME[table]
    unknown = values.keys() - set(declared.columns)
    if unknown:
        message = f"{table} has no such columns: {', '.join(sorted(unknown))}"
        raise KeyError(message)
    plain = tuple(values.get(column.name) for column in declared.plain)
    texts = tuple(None if (text := values.get(one.name)) is None else str(text) for one in declared.sealed)
    batch.rows[table].append((row, owner or row, plain, texts))


def _add_directory(batch: Batch, source: Source) -> None:
    insurers = sorted({row["insurer_code"] for row in source.policies})
    for code in insurers:
        values = {"code": code, "name": code, "kind": OrganizationKind.INSURER.value}
        _add(batch, "organization", _made("organization", code), values)
    for code, name in sorted({(row["insurer_code"], row["product"]) for row in source.policies}):
        values = {"code": f"{code}-{name}", "name": name, "insurer_id": _made("organization", code)}
        _add(batch, "product", _made("product", (code, name)), values)
    for username, role in ((CALLER, PLACE[0]), (NOBODY, Role.CUSTOMER_SERVICE)):
        _add(batch, "staff", _made("staff", username), {"username": username, "role": role.value})


def _add_user(batch: Batch, user: Mapping[str, Any]) -> None:
    sealed = {f"{name}_sealed": user[name] for name in ("name", "id_number", "phone", "email", "address", "bank_card")}
    plain = {"source": PersonSource.DEMO.value, "id_type": IdType.RESIDENT_ID.value}
    _add(batch, "person", _made("person", user["id"]), plain | sealed)


def _parties(policy: Mapping[str, Any]) -> dict[str, UUID]:
    return {
        "insurer_id": _made("organization", policy["insurer_code"]),
        "holder_id": _made("person", policy["holder_id"]),
        "insured_id": _made("person", policy["insured_id"]),
    }


def _add_policy(batch: Batch, policy: Mapping[str, Any]) -> None:
    parties = _parties(policy)
    values: dict[str, Cell] = {
        **parties,
        "policy_number": number_of(policy["id"], policy["policy_no"]),
        "product_id": _made("product", (policy["insurer_code"], policy["product"])),
        "status": _STATUS[policy["status"]].value,
        "currency": "CNY",
        "starts_on": policy["start_date"],
        "ends_on": policy["end_date"],
        "premium_sealed": policy["premium"],
    }
    _add(batch, "policy", _made("policy", policy["id"]), values, owner=parties["holder_id"])


def _add_beneficiary(batch: Batch, one: Mapping[str, Any], policy: Mapping[str, Any], place: int) -> None:
    holder = _parties(policy)["holder_id"]
    values: dict[str, Cell] = {
        "policy_id": _made("policy", policy["id"]),
        "holder_id": holder,
        "relation": RELATIONS[one["relation"]],
        "position": place,
        "share": one["share"],
        "name_sealed": one["name"],
        "id_number_sealed": one["id_number"],
    }
    _add(batch, "beneficiary", _made("beneficiary", one["id"]), values, owner=holder)


def _add_claim(batch: Batch, claim: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    if claim["insurer_code"] != policy["insurer_code"]:
        message = f"claim {claim['id']} has another insurer than its policy"
        raise KeyError(message)
    row, parties, status = _made("claim", claim["id"]), _parties(policy), ClaimStatus[claim["status"].upper()]
    reported, insured = claim["reported_at"], parties["insured_id"]
    values: dict[str, Cell] = {
        **parties,
        "claim_number": claim["claim_number"],
        "policy_id": _made("policy", policy["id"]),
        "status": status.value,
        "reporter_id": insured,
        "reporter_verified_at": reported,
        "payee_id": insured,
        "payee_verified_at": reported,
        "reported_at": reported,
        "closed_at": reported if status in _CLOSED else None,
        "hospital_sealed": claim["hospital"],
        "diagnosis_sealed": claim["diagnosis"],
        "amount_claimed_sealed": claim["amount"],
        "bank_card_sealed": claim["bank_card"],
    }
    _add(batch, "claim", row, values, owner=insured)
    if claim["insurer_code"] == INSURER:
        given = {"staff_id": _made("staff", CALLER), "claim_id": row, "assigned_at": reported}
        _add(batch, "assignment", _made("assignment", claim["id"]), given)


def rig_rules(total: int = FEW) -> Content:
    """What the rig's peers say, and as many rules about others as make up the number; nobody else is shown a thing."""
    given = default_content()
    asked = (
        *(_rule(ANY, ANY, Action.REVEAL, name) for name in (Category.NAME, Category.FINANCIAL, "Claim.hospital")),
        *(_rule(ANY, ANY, Action.MASK, one) for one in (Category.GOVERNMENT_ID, Category.PHONE, Category.BANK_ACCOUNT)),
        *(
            _rule(Relation.ASSIGNED.value, basis.value, Action.REVEAL, "Claim.diagnosis")
            for basis in (Basis.CONTRACT_OPEN, Basis.NONE)
        ),
    )
    others = tuple(one for one in given.rules if one.role not in (PLACE[0], Role.CUSTOMER_SERVICE))
    budgets = (one for one in given.budgets if (one.role, one.purpose) != PLACE)
    budget = Budget(*PLACE, per_hour=10**8, per_day=10**8, clause="C55")
    return replace(given, rules=(*asked, *others)[:total], budgets=(*budgets, budget), cases="[]")


def _rule(relation: str, basis: str, action: Action, about: str) -> Rule:
    return Rule(RuleEffect.ALLOW, *PLACE, relation, basis, action, str(about), "C24")
