"""Words and tables of disclosures: kinds, exceptions, documents, and what persons chose (C25, C42-C45)."""

from collections.abc import Mapping
from enum import StrEnum


class DisclosureKind(StrEnum):
    """What a disclosure is for, and so what it needs and how long it may last."""

    AUTHORITY = "AUTHORITY"
    """To an authority that asks by a legal document (C45)."""
    LITIGATION = "LITIGATION"
    """To a court or a party, by its document (C33)."""
    PROTECTION = "PROTECTION"
    """To protect persons or property: justified, and short (C34)."""
    PUBLIC = "PUBLIC"
    """To everybody: the items that a person chose, in the manner they chose (C44)."""
    TRANSFER = "TRANSFER"
    """Handed over to an organization by consent, law or agreement (C42)."""
    MERGER = "MERGER"
    """To a successor that is bound by the policy, or asks everybody anew (C43)."""


class LawfulException(StrEnum):
    """The eight exceptions of clause three; there is no ninth (C25)."""

    NATIONAL_SECURITY = "NATIONAL_SECURITY"
    PUBLIC_INTEREST = "PUBLIC_INTEREST"
    CRIMINAL_JUSTICE = "CRIMINAL_JUSTICE"
    VITAL_INTERESTS = "VITAL_INTERESTS"
    SELF_PUBLISHED = "SELF_PUBLISHED"
    LAWFULLY_PUBLISHED = "LAWFULLY_PUBLISHED"
    SERVICE_STABILITY = "SERVICE_STABILITY"
    OTHER_LAW = "OTHER_LAW"

    @property
    def clause(self) -> str:
        """Its number in the policy."""
        return f"三{list(LawfulException).index(self) + 1}"


class DocumentKind(StrEnum):
    """What kind of document a case rests on."""

    SUBPOENA = "SUBPOENA"
    INQUIRY_LETTER = "INQUIRY_LETTER"
    COURT_ORDER = "COURT_ORDER"
    STATUTE = "STATUTE"
    AGREEMENT = "AGREEMENT"


LEGAL = frozenset({DocumentKind.SUBPOENA, DocumentKind.INQUIRY_LETTER, DocumentKind.COURT_ORDER})
"""Documents by which an authority or a court may ask (C45)."""


class TransferBasis(StrEnum):
    """By what data may be handed over; by nothing else (C42)."""

    CONSENT = "CONSENT"
    LAW = "LAW"
    AGREEMENT = "AGREEMENT"


class PublicManner(StrEnum):
    """How something is made public, as the person chose (C44)."""

    WEBSITE = "WEBSITE"
    PRESS = "PRESS"
    SOCIAL_MEDIA = "SOCIAL_MEDIA"
    PRINT = "PRINT"


class PublicItem(StrEnum):
    """A coordinate that a person may choose to have made public. Order gives the bit: append only, 20 at most.

    No number of a document or card is among them: they serve nobody but who misuses them.
    """

    NAME = "User.name"
    USERNAME = "User.username"
    GENDER = "User.gender"
    BIRTH_DATE = "User.birthDate"
    PHONE = "User.phone"
    EMAIL = "User.email"
    ADDRESS = "User.address"
    OCCUPATION = "User.occupation"
    HEALTH_DECLARATION = "User.healthDeclaration"
    REGION = "User.region"
    NICKNAME = "User.nickname"
    AVATAR = "User.avatar"

    @property
    def bit(self) -> int:
        """Its bit in a stored set of items, above those of the categories."""
        return _BITS[self.value]


_FIRST_BIT = 20
_BITS: Mapping[str, int] = {item.value: 1 << _FIRST_BIT + place for place, item in enumerate(PublicItem)}
CATEGORIES_ONLY = (1 << _FIRST_BIT) - 1
"""All bits that a set of categories may have."""


def item_bit(coordinate: str) -> int:
    """The bit of a coordinate that may be made public; 0 for all others."""
    return _BITS.get(coordinate, 0)


def items_of(bits: int) -> tuple[PublicItem, ...]:
    """The items of a stored set, in their order."""
    return tuple(item for item in PublicItem if bits & item.bit)


LONGEST_DAYS = 365
"""For how long a case may count at most, and be kept from its persons (C25)."""
LONGEST_PROTECTION_DAYS = 30
"""The same where persons or property are protected (C34)."""


def _words(words: type[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


# Cases opened by the service have `opened_by_id`; what an earlier version stored has none, and counts as it did.
_OURS = "opened_by_id IS NULL OR"
_DOCUMENTED = "num_nonnulls(document, document_kind, filed) = 3"

TABLES: tuple[str, ...] = (
    (
        "ALTER TABLE disclosure_case"
        " ADD CONSTRAINT disclosure_case_four_eyes CHECK (opened_by_id IS NULL OR"
        " (approved_by_id IS DISTINCT FROM opened_by_id AND rejected_by_id IS DISTINCT FROM opened_by_id)),"
        " ADD CONSTRAINT disclosure_case_one_verdict CHECK (num_nonnulls(approved_at, rejected_at) < 2),"
        " ADD CONSTRAINT disclosure_case_who_reviewed CHECK"
        f" ({_OURS} (approved_at IS NULL) = (approved_by_id IS NULL)),"
        f" ADD CONSTRAINT disclosure_case_kind CHECK ({_OURS} kind IN ({_words(DisclosureKind)})),"
        f" ADD CONSTRAINT disclosure_case_exception CHECK (exception IN ({_words(LawfulException)})),"
        f" ADD CONSTRAINT disclosure_case_document CHECK (document_kind IN ({_words(DocumentKind)})),"
        f" ADD CONSTRAINT disclosure_case_basis CHECK (basis IN ({_words(TransferBasis)})),"
        f" ADD CONSTRAINT disclosure_case_expires CHECK ({_OURS} expires_at > opened_at AND"
        f" expires_at <= opened_at + interval '{LONGEST_DAYS} days' AND (kind <> 'PROTECTION' OR"
        f" expires_at <= opened_at + interval '{LONGEST_PROTECTION_DAYS} days')),"
        f" ADD CONSTRAINT disclosure_case_documented CHECK ({_OURS} kind NOT IN ('AUTHORITY', 'LITIGATION') OR"
        f" {_DOCUMENTED} AND exception IS NOT NULL AND receiver_id IS NULL),"
        f" ADD CONSTRAINT disclosure_case_justified CHECK ({_OURS} kind <> 'PROTECTION' OR"
        " num_nonnulls(justification, exception) = 2),"
        f" ADD CONSTRAINT disclosure_case_public CHECK ({_OURS} (kind = 'PUBLIC') ="
        " (items IS NOT NULL AND manner IS NOT NULL)),"
        f" ADD CONSTRAINT disclosure_case_transfer CHECK ({_OURS} (kind = 'TRANSFER') = (basis IS NOT NULL)),"
        f" ADD CONSTRAINT disclosure_case_receiver CHECK ({_OURS} kind NOT IN ('TRANSFER', 'MERGER') OR"
        " receiver_id IS NOT NULL),"
        " ADD CONSTRAINT disclosure_case_secret CHECK (secret_until IS NULL OR kind IN ('AUTHORITY', 'LITIGATION')"
        f" AND secret_ground IS NOT NULL AND secret_until <= opened_at + interval '{LONGEST_DAYS} days')"
    ),
    # Who approves knows of whom: nobody is added to a case that somebody has approved, rejected or closed.
    (
        "CREATE FUNCTION disclosure_person_in_time() RETURNS trigger LANGUAGE plpgsql"
        " SET search_path = pg_catalog, public, pg_temp AS $$\n"
        "BEGIN\n"
        "    PERFORM FROM public.disclosure_case WHERE id = NEW.case_id FOR SHARE;\n"
        "    IF EXISTS (SELECT FROM public.disclosure_case WHERE id = NEW.case_id AND opened_by_id IS NOT NULL\n"
        "        AND num_nonnulls(approved_at, rejected_at, closed_at) > 0) THEN\n"
        "        RAISE EXCEPTION 'the case is decided' USING ERRCODE = 'check_violation';\n"
        "    END IF;\n"
        "    RETURN NEW;\n"
        "END $$"
    ),
    (
        "CREATE TRIGGER disclosure_person_in_time BEFORE INSERT ON disclosure_person"
        " FOR EACH ROW EXECUTE FUNCTION disclosure_person_in_time()"
    ),
    # What persons chose: items to be made public in a manner, or categories that an organization may take over.
    (
        "CREATE TABLE disclosure_choice (id uuid PRIMARY KEY, person_id uuid NOT NULL REFERENCES person,"
        f" manner text CHECK (manner IN ({_words(PublicManner)})), items bigint,"
        " receiver_id uuid REFERENCES organization, categories int, chosen_by uuid NOT NULL REFERENCES person,"
        " chosen_at timestamptz NOT NULL, withdrawn_at timestamptz, withdrawn_by uuid REFERENCES person,"
        " CHECK (num_nonnulls(manner, items) = 2 AND num_nonnulls(receiver_id, categories) = 0"
        " OR num_nonnulls(manner, items) = 0 AND num_nonnulls(receiver_id, categories) = 2),"
        " CHECK (num_nonnulls(withdrawn_at, withdrawn_by) IN (0, 2)))"
    ),
    (
        "CREATE UNIQUE INDEX disclosure_choice_one ON disclosure_choice"
        " (person_id, coalesce(manner, ''), coalesce(receiver_id, person_id)) WHERE withdrawn_at IS NULL"
    ),
    "CREATE INDEX disclosure_choice_person ON disclosure_choice (person_id, chosen_at, id)",
    "CREATE INDEX disclosure_choice_chosen_by ON disclosure_choice (chosen_by)",
    "CREATE INDEX disclosure_choice_withdrawn_by ON disclosure_choice (withdrawn_by)",
    "CREATE INDEX disclosure_choice_receiver ON disclosure_choice (receiver_id)",
    "CREATE INDEX disclosure_case_opened ON disclosure_case (opened_at DESC, id)",
)
