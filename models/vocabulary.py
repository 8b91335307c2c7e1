"""The stored vocabulary: names whose spelling or bit stands in the database, so that they only ever grow."""

from enum import IntEnum, StrEnum


class Category(StrEnum):
    """What kind of data a coordinate holds (DESIGN.md, Words). Order gives the bit: append only."""

    NAME = "name"
    GOVERNMENT_ID = "government_id"
    DEMOGRAPHIC = "demographic"
    PHONE = "phone"
    RELAY = "relay"
    EMAIL = "email"
    ADDRESS = "address"
    BANK_ACCOUNT = "bank_account"
    OCCUPATION = "occupation"
    HEALTH = "health"
    INCIDENT = "incident"
    EXPENSE = "expense"
    FINANCIAL = "financial"
    DEVICE = "device"
    PROFILE = "profile"
    ACCOUNT = "account"
    TAG = "tag"

    @property
    def bit(self) -> int:
        """This category's bit in a stored set of categories."""
        return 1 << _CATEGORY_ORDER[self]


_CATEGORY_ORDER = {category: position for position, category in enumerate(Category)}


def to_bits(categories: frozenset[Category] | set[Category]) -> int:
    """The stored form of a set of categories."""
    return sum(category.bit for category in categories)


def from_bits(bits: int) -> tuple[Category, ...]:
    """The categories of a stored set, in the vocabulary's order."""
    return tuple(category for category in Category if bits & category.bit)


class Purpose(StrEnum):
    """The declared reason of one operation (C16)."""

    ACCOUNT_SERVICE = "account_service"
    APPLICATION = "application"
    POLICY_SERVICE = "policy_service"
    CLAIM_HANDLING = "claim_handling"
    VERIFICATION = "verification"
    HEALTH_SERVICE = "health_service"
    SERVICE_MESSAGE = "service_message"
    MARKETING = "marketing"
    ANALYTICS = "analytics"
    RESEARCH = "research"
    SECURITY = "security"
    RIGHTS_REQUEST = "rights_request"
    REGULATORY_DISCLOSURE = "regulatory_disclosure"
    PRODUCT_DISPLAY = "product_display"
    ADMINISTRATION = "administration"


class Role(StrEnum):
    """What a subject acts as."""

    CUSTOMER = "customer"
    GUARDIAN = "guardian"
    BROKER_AGENT = "broker_agent"
    CUSTOMER_SERVICE = "customer_service"
    CLAIMS_HANDLER = "claims_handler"
    RISK_ANALYST = "risk_analyst"
    MARKETER = "marketer"
    ANALYST = "analyst"
    PRIVACY_OFFICER = "privacy_officer"
    SECURITY_ADMIN = "security_admin"
    AUDITOR = "auditor"
    DEVELOPER = "developer"
    INSURER = "insurer"
    HEALTH_PROVIDER = "health_provider"
    LOSS_ADJUSTER = "loss_adjuster"
    AFFILIATE = "affiliate"
    SERVICE_PROVIDER = "service_provider"
    AD_PARTNER = "ad_partner"
    ANONYMOUS = "anonymous"


PERSON_ROLES = frozenset({Role.CUSTOMER, Role.GUARDIAN})
PARTNER_ROLES = frozenset(
    {
        Role.INSURER,
        Role.HEALTH_PROVIDER,
        Role.LOSS_ADJUSTER,
        Role.AFFILIATE,
        Role.SERVICE_PROVIDER,
        Role.AD_PARTNER,
    },
)
STAFF_ROLES = frozenset(Role) - PERSON_ROLES - PARTNER_ROLES - {Role.ANONYMOUS}


class Retention(IntEnum):
    """The retention classes of data keys: destroying one key erases one class of one person (C29)."""

    ACCOUNT = 1
    CONTRACT = 2
    CLAIM = 3
    DEVICE = 4
    RESTRICTED = 5
    """What the law wants kept of who a person was, once their account is erased (C28)."""


class BlindColumn(IntEnum):
    """The columns that can be looked up by equality through the blind index."""

    PHONE = 1
    ID_NUMBER = 2
    BANK_CARD = 3
    USERNAME = 4
    LOGIN_PHONE = 5
    """The phone of a person with an account, under the phone's key: unique, as a username is (C01, C49)."""
    TAG = 6
    """One digest a tag: campaigns select by them (C20, C21)."""
