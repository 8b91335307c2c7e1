"""Applications: what is said of their parties and of the order. Null is not given; what was stored then stays."""

from datetime import date
from decimal import Decimal
from typing import Any

import strawberry

from models.beneficiaries import RelationToInsured
from models.global_ids import NodeType
from models.people import Gender, IdType
from resolvers.global_ids import row_under
from resolvers.writing.applications import Draft
from resolvers.writing.beneficiaries import Named
from resolvers.writing.parties import Described
from schema.fields import private_input

strawberry.enum(RelationToInsured)


@private_input
class PersonItems:
    """Data of a person. A product declares which of them it needs; any other is refused (C04-C06).

    `idType`: how to read `idNumber`, a resident's identity number if null. `healthDeclaration`: of the insured, up to
    4,000 characters.
    """

    name: str | None = None
    id_type: IdType | None = None
    id_number: str | None = None
    gender: Gender | None = None
    birth_date: date | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    bank_card: str | None = None
    occupation: str | None = None
    health_declaration: str | None = None

    def items(self) -> dict[str, Any]:
        """The items by schema field."""
        return {
            "name": self.name,
            "idNumber": self.id_number,
            "gender": self.gender,
            "birthDate": self.birth_date,
            "phone": self.phone,
            "email": self.email,
            "address": self.address,
            "bankCard": self.bank_card,
            "occupation": self.occupation,
            "healthDeclaration": self.health_declaration,
        }


@private_input
class PolicyholderInput:
    """Who applies. `id`: a guardian's ward or an agent's client; customers leave it out and apply themselves.

    Who applies for somebody else completes their record; only oneself and one's guardian correct it (ITEM_ON_RECORD).
    """

    id: strawberry.ID | None = None
    details: PersonItems | None = None

    def described(self) -> Described:
        """As the writes know it."""
        return _described(self.id, self.details, argument="policyholder.id")


@private_input
class InsuredInput:
    """Who is insured: without any of this the policyholder.

    `id`: the policyholder, a ward of the caller's, or somebody insured by another policy of the same policyholder.
    `details` without `id`: somebody new, or more about the one who was named before.
    """

    id: strawberry.ID | None = None
    details: PersonItems | None = None

    def described(self) -> Described:
        """As the writes know it."""
        return _described(self.id, self.details, argument="insured.id")


def _described(who: strawberry.ID | None, details: PersonItems | None, *, argument: str) -> Described:
    person = None if who is None else row_under(who, NodeType.USER, argument=argument)
    if details is None:
        return Described(person)
    return Described(person, details.items(), details.id_type)


@private_input
class BeneficiaryInput:
    """One beneficiary (C06).

    `order` counts from 1: the second order is paid where nobody of the first is left. `share`: the percentage of what
    its order gets, at most two decimals; those of one order total 100.
    """

    name: str | None = None
    id_type: IdType | None = None
    id_number: str | None = None
    phone: str | None = None
    relation: RelationToInsured
    order: int
    share: Decimal

    def named(self) -> Named:
        """As the writes know it."""
        items = {"name": self.name, "idNumber": self.id_number, "phone": self.phone}
        return Named(self.relation, self.order, self.share, items, self.id_type)


def named_in(given: list[BeneficiaryInput]) -> tuple[Named, ...]:
    """Beneficiaries as the writes know them."""
    return tuple(one.named() for one in given)


@private_input
class DraftApplicationInput:
    """An application as far as it is known; what is null stays as it is.

    Without `id` a new one, which needs `productCode`. `agent`: the work name of the agent who is to look after it.
    `beneficiaries` replaces all there are; an empty list leaves it to the legal heirs. `sumInsured` in yuan.
    """

    id: strawberry.ID | None = None
    if_version: int | None = None
    product_code: str | None = None
    agent: str | None = None
    policyholder: PolicyholderInput | None = None
    insured: InsuredInput | None = None
    beneficiaries: list[BeneficiaryInput] | None = None
    sum_insured: Decimal | None = None

    def draft(self) -> Draft:
        """As the writes know it."""
        return Draft(
            id=None if self.id is None else row_under(self.id, NodeType.POLICY, argument="id"),
            if_version=self.if_version,
            product_code=self.product_code,
            agent=self.agent,
            policyholder=self.policyholder.described() if self.policyholder else Described(),
            insured=self.insured.described() if self.insured else Described(),
            beneficiaries=None if self.beneficiaries is None else named_in(self.beneficiaries),
            sum_insured=self.sum_insured,
        )


@private_input
class SubmitApplicationInput:
    """An application; `ifVersion`: only if it is still at this version."""

    id: strawberry.ID
    if_version: int | None = None
