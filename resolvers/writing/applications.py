"""Applications: drafted, and submitted once they are complete (C04-C07).

Who drafts without an id begins one: for oneself, for a ward or, as an agent, for a client; the rules decide by the
situation of that person. From then on the rules decide by the application. Nothing is stored of what the product does
not need, of what the caller may not give, or of a minor without a guardian's consent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from models import formats
from models.formats import FormatError
from models.lifecycles import POLICY, Event
from models.products import Part
from models.vocabulary import Purpose, Role
from resolvers.payloads import Item, Problem, ProblemCode, Write, Written
from resolvers.registry import NOUNS
from resolvers.writing import beneficiaries
from resolvers.writing.beneficiaries import Listed, Named
from resolvers.writing.items import Declared, Given, declared_by, incomplete
from resolvers.writing.minors import guarded
from resolvers.writing.parties import (
    INSURED,
    POLICYHOLDER,
    Described,
    Sides,
    insured_of,
    insures_another,
    is_cancelled,
    let_go,
    put_on_record,
    told_of,
)
from resolvers.writing.people import locked_person, on_record
from resolvers.writing.rows import change, free_number, insert, sealed
from resolvers.writing.targets import (
    Target,
    account_cancelled,
    as_holder,
    may_give,
    not_found,
    out_of_question,
    target,
)

CURRENCY = "CNY"
_ORDER_DATA = "C06"
MOST_DRAFTS = 200
"""Of one policyholder at a time."""
_DRAFTS = "SELECT count(*) FROM policy WHERE holder_id = $1 AND status = 'DRAFT'"
_PRODUCT = "SELECT id, insurer_id FROM product WHERE code = $1"
_CODE = "SELECT code FROM product WHERE id = $1"
_WORKING_AGENT = f"SELECT id FROM staff WHERE role = '{Role.BROKER_AGENT.value}' AND left_at IS NULL"
_BY_WORK_NAME = f"{_WORKING_AGENT} AND username = $1"
_THE_CALLER = f"{_WORKING_AGENT} AND id = $1"
_RELIEVE = f"""
UPDATE assignment SET ended_at = $2 WHERE policy_id = $1 AND ended_at IS NULL AND staff_id <> ALL($3::uuid[])
AND staff_id IN (SELECT id FROM staff WHERE role = '{Role.BROKER_AGENT.value}')
"""
_AT_WORK = "SELECT staff_id FROM assignment WHERE policy_id = $1 AND staff_id IS NOT NULL AND ended_at IS NULL"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is said of an application; None leaves what there is."""

    id: UUID | None
    """The application; None begins one."""
    if_version: int | None = None
    product_code: str | None = None
    agent: str | None = None
    """An agent's work name."""
    policyholder: Described = field(default_factory=Described)
    insured: Described = field(default_factory=Described)
    beneficiaries: Sequence[Named] | None = None
    sum_insured: Decimal | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Begun:
    """The application that a draft is about, and the row that the rules decide by: its own or the policyholder's."""

    found: Target
    sides: Sides
    product: UUID
    insurer: UUID


@dataclass(frozen=True, slots=True)
class _Told:
    """What a draft says, clean, declared and the caller's to give."""

    policyholder: Given
    insured: Given
    beneficiaries: tuple[Listed, ...] | None
    order: dict[str, str] = field(repr=False)

    @property
    def is_empty(self) -> bool:
        items = self.policyholder.values or self.insured.values or self.order
        return not items and self.beneficiaries is None


async def draft(write: Write, wanted: Draft) -> Written | Problem:
    """Begin an application, or say more of one that is not submitted yet."""
    new = wanted.id is None
    begun = await (_begin(write, wanted) if new else _reopen(write, wanted))
    if isinstance(begun, Problem):
        return begun
    agent = await _agent(write, wanted.agent)
    if isinstance(agent, Problem):
        return agent
    declared = await declared_by(write, begun.product)
    told = _told(write, begun, wanted, declared)
    if isinstance(told, Problem):
        return told
    if not new and told.is_empty and agent is None and wanted.insured.id is None:
        return Problem(ProblemCode.NOTHING_GIVEN, "Say what is to be drafted.", field="input")
    insured = await _parties(write, begun.sides, wanted.insured, told)
    if isinstance(insured, Problem):
        return insured
    written = await _store(write, begun, told.order, insured=insured)
    if told.beneficiaries is not None:
        holder = begun.sides.policyholder
        await beneficiaries.name_all(write, written.id, told.beneficiaries, holder=holder)
    await _assign(write, written.id, agent)
    return written


async def submit(write: Write, policy: UUID | None, *, if_version: int | None) -> Written | Problem:
    """Hand an application to the insurer: complete, and of a minor only with a guardian's consent."""
    event = Event.SUBMIT_APPLICATION
    found = await target(write, "Policy", policy, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    sides = ((POLICYHOLDER, found.row["holder_id"]), (INSURED, found.row["insured_id"]))
    # In one order for everybody: two who insure each other do not wait for each other.
    locked = {person: await locked_person(write, person) for person in sorted({person for _, person in sides})}
    if await is_cancelled(write, found.row["insured_id"]):
        message = "Who is insured cannot be named by this record any more. Name them anew, by their items alone."
        return Problem(ProblemCode.ITEM_INVALID, message, field=INSURED, clause="C70")
    people = {side: locked[person] for side, person in sides}
    declared = await declared_by(write, found.row["product_id"])
    missing = [*_missing(found.row, people, declared), *await beneficiaries.missing_of(write, found.id, declared)]
    refused = incomplete(missing, Part.POLICYHOLDER)
    for side, person in people.items():
        refused = refused or await guarded(write, person, Purpose.APPLICATION, field=f"{side}.details.birthDate")
    return refused or await change(write, found, {}, event)


def _missing(row: Any, people: dict[str, Any], declared: Declared) -> Iterator[Item]:  # noqa: ANN401 - asyncpg's rows
    for side, person in people.items():
        yield from declared.missing(Part(side), on_record(person), path=f"{side}.details")
    if row["sum_insured_sealed"] is None:
        yield Item("sumInsured", _ORDER_DATA)


async def _begin(write: Write, wanted: Draft) -> _Begun | Problem:
    refused = out_of_question(write)
    if refused:
        return refused
    if wanted.if_version is not None:
        message = "There is no version yet. Leave it out, or give the id of an application."
        return Problem(ProblemCode.ITEM_INVALID, message, field="ifVersion")
    found = await target(write, "User", wanted.policyholder.id or write.subject.person)
    if isinstance(found, Problem):
        missing = found.code is ProblemCode.NOT_FOUND
        return replace(found, message=_NO_POLICYHOLDER, field=f"{POLICYHOLDER}.id") if missing else found
    refused = await _no_draft(write, found.id)
    if refused:
        return refused
    product = await write.connection.fetchrow(_PRODUCT, wanted.product_code)
    if product is None:
        message = "Name a product by its code, as `products` lists it."
        return Problem(ProblemCode.PRODUCT_UNKNOWN, message, field="productCode")
    return _Begun(found, Sides(found.id, found.id), product["id"], product["insurer_id"])


async def _no_draft(write: Write, person: UUID) -> Problem | None:
    if await is_cancelled(write, person):
        return account_cancelled()
    if await write.connection.fetchval(_DRAFTS, person) >= MOST_DRAFTS:
        message = f"There are {MOST_DRAFTS} drafts already. Submit one, or withdraw it."
        return Problem(ProblemCode.DRAFT_CEILING, message)
    return None


_NO_POLICYHOLDER = "There is no such policyholder. Name one by id: yourself, your ward, as an agent a client of yours."


async def _reopen(write: Write, wanted: Draft) -> _Begun | Problem:
    event = Event.DRAFT_APPLICATION
    found = await target(write, "Policy", wanted.id, event=event, if_version=wanted.if_version)
    if isinstance(found, Problem):
        return found
    row = found.row
    if wanted.policyholder.id not in (None, row["holder_id"]):
        message = "The policyholder of an application does not change. Draft another application."
        return replace(not_found(), message=message, field=f"{POLICYHOLDER}.id")
    # What was collected for one product need not be needed for another one.
    if wanted.product_code not in (None, await write.connection.fetchval(_CODE, row["product_id"])):
        message = "The product of an application does not change: its data are collected for it. Draft another one."
        return Problem(ProblemCode.ITEM_INVALID, message, field="productCode", clause=_ORDER_DATA)
    sides = Sides(row["holder_id"], row["insured_id"], found.id)
    return _Begun(found, sides, row["product_id"], row["insurer_id"])


def _told(write: Write, begun: _Begun, wanted: Draft, declared: Declared) -> _Told | Problem:
    found, sides = begun.found, begun.sides
    policyholder = told_of(write, found, wanted.policyholder, Part.POLICYHOLDER, declared)
    if isinstance(policyholder, Problem):
        return policyholder
    theirs = as_holder(found) if insures_another(sides, wanted.insured) else found
    insured = told_of(write, theirs, wanted.insured, Part.INSURED, declared)
    if isinstance(insured, Problem):
        return insured
    named = wanted.beneficiaries
    listed = None if named is None else beneficiaries.listed_as(write, found, named, declared)
    if isinstance(listed, Problem):
        return listed
    order = _order(write, found, wanted)
    return order if isinstance(order, Problem) else _Told(policyholder, insured, listed, order)


def _order(write: Write, found: Target, wanted: Draft) -> dict[str, str] | Problem:
    if wanted.sum_insured is None:
        return {}
    try:
        amount = formats.amount(wanted.sum_insured)
    except FormatError as expected:
        return Problem(ProblemCode.ITEM_INVALID, str(expected), field="sumInsured")
    if not amount:
        return Problem(ProblemCode.ITEM_INVALID, "Nothing cannot be insured. Give an amount.", field="sumInsured")
    return may_give(write, found, {"sumInsured": "Policy.sumInsured"}) or {"sumInsured": str(amount)}


async def _parties(write: Write, sides: Sides, described: Described, told: _Told) -> UUID | Problem:
    refused = await put_on_record(write, sides, sides.policyholder, told.policyholder, field=POLICYHOLDER)
    if refused:
        return refused
    insured = await insured_of(write, sides, described, told.insured)
    if isinstance(insured, Problem):
        return insured
    return await put_on_record(write, sides, insured, told.insured, field=INSURED) or insured


async def _store(write: Write, begun: _Begun, order: dict[str, str], *, insured: UUID) -> Written:
    sides = begun.sides
    policy = sides.policy or uuid4()
    columns = {
        "insured_id": insured,
        **await sealed(write, NOUNS["Policy"], policy, owner=sides.policyholder, values=order),
    }
    if sides.policy is not None:
        if insured != sides.insured:
            await let_go(write, sides, sides.insured)
        return await change(write, begun.found, columns)
    row = {
        "id": policy,
        "policy_number": await free_number(write, "policy", "P", digits=10),
        "product_id": begun.product,
        "insurer_id": begun.insurer,
        "status": POLICY.begins,
        "holder_id": sides.policyholder,
        "currency": CURRENCY,
    }
    await insert(write, "policy", {**row, **columns})
    return Written("Policy", policy)


async def _agent(write: Write, work_name: str | None) -> UUID | Problem | None:
    if work_name is None:
        return None
    await write.count_attempt()
    found: UUID | None = await write.connection.fetchval(_BY_WORK_NAME, work_name)
    if found is None:
        return Problem(ProblemCode.AGENT_UNKNOWN, "No agent works here under this name.", field="agent")
    return found


async def _assign(write: Write, policy: UUID, named: UUID | None) -> None:
    """Let the agent who is named look after the application, and who drafts it as one; agents before them no more."""
    drafting = await write.connection.fetchval(_THE_CALLER, write.subject.account)
    agents = {one for one in (named, drafting) if one is not None}
    if named is not None:
        await write.connection.execute(_RELIEVE, policy, write.now, list(agents))
    at_work = {row[0] for row in await write.connection.fetch(_AT_WORK, policy)}
    for agent in agents - at_work:
        row = {"id": uuid4(), "staff_id": agent, "policy_id": policy, "assigned_at": write.now}
        await insert(write, "assignment", row)
