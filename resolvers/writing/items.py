"""Data items: what somebody gives with a write, cleaned, allowed by the rules and declared by the product.

An item is one field of an input, `policyholder.idNumber`, and one coordinate, `User.idNumber`. A product declares the
items it needs, each with its clause: one beyond them is refused, one that is missing is named (C04-C08).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from models import formats
from models.formats import FormatError
from models.identity_numbers import identity_number
from models.never_collected import never_collected
from models.people import Gender, IdType
from models.products import Part
from resolvers.masks import HIDDEN
from resolvers.payloads import Item, Problem, ProblemCode, Write
from resolvers.writing.targets import Target, may_give

WITHOUT_APPLICATION = "Without it no insurance can be applied for; browsing products goes on."
"""What refusing an item of an application leads to (C07)."""
WITHOUT_CLAIM = "Without it no claim is filed on your behalf; the draft is kept."
"""What refusing an item of a claim leads to (C10)."""
_FIRST_BIRTH = date(1900, 1, 1)
LONGEST_TEXT = 4_000
"""Characters of a description, a diagnosis or a medical record."""
_LONGEST_WORDS = 120
PARTS = {Part.POLICYHOLDER: "C04", Part.INSURED: "C05", Part.BENEFICIARY: "C06", Part.CLAIM: "C08"}
"""The clause about each part."""
_CONSEQUENCES = {part: WITHOUT_CLAIM if part is Part.CLAIM else WITHOUT_APPLICATION for part in Part}

Clean = Callable[[Any], str]


def _prose(text: str) -> str:
    return formats.free_text(text, longest=LONGEST_TEXT)


def _words(text: str) -> str:
    return formats.free_text(text, longest=_LONGEST_WORDS)


def _money(value: Any) -> str:  # noqa: ANN401 - a decimal as the schema gives it
    return str(formats.amount(value))


def _day(value: date) -> str:
    return value.isoformat()


def _gender(value: Gender) -> str:
    return value.value


_Read = TypeVar("_Read")


def _unmasked(clean: Callable[[str], _Read]) -> Callable[[str], _Read]:
    """Refuses what a client was shown masked and sends back: it would replace the value itself."""

    def read(text: str) -> _Read:
        if HIDDEN in text:
            formats.refuse("This is masked. Give the value itself, or leave it out: what is on record then stays.")
        return clean(text)

    return read


PERSON_ITEMS: Mapping[str, Clean] = {
    "name": _unmasked(formats.person_name),
    "gender": _gender,
    "birthDate": _day,
    "phone": _unmasked(formats.phone_number),
    "email": _unmasked(formats.email),
    "address": _unmasked(formats.address),
    "bankCard": _unmasked(formats.bank_card),
    "occupation": _unmasked(_words),
    "healthDeclaration": _prose,
    "region": _unmasked(_words),
    "nickname": _unmasked(_words),
}
"""Items of a person, but `idNumber`, which its `idType` tells how to read."""

CLAIM_ITEMS: Mapping[str, Clean] = {
    "incidentDate": _day,
    "incidentDescription": _prose,
    "hospital": _words,
    "diagnosis": _prose,
    "diagnosisCode": formats.icd10,
    "medicalRecord": _prose,
    "expenses": _money,
    "amountClaimed": _money,
    "bankCard": _unmasked(formats.bank_card),
}
"""Items of a claim, but `occupation`, which is the insured's."""


@dataclass(frozen=True, slots=True)
class Given:
    """Items as canonical text, by name; `path`: where they stand in the input, for problems."""

    path: str
    values: Mapping[str, str] = field(repr=False)
    id_type: IdType | None = None

    def field(self, item: str) -> str:
        """Where an item stands in the input."""
        return f"{self.path}.{item}" if self.path else item

    def coordinates(self, noun: str = "User") -> dict[str, str]:
        """The coordinate of each item, by its field in the input."""
        return {self.field(item): f"{noun}.{item}" for item in self.values}


def cleaned(
    given: Mapping[str, Any], formats_of: Mapping[str, Clean], *, path: str, today: date, id_type: IdType | None = None
) -> Given | Problem:
    """What was given of some items (null is not given), each in its canonical form; or what is wrong with the first."""
    values: dict[str, str] = {}
    for item, value in given.items():
        where = f"{path}.{item}" if path else item
        try:
            read = {} if value is None else _read(item, value, formats_of, today=today, id_type=id_type)
        except _SecretError as found:
            return never(where, str(found))
        except FormatError as expected:
            return invalid(where, str(expected))
        for name, text in read.items():
            if values.setdefault(name, text) != text:
                return invalid(f"{path}.{name}" if path else name, _TWO_BIRTHS)
    read_as = (id_type or IdType.RESIDENT_ID) if "idNumber" in values else None
    return Given(path, values, read_as)


class _SecretError(FormatError):
    """The kind of a card's secret that a text holds."""


def _read(
    item: str,
    value: Any,  # noqa: ANN401 - as the schema gives it
    formats_of: Mapping[str, Clean],
    *,
    today: date,
    id_type: IdType | None,
) -> dict[str, str]:
    """One item in its canonical form, and the birth date that an ID number tells. Raises FormatError."""
    if isinstance(value, str):
        # Looking for secrets takes time: nothing that is stored is longer.
        if len(value) > LONGEST_TEXT:
            formats.refuse(f"Give at most {LONGEST_TEXT} characters.")
        secret = never_collected(value)
        if secret:
            raise _SecretError(secret)
    if item == "birthDate" and not _FIRST_BIRTH <= value <= today:
        formats.refuse(f"A birth date lies between {_FIRST_BIRTH} and today.")
    if item != "idNumber":
        return {item: formats_of[item](value)}
    identity = _unmasked(partial(identity_number, id_type or IdType.RESIDENT_ID, today=today))(value)
    told = {} if identity.birth_date is None else {"birthDate": identity.birth_date.isoformat()}
    return {item: identity.number, **told}


_TWO_BIRTHS = "The ID number tells another birth date. Give the one of the document, or none."


def invalid(where: str, expected: str) -> Problem:
    """ITEM_INVALID at a place of the input; `expected`: what to give there, never what was given."""
    return Problem(ProblemCode.ITEM_INVALID, expected, field=where)


def never(where: str, secret: str) -> Problem:
    """A secret of a bank card, which is collected nowhere."""
    message = f"This holds a {secret}, which we never collect. Take it out, and never give it to anybody."
    return Problem(ProblemCode.NEVER_COLLECTED, message, field=where, consequence="Nothing was stored.")


_DECLARED = "SELECT part, item, clause FROM product_item WHERE product_id = $1 ORDER BY part, item"


@dataclass(frozen=True, slots=True)
class Declared:
    """The items that one product needs: by part and name, the clause."""

    items: Mapping[Part, Mapping[str, str]]

    def beyond(self, part: Part, given: Given) -> Problem | None:
        """ITEM_NOT_DECLARED where an item was given that the product does not need (C06, C08)."""
        clause = "C08" if part is Part.CLAIM else "C06"
        beyond = [item for item in given.values if item not in _TOLD_BY_THE_ID and not self.needs(part, item)]
        if not beyond:
            return None
        found = tuple(Item(given.field(item), clause) for item in beyond)
        message = "This product does not need these items, so they are not collected. Leave them out."
        return Problem(ProblemCode.ITEM_NOT_DECLARED, message, field=found[0].field, clause=clause, items=found)

    def needs(self, part: Part, item: str) -> bool:
        """Does this product need an item, or the one that it is another spelling of?"""
        return _SPELLINGS_OF.get(item, item) in self.items.get(part, {})

    def missing(self, part: Part, present: Iterable[str], *, path: str) -> Iterator[Item]:
        """The items that this product needs and that are not there."""
        if part is not Part.BENEFICIARY and not self.items.get(part):
            # A product that declares nothing of them is not ready: what it needs is unknown.
            yield Item(path or part.value, PARTS[part])
        there = set(present)
        for item, clause in self.items.get(part, {}).items():
            if item not in there:
                yield Item(f"{path}.{item}" if path else item, clause)


_TOLD_BY_THE_ID = frozenset({"birthDate"})
"""An identity number tells it; where it does not, it has to be given, since minors need their guardian (C71)."""

_SPELLINGS_OF: Mapping[str, str] = {"diagnosisCode": "diagnosis"}
"""A diagnosis may be given as its ICD-10 code too; nobody has to know that, so no product needs it for itself."""


async def declared_by(write: Write, product: UUID) -> Declared:
    """What a product declares."""
    items: dict[Part, dict[str, str]] = {}
    for part, item, clause in await write.connection.fetch(_DECLARED, product):
        items.setdefault(Part(part), {})[item] = clause
    return Declared(items)


def incomplete(missing: Iterable[Item], part: Part) -> Problem | None:
    """ITEM_MISSING, naming every item and what follows; None where nothing is missing."""
    found = tuple(missing)
    if not found:
        return None
    names = ", ".join(item.field for item in found)
    return Problem(
        ProblemCode.ITEM_MISSING,
        f"Still missing: {names}.",
        field=found[0].field,
        clause=found[0].clause,
        consequence=_CONSEQUENCES[part],
        items=found,
    )


def acceptable(write: Write, found: Target, given: Given, part: Part, declared: Declared) -> Problem | None:
    """May the caller give these items here: by the rules, and by what the product needs?"""
    noun = "User"
    if part in (Part.BENEFICIARY, Part.CLAIM):
        noun = part.value.capitalize()
    return declared.beyond(part, given) or may_give(write, found, given.coordinates(noun))
