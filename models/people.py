"""People: data subjects. Everything that says who they are is sealed under their account key."""

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


class PersonSource(StrEnum):
    """How a person came to be known; demo data never mixes with any other."""

    DEMO = "demo"
    REGISTERED = "registered"


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

    class Meta:
        table = "person"
