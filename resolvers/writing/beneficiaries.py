"""Beneficiaries: whom a policy pays, always named all at once (C06).

Shares count within one order: the second order is paid where nobody of the first is left, so those of each order total
exactly 100 %. Nobody at all is an answer too: the insured's legal heirs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from models.beneficiaries import RelationToInsured
from models.lifecycles import Event
from models.people import IdType
from models.policies import PolicyStatus
from models.products import Part
from resolvers.payloads import Item, Problem, ProblemCode, Write, Written
from resolvers.registry import NOUNS
from resolvers.writing.items import PERSON_ITEMS, Declared, Given, acceptable, cleaned, declared_by, incomplete
from resolvers.writing.policies import of_age
from resolvers.writing.rows import change, insert, opened, sealed, sealed_column
from resolvers.writing.targets import Target, target

MOST = 20
"""Beneficiaries of one policy."""
WITHOUT = "Without it the beneficiaries stay as they were."
"""What refusing an item of a beneficiary leads to once the policy runs."""
_ITEMS = ("name", "idNumber", "phone")
_WHOLE = Decimal(100)
_FEN = Decimal("0.01")
_KEPT = ("id", "person_id", "person_verified_at")
_STORED = "SELECT * FROM beneficiary WHERE policy_id = $1 ORDER BY id"
_FORGET = "DELETE FROM beneficiary WHERE policy_id = $1"


@dataclass(frozen=True, slots=True)
class Named:
    """A beneficiary as the input has it; `share`: percent of what its `order` gets."""

    relation: RelationToInsured
    order: int
    share: Decimal
    items: Mapping[str, Any] = field(default_factory=dict, repr=False)
    id_type: IdType | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A beneficiary whose items are clean, declared and the caller's to give."""

    named: Named
    given: Given


async def set_beneficiaries(
    write: Write, policy: UUID | None, named: Sequence[Named], *, if_version: int | None
) -> Written | Problem:
    """Replace the beneficiaries of a policy. Once it runs, nobody is named incompletely."""
    found = await target(write, "Policy", policy, event=Event.SET_BENEFICIARIES, if_version=if_version)
    if isinstance(found, Problem):
        return found
    refused = await of_age(write, found)
    if refused:
        return refused
    declared = await declared_by(write, found.row["product_id"])
    listed = listed_as(write, found, named, declared)
    if isinstance(listed, Problem):
        return listed
    if found.row["status"] != PolicyStatus.DRAFT:
        missing = (item for one in listed for item in _missing(one.given.values, declared, one.given.path))
        refused = incomplete(missing, Part.BENEFICIARY)
        if refused:
            return replace(refused, consequence=WITHOUT)
    await name_all(write, found.id, listed, holder=found.row["holder_id"])
    return await change(write, found, {})


def listed_as(write: Write, found: Target, named: Sequence[Named], declared: Declared) -> tuple[Listed, ...] | Problem:
    """Beneficiaries ready to be stored; or what is wrong: too many, an order, a share, an item."""
    refused = _misshared(named)
    if refused:
        return refused
    listed = []
    for place, one in enumerate(named):
        path = f"beneficiaries.{place}"
        given = cleaned(one.items, PERSON_ITEMS, path=path, today=write.today, id_type=one.id_type)
        if isinstance(given, Problem):
            return given
        # An ID number tells a birth date, which is collected of no beneficiary.
        given = replace(given, values={item: value for item, value in given.values.items() if item in _ITEMS})
        refused = acceptable(write, found, given, Part.BENEFICIARY, declared)
        if refused:
            return refused
        listed.append(Listed(one, given))
    return tuple(listed)


async def name_all(write: Write, policy: UUID, listed: Sequence[Listed], *, holder: UUID) -> None:
    """Store these as a policy's beneficiaries, instead of those there were.

    Somebody who was named before, with the same ID number, keeps their id and the verified link to who they are.
    """
    before = await _by_id_number(write, policy, holder)
    await write.connection.execute(_FORGET, policy)
    # Ascending ids keep those who are new in the order in which they were said.
    for fresh, one in zip(sorted(uuid4() for _ in listed), listed, strict=True):
        same = before.get(one.given.values.get("idNumber"))
        kept = same.pop(0) if same else {"id": fresh}
        beneficiary = kept["id"]
        values = await sealed(write, NOUNS["Beneficiary"], beneficiary, owner=holder, values=one.given.values)
        row = {
            **kept,
            "policy_id": policy,
            "holder_id": holder,
            "relation": one.named.relation.value,
            "position": one.named.order,
            "share": one.named.share,
        }
        await insert(write, "beneficiary", {**row, **values})


async def _by_id_number(write: Write, policy: UUID, holder: UUID) -> dict[str | None, list[dict[str, Any]]]:
    """Ids and links of a policy's beneficiaries by ID number, for as many as were named with it."""
    found: dict[str | None, list[dict[str, Any]]] = {}
    for row in await write.connection.fetch(_STORED, policy):
        stored = await opened(write, NOUNS["Beneficiary"], row, owner=holder, fields=("idNumber",))
        if stored["idNumber"] is not None:
            kept = {column: row[column] for column in _KEPT}
            found.setdefault(stored["idNumber"], []).append(kept)
    return found


async def missing_of(write: Write, policy: UUID, declared: Declared) -> list[Item]:
    """The items that are still missing of a policy's beneficiaries."""
    found: list[Item] = []
    for place, row in enumerate(await write.connection.fetch(_STORED, policy)):
        there = {item: "" for item in _ITEMS if row[sealed_column(NOUNS["Beneficiary"], item)] is not None}
        found += _missing(there, declared, f"beneficiaries.{place}")
    return found


def _missing(there: Mapping[str, str], declared: Declared, path: str) -> Iterator[Item]:
    return declared.missing(Part.BENEFICIARY, there, path=path)


def _misshared(named: Sequence[Named]) -> Problem | None:
    if len(named) > MOST:
        message = f"A policy has at most {MOST} beneficiaries."
        return Problem(ProblemCode.ITEM_INVALID, message, field="beneficiaries")
    totals: dict[int, Decimal] = {}
    for place, one in enumerate(named):
        if not _is_share(one.share):
            message = "A share is a percentage above 0, up to 100, with at most two decimals, such as 33.34."
            return Problem(ProblemCode.ITEM_INVALID, message, field=f"beneficiaries.{place}.share")
        totals[one.order] = totals.get(one.order, Decimal(0)) + one.share
    if totals.keys() != set(range(1, len(totals) + 1)):
        message = "Orders count from 1, without gaps. Several beneficiaries may be of one order."
        return Problem(ProblemCode.ITEM_INVALID, message, field="beneficiaries")
    for order, total in sorted(totals.items()):
        if total == _WHOLE:
            continue
        message = (
            f"The shares of the beneficiaries of one order total 100 (percent) exactly; those of order {order} total"
            f" {total}. Name nobody for the legal heirs."
        )
        return Problem(ProblemCode.SHARES_NOT_WHOLE, message, field="beneficiaries", clause="C06")
    return None


def _is_share(share: Decimal) -> bool:
    return share.is_finite() and 0 < share <= _WHOLE and share == share.quantize(_FEN)
