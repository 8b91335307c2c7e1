"""People: data subjects. Everything that says who they are is sealed under their account key."""

from datetime import date
from enum import StrEnum

from tortoise import fields
from tortoise.models import Model

from models.sealed import SealedField


class IdType(StrEnum):
    """The kind of identity document."""

    RESIDENT_ID = "RESIDENT_ID"
    PASSPORT = "PASSPORT"
    HK_MACAU_TAIWAN_PERMIT = "HK_MACAU_TAIWAN_PERMIT"
    FOREIGNER_PERMIT = "FOREIGNER_PERMIT"


class Gender(StrEnum):
    """As the identity document has it."""

    FEMALE = "FEMALE"
    MALE = "MALE"
    OTHER = "OTHER"


class PersonSource(StrEnum):
    """How a person came to be known; demo data never mixes with any other."""

    DEMO = "demo"
    REGISTERED = "registered"
    APPLICATION = "application"
    """Named in an application, without an account of their own."""


class Person(Model):
    """A data subject: an account holder, policyholder or insured (C04, C05)."""

    id = fields.UUIDField(primary_key=True)
    source = fields.CharEnumField(PersonSource, max_length=12)
    id_type = fields.CharEnumField(IdType, max_length=24, null=True)
    name_sealed = SealedField()
    id_number_sealed = SealedField()
    gender_sealed = SealedField()
    birth_date_sealed = SealedField()
    phone_sealed = SealedField()
    email_sealed = SealedField()
    address_sealed = SealedField()
    bank_card_sealed = SealedField()
    occupation_sealed = SealedField()
    health_declaration_sealed = SealedField()
    region_sealed = SealedField()
    nickname_sealed = SealedField()
    tags_sealed = SealedField()
    avatar_sealed = SealedField()
    profile_source_sealed = SealedField()
    version = fields.IntField(db_default=1)

    class Meta:
        table = "person"


def age(born: date, on: date) -> int:
    """Completed years of life. Who was born on 29 February is a year older on 1 March."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
