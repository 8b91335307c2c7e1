"""What a person is called in the ledger: a random number, that means nothing once its row here is gone (C29).

Whoever is named after that gets another number. It stands for what happened since, such as a policy shown that must be
kept longer than its holder's data; nothing leads from it to the rows before. Demo data leave the rows here as they are
when they replace others: the same seed gives the same persons, and workers remember their numbers.
"""

from tortoise import fields
from tortoise.fields.db_defaults import SqlDefault
from tortoise.models import Model

BITS = 62
"""So that a reference is a positive `bigint`; two persons are not given the same one, the column is unique."""
RANDOM = (
    "('x' || left(gen_random_uuid()::text, 4) || right(gen_random_uuid()::text, 12))::bit(64)::bigint"
    f" & {(1 << BITS) - 1}"
)
"""So many bits of the database's strong randomness. A UUID's first and last digits are all random."""


class PersonReference(Model):
    """Whom a reference of the ledger stands for. No key ties it to `person`: it may be a moment older than its row.

    The application role adds persons and reads. It neither chooses a number nor changes or deletes one, so that a
    reference is never another person's later; to forget one is the owner's (`ledger.references.forget`).
    """

    person_id = fields.UUIDField(primary_key=True)
    reference = fields.BigIntField(unique=True, db_default=SqlDefault(RANDOM))

    class Meta:
        table = "person_reference"
