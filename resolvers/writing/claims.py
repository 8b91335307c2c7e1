"""Claims as customers and guardians write them: drafted, submitted, withdrawn (C08-C10).

A claim's items are sealed under the insured's claim key, whoever gives them. The insured may be somebody else than the
caller: the policy's holder may file for them, and their guardian, who counts as the insured where their data stand on
record, but reports in a name of their own (C09).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import orjson

from authz.situations import has_relation
from authz.vocabulary import DataSubject, Reason, Relation
from models.beneficiaries import RelationToInsured
from models.claims import ClaimStatus
from models.lifecycles import Event
from models.policies import PolicyStatus
from models.products import Part
from models.vocabulary import Purpose
from resolvers.payloads import Item, Problem, ProblemCode, Standing, Write, Written
from resolvers.registry import NOUNS
from resolvers.writing import items, people
from resolvers.writing.items import Declared, Given
from resolvers.writing.minors import guarded, guarded_profile
from resolvers.writing.rows import change, free_number, insert, opened, sealed, sealed_column
from resolvers.writing.targets import Target, may_give, target

_RUNNING = (PolicyStatus.IN_FORCE, PolicyStatus.GRACE)
_ENDED = (PolicyStatus.LAPSED, PolicyStatus.SURRENDERED, PolicyStatus.EXPIRED, PolicyStatus.TERMINATED)

_POLICY = "SELECT id, product_id, status, version, starts_on, ends_on FROM policy WHERE id = $1"
_PERSON = "SELECT * FROM person WHERE id = $1"
_REPORTER_ITEMS = {"name": "reporterName", "phone": "reporterPhone"}


@dataclass(frozen=True, slots=True)
class Draft:
    """What was given for a draft, as it was typed; `claim`: the one to add to, None for a new one on `policy`."""

    claim: UUID | None
    policy: UUID | None
    if_version: int | None
    items: Mapping[str, Any] = field(repr=False)
    reporter: Mapping[str, Any] = field(repr=False)
    relation: RelationToInsured | None


@dataclass(frozen=True, slots=True)
class _File:
    """A claim being written: the row it stands in (its policy's, while it is new), and who writes it about whom."""

    found: Target
    claim: Any
    """None for a new one."""
    policy: Any
    declared: Declared
    insured: Any = field(repr=False)

    @property
    def by_insured(self) -> bool:
        """Is the caller the insured?"""
        return has_relation(self.found.situation, Relation.SELF)

    @property
    def drafted(self) -> bool:
        """Is it yet to be reported?"""
        return self.claim is None or self.claim["status"] == ClaimStatus.DRAFT.value

    @property
    def settled(self) -> set[str]:
        """The items that are the insured's to correct, or their guardian's, and not the caller's."""
        if _for_insured(self.found):
            return set()
        known = people.on_record(self.insured) & {"occupation"}
        given = self.claim is not None and self.claim["payee_verified_at"] is not None
        return known | ({"bankCard"} if given else set())

    @property
    def present(self) -> set[str]:
        """The items that are there. The insured is paid on no card that somebody else gave: for them it is none."""
        found = {item for item in items.CLAIM_ITEMS if self.claim[sealed_column(NOUNS["Claim"], item)] is not None}
        if _for_insured(self.found) and self.claim["payee_verified_at"] is None:
            found.discard("bankCard")
        return found | (people.on_record(self.insured) & {"occupation"})

    @property
    def requested(self) -> list[str]:
        """The items that were asked for and not given since."""
        stored = self.claim and self.claim["requested_items"]
        return orjson.loads(stored) if stored else []


@dataclass(frozen=True, slots=True)
class _Told:
    """What was given for a draft, each item in its canonical form."""

    items: Given
    occupation: Given
    reporter: Given
    relation: RelationToInsured | None

    def __bool__(self) -> bool:
        return bool(self.items.values or self.occupation.values or self.tells_reporter)

    @property
    def tells_reporter(self) -> bool:
        return bool(self.reporter.values or self.relation)


async def draft(write: Write, given: Draft) -> Written | Problem:
    """Begin a claim, or add to one.

    A policy can be claimed on while it runs (IN_FORCE, GRACE), and after its end for an incident within its term.
    Problems, beside a target's: ITEM_MISSING, ITEM_INVALID, NOTHING_GIVEN, NEVER_COLLECTED, ITEM_NOT_DECLARED,
    WRITE_DENIED, REPORTER_IS_INSURED, ITEM_ON_RECORD, AGE_UNKNOWN, MINOR_NEEDS_GUARDIAN.
    """
    file = await _file_of(write, given)
    if isinstance(file, Problem):
        return file
    told = _told(write, given)
    if isinstance(told, Problem):
        return told
    if file.claim is not None and not told:
        return Problem(ProblemCode.NOTHING_GIVEN, "Nothing was given to store. Give an item.", field="id")
    refused = (
        _unacceptable(write, file, told)
        or _outside_term(file.policy, told.items.values.get("incidentDate"), write.today)
        or await _not_of_age(write, file)
    )
    return refused or await _store(write, file, told)


async def submit(write: Write, claim: UUID | None, *, if_version: int | None) -> Written | Problem:
    """Report a claim whose items are all there, or hand in what was asked for; incomplete, the draft is kept (C10).

    What was asked for has to be given, or given again, since. Who reports is written down once, with the report.
    Problems, beside a target's: ITEM_MISSING, ITEM_INVALID (incidentDate), AGE_UNKNOWN, MINOR_NEEDS_GUARDIAN.
    """
    event = Event.SUBMIT_CLAIM
    found = await target(write, "Claim", claim, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    file = await _opened_file(write, found)
    refused = (
        items.incomplete(_missing(write, file), Part.CLAIM)
        or await _not_covered(write, file)
        or await _not_of_age(write, file)
    )
    if refused:
        return refused
    columns: dict[str, Any] = {}
    if file.drafted:
        columns |= {"reported_at": write.now, "reporter_id": write.subject.person, "reporter_verified_at": write.now}
        if file.by_insured:
            # What another had drafted of themself is not needed any more, so it is not kept (C09).
            columns |= {"reporter_relation": None, "reporter_name_sealed": None, "reporter_phone_sealed": None}
    return await change(write, found, columns, event)


async def withdraw(write: Write, claim: UUID | None, *, if_version: int | None) -> Written | Problem:
    """Take a claim back before it is decided. A withdrawn draft was never open: it has no time of closing.

    Problems, beside a target's: MINOR_NEEDS_GUARDIAN; WRITE_DENIED where somebody else had reported it.
    """
    event = Event.WITHDRAW_CLAIM
    found = await target(write, "Claim", claim, event=event, if_version=if_version)
    if isinstance(found, Problem):
        return found
    reported = found.row["status"] != ClaimStatus.DRAFT.value
    if reported and not _for_insured(found) and found.row["reporter_id"] != write.subject.person:
        message = "Only who reported this claim, the insured and their guardian take it back. Ask one of them."
        return Problem(ProblemCode.WRITE_DENIED, message, reason=Reason.RELATION)
    caller = await write.connection.fetchrow(_PERSON, write.subject.person)
    columns = {"closed_at": write.now if reported else None, "requested_items": None}
    refused = await guarded_profile(write, caller, purpose=Purpose.CLAIM_HANDLING)
    return refused or await change(write, found, columns, event)


# What is written on, for whom, and what was given.


def _for_insured(found: Target) -> bool:
    """Is the caller the insured, or their guardian?"""
    return has_relation(found.situation, Relation.SELF) or has_relation(found.situation, Relation.GUARDIAN_OF)


async def _file_of(write: Write, given: Draft) -> _File | Problem:
    if given.claim is None:
        return await _new_file(write, given)
    found = await target(write, "Claim", given.claim, event=Event.DRAFT_CLAIM, if_version=given.if_version)
    if isinstance(found, Problem):
        return found
    if given.policy is not None and given.policy != found.row["policy_id"]:
        return items.invalid("policy", "A claim stays with its policy. Leave this out, or draft another claim.")
    return await _opened_file(write, found)


async def _new_file(write: Write, given: Draft) -> _File | Problem:
    if given.policy is None:
        return Problem(ProblemCode.ITEM_MISSING, "Name the policy to claim on, or the claim to add to.", field="policy")
    if given.if_version is not None:
        return items.invalid("ifVersion", "A new claim has no version yet. Leave this out.")
    found = await target(write, "Policy", given.policy, of=DataSubject.INSURED)
    if isinstance(found, Problem):
        return replace(found, field="policy") if found.field == "id" else found
    return _unclaimable(found.row, given.items["incidentDate"]) or await _opened_file(write, found)


async def _opened_file(write: Write, found: Target) -> _File:
    claim = found.row if found.noun.name == "Claim" else None
    policy = found.row
    if claim is not None:
        policy = await write.connection.fetchrow(_POLICY, claim["policy_id"])
    insured = await write.connection.fetchrow(_PERSON, found.row["insured_id"])
    return _File(found, claim, policy, await items.declared_by(write, policy["product_id"]), insured)


def _unclaimable(policy: Any, incident: date | str | None) -> Problem | None:  # noqa: ANN401 - asyncpg's row
    """WRONG_STATUS for a policy that never began; ITEM_MISSING where one has ended and no incident date is given."""
    status = PolicyStatus(policy["status"])
    if policy["starts_on"] is None or status not in (*_RUNNING, *_ENDED):
        allowed = tuple(one.value for one in (*_RUNNING, *_ENDED))
        message = "This policy never began: there is nothing to claim on it."
        return Problem(
            ProblemCode.WRONG_STATUS, message, standing=Standing(status.value, policy["version"], allowed=allowed)
        )
    if status in _ENDED and incident is None:
        return items.incomplete([Item("incidentDate", "C08")], Part.CLAIM)
    return None


def _told(write: Write, given: Draft) -> _Told | Problem:
    own = {item: value for item, value in given.items.items() if item != "occupation"}
    insured = {"occupation": given.items["occupation"]}
    found = []
    for values, formats_of, path in (
        (own, items.CLAIM_ITEMS, ""),
        (insured, items.PERSON_ITEMS, ""),
        (given.reporter, items.PERSON_ITEMS, "reporter"),
    ):
        one = items.cleaned(values, formats_of, path=path, today=write.today)
        if isinstance(one, Problem):
            return one
        found.append(one)
    return _Told(found[0], found[1], found[2], given.relation)


# May it be given, here and by the caller?


def _unacceptable(write: Write, file: _File, told: _Told) -> Problem | None:
    return (
        items.acceptable(write, file.found, told.items, Part.CLAIM, file.declared)
        or file.declared.beyond(Part.CLAIM, told.occupation)
        or may_give(write, file.found, told.occupation.coordinates("User"))
        or _unacceptable_reporter(write, file, told)
        or _known_already(file, told)
    )


def _unacceptable_reporter(write: Write, file: _File, told: _Told) -> Problem | None:
    if not told.tells_reporter:
        return None
    if file.by_insured:
        message = "You are the insured yourself: nothing more is asked of you as the reporter. Leave this out."
        return Problem(ProblemCode.REPORTER_IS_INSURED, message, field="reporter", clause="C09")
    if not file.drafted and file.claim["reporter_id"] != write.subject.person:
        message = "Who reported this claim is on record. Leave this out."
        return Problem(ProblemCode.ITEM_ON_RECORD, message, field="reporter", clause="C09")
    if told.relation is RelationToInsured.SELF:
        return items.invalid("reporter.relation", "Say what you are to the insured, who is somebody else.")
    coordinates = {told.reporter.field(item): f"Claim.{_REPORTER_ITEMS[item]}" for item in told.reporter.values}
    return may_give(write, file.found, coordinates)


def _known_already(file: _File, told: _Told) -> Problem | None:
    """ITEM_ON_RECORD. Others neither replace what the insured gave, nor learn by trying what it is.

    What the desk and the insurer may have read is replaced by nobody, but where it was asked for.
    """
    stands = set() if file.drafted else file.present.difference(file.requested)
    for item in (*told.items.values, *told.occupation.values):
        if item in file.settled:
            message = "This is on record already, and only the insured or their guardian gives it anew. Leave it out."
            return Problem(ProblemCode.ITEM_ON_RECORD, message, field=item, clause="C64")
        if item in stands:
            message = "What was reported stands; the handler asks for what is to be given anew. Leave it out."
            return Problem(ProblemCode.ITEM_ON_RECORD, message, field=item)
    return None


async def _not_covered(write: Write, file: _File) -> Problem | None:
    """The policy may have ended since a draft was begun: is the incident dated then, and within the term?"""
    if not file.drafted:
        return None
    asked, owner = ("incidentDate",), file.insured["id"]
    incident = (await opened(write, NOUNS["Claim"], file.claim, owner=owner, fields=asked))["incidentDate"]
    return _unclaimable(file.policy, incident) or _outside_term(file.policy, incident, write.today)


def _outside_term(policy: Any, incident: str | None, today: date) -> Problem | None:  # noqa: ANN401 - asyncpg's row
    if incident is None:
        return None
    day = date.fromisoformat(incident)
    if policy["starts_on"] <= day <= min(policy["ends_on"] or today, today):
        return None
    until = f" to {policy['ends_on']}" if policy["ends_on"] else ""
    return items.invalid(
        "incidentDate", f"Give a day of the policy's term, {policy['starts_on']}{until}, not in the future."
    )


async def _not_of_age(write: Write, file: _File) -> Problem | None:
    """C71, for who acts and for the insured."""
    if not file.by_insured:
        caller = await write.connection.fetchrow(_PERSON, write.subject.person)
        refused = await guarded(write, caller, Purpose.CLAIM_HANDLING)
        if refused:
            return refused
    return await guarded(write, file.insured, Purpose.CLAIM_HANDLING)


def _missing(write: Write, file: _File) -> Iterator[Item]:
    """What a claim still needs: declared items, those asked for and not given since, and who reports it (C09)."""
    claim = file.claim
    named = list(file.declared.missing(Part.CLAIM, file.present.difference(file.requested), path=""))
    yield from named
    yield from (Item(item, "C08") for item in file.requested if item not in {one.field for one in named})
    if file.drafted and not file.by_insured:
        theirs = claim["reporter_id"] == write.subject.person
        columns = {"name": "reporter_name_sealed", "phone": "reporter_phone_sealed", "relation": "reporter_relation"}
        for item, column in columns.items():
            if not theirs or claim[column] is None:
                yield Item(f"reporter.{item}", "C09")


# Storing.


async def _store(write: Write, file: _File, told: _Told) -> Written | Problem:
    claim = file.found.id if file.claim is not None else uuid4()
    insured = file.found.row["insured_id"]
    texts = {**told.items.values, **{_REPORTER_ITEMS[item]: text for item, text in told.reporter.values.items()}}
    columns: dict[str, Any] = {}
    if told.tells_reporter:
        columns |= _reporter(write, file, told)
    if "bankCard" in told.items.values:
        # That a card is the insured's is known only from themself or their guardian; of another nobody knows whose.
        theirs = _for_insured(file.found)
        columns |= {"payee_id": insured if theirs else None, "payee_verified_at": write.now if theirs else None}
    columns |= await sealed(write, NOUNS["Claim"], claim, owner=insured, values=texts)
    if told.occupation.values:
        person = await people.locked_person(write, insured)
        refused = await people.complete(write, person, told.occupation, own=_for_insured(file.found))
        if refused:
            return refused
    if file.claim is None:
        return await _insert(write, file, claim, columns)
    open_items = [item for item in file.requested if item not in {**told.items.values, **told.occupation.values}]
    columns["requested_items"] = orjson.dumps(open_items).decode() if open_items else None
    return await change(write, file.found, columns, Event.DRAFT_CLAIM)


def _reporter(write: Write, file: _File, told: _Told) -> dict[str, Any]:
    columns: dict[str, Any] = {"reporter_id": write.subject.person, "reporter_verified_at": write.now}
    if file.claim is not None and file.claim["reporter_id"] != write.subject.person:
        # Another had drafted before: theirs are not this reporter's.
        columns |= {"reporter_name_sealed": None, "reporter_phone_sealed": None, "reporter_relation": None}
    if told.relation is not None:
        columns["reporter_relation"] = told.relation.value
    return columns


async def _insert(write: Write, file: _File, claim: UUID, columns: Mapping[str, Any]) -> Written:
    policy = file.policy
    row = {
        "id": claim,
        "claim_number": await free_number(write, "claim", "C", digits=12),
        "policy_id": policy["id"],
        "insurer_id": policy["insurer_id"],
        "holder_id": policy["holder_id"],
        "insured_id": policy["insured_id"],
        "status": ClaimStatus.DRAFT.value,
        "reported_at": write.now,
        **columns,
    }
    await insert(write, "claim", row)
    return Written("Claim", claim)
