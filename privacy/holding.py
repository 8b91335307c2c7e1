"""One table of the data map: whose its rows are, and what its columns are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from models.vocabulary import Retention

Columns = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """One table with ties to persons; each of its columns stands in exactly one of `sealed`, `plain` and `inner`.

    SQL speaks of the row as `t`. An exception to `exported` is a column in `withheld`, by why it is left out.
    """

    table: str
    person: str
    """SQL: is the row tied to person $1?"""
    retention: Retention | None = None
    """Under which class its sealed columns stand, with a data key of `owner`; None where they do not."""
    owner: str | None = None
    """SQL of the person whose data key that is."""
    sealed: Mapping[str, str] = field(default_factory=dict)
    """Sealed columns, each with the SQL of the person whom its value is about."""
    plain: Columns = ()
    """What says something about the person in the clear."""
    inner: Columns = ()
    """What only ties rows together or counts: ids, keyed hashes, versions."""
    withheld: Mapping[str, str] = field(default_factory=dict)
    about: str | None = None
    """SQL: is what the row says about person $1? Where rows tied to them are about somebody else."""
    exported: bool = True
    why_not: str | None = None

    @property
    def given(self) -> str:
        """SQL: is the row one that person $1 is given?"""
        return self.about or self.person


def sealed_of(person: str, *columns: str) -> Mapping[str, str]:
    """Sealed columns, named without their ending, whose values are all about one person, given as SQL."""
    return MappingProxyType({f"{column}_sealed": person for column in columns})


PERSON = "t.person_id = $1"
ACCOUNTS = "(SELECT a.id FROM account a WHERE a.person_id = $1)"
SESSIONS = f"(SELECT s.id FROM session s WHERE s.account_id IN {ACCOUNTS})"  # noqa: S608 - our own names, here and below
POLICIES = "(SELECT p.id FROM policy p WHERE p.holder_id = $1 OR p.insured_id = $1)"
CLAIMS = (
    "(SELECT c.id FROM claim c WHERE c.holder_id = $1 OR c.insured_id = $1 OR c.reporter_id = $1 OR c.payee_id = $1)"
)
CASES = "(SELECT v.id FROM verification_case v WHERE v.person_id = $1)"
REQUESTS = "(SELECT r.id FROM rights_request r WHERE r.person_id = $1 OR r.requester_id = $1)"
DISCLOSED = "(SELECT d.case_id FROM disclosure_person d WHERE d.person_id = $1)"
REFERENCE = "(SELECT n.reference FROM person_reference n WHERE n.person_id = $1)"

BENEFICIARY = "CASE WHEN t.person_verified_at IS NOT NULL THEN t.person_id END"
REPORTER = "CASE WHEN t.reporter_verified_at IS NOT NULL THEN t.reporter_id END"
PAYEE = "CASE WHEN t.payee_verified_at IS NOT NULL THEN t.payee_id END"
"""Whom a value is about, where that is a verified person; null where it is nobody whom the database knows."""

OF_STAFF = "It names who did the brokerage's work, which is theirs; the roles stand in the access history."
"""Why such a column is in no archive."""
