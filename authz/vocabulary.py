"""The words of a decision: relation, basis, effect, action, reason, data subject (DESIGN.md, Words)."""

from enum import IntEnum, StrEnum

from models.vocabulary import Category

ANY = "any"


class Relation(StrEnum):
    """The subject's tie to a data subject through one record. Order gives the bit."""

    NONE = "none"
    SELF = "self"
    GUARDIAN_OF = "guardian_of"
    HOLDER_OF = "holder_of"
    ASSIGNED = "assigned"
    UNDERWRITER = "underwriter"
    PROVIDER = "provider"
    AUDIENCE = "audience"


class Basis(StrEnum):
    """What makes the processing lawful now. Order gives the bit."""

    NONE = "none"
    CONTRACT_OPEN = "contract_open"
    CONSENT = "consent"
    EXCEPTION = "exception"
    REQUEST = "request"


class Action(StrEnum):
    """What a rule allows or denies."""

    REVEAL = "reveal"
    MASK = "mask"
    FILTER = "filter"
    WRITE = "write"


class RuleEffect(StrEnum):
    """Whether a rule allows or denies."""

    ALLOW = "allow"
    DENY = "deny"


class Effect(IntEnum):
    """What the caller gets of one cell."""

    DENY = 0
    MASK = 1
    REVEAL = 2


class Reason(StrEnum):
    """Why not more; the first that applies, in this order."""

    UNAVAILABLE = "UNAVAILABLE"
    LIMIT = "LIMIT"
    TOKEN_SCOPE = "TOKEN_SCOPE"  # noqa: S105 - a reason, not a secret
    STEP_UP = "STEP_UP"
    RULE_DENIES = "RULE_DENIES"
    ROLE = "ROLE"
    PURPOSE = "PURPOSE"
    RELATION = "RELATION"
    BASIS = "BASIS"


class DataSubject(StrEnum):
    """Whose datum a field is; relations are computed against that person."""

    USER = "USER"
    HOLDER = "HOLDER"
    INSURED = "INSURED"
    BENEFICIARY = "BENEFICIARY"
    REPORTER = "REPORTER"
    PAYEE = "PAYEE"


MASKABLE = frozenset(
    {
        Category.NAME,
        Category.GOVERNMENT_ID,
        Category.PHONE,
        Category.RELAY,
        Category.EMAIL,
        Category.ADDRESS,
        Category.BANK_ACCOUNT,
        Category.OCCUPATION,
        Category.PROFILE,
        Category.ACCOUNT,
    },
)
"""The text categories: only these have a masked form (necessity.csv)."""
