"""Witnesses that open some categories and no others: consents, verification and disclosure cases, as SQL of masks.

Beside them what every kind of witness is asked for, and the two forms in which one answers (`authz.witnesses`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from authz.compile import Slice
from authz.disclosures import opens
from authz.scope import approved
from authz.subjects import assignee, lasting, of_aspects, recipient, willing
from authz.vocabulary import Basis, DataSubject, Relation
from models.vocabulary import PERSON_ROLES, Purpose, Role

TIE = 1 << 40
"""Set in a mask of categories when the record ties the subject, whatever it opens."""


@dataclass(frozen=True, slots=True)
class Records:
    """SQL of records one by one: of each, 8 bytes of what it contributes and the 16 bytes of its id; null for none.

    `letter` says what the records are (`ledger.rows.RECORDS`).
    """

    letter: str
    sql: str


@dataclass(frozen=True, slots=True)
class Mask:
    """SQL of the set of categories in which a record opens `basis` for `relation`; TIE if it ties at all.

    `by_item`: it may open single items as well, by bits of their own (`models.disclosures.item_bit`).
    """

    relation: Relation
    basis: Basis
    sql: str
    records: Records
    by_item: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: whose situation, in rows of which table, for which slice; `person` is SQL, null if unlinked."""

    slice: Slice
    table: str
    of: DataSubject
    person: str

    @property
    def role(self) -> Role:
        """Who asks."""
        return self.slice.role

    def opened(self, consent: str) -> str:
        """SQL: the categories that a consent opens. Where some stand apart, others with them do not open them."""
        categories, apart = f"{consent}.categories", self.slice.terms.apart
        if not apart:
            return categories
        return f"CASE WHEN {categories} & {~apart} = 0 THEN {categories} ELSE {categories} & {~apart} END"

    def live(self, consent: str) -> str:
        """SQL: does a consent count today? None counts for longer than the law in force lets one last."""
        return lasting(consent, self.slice.terms.longest_days)

    @property
    def about_user(self) -> bool:
        """Is it about a person themselves, whatever the row?"""
        return self.of == DataSubject.USER

    def ties(self, found: Mapping[Relation, str]) -> dict[Relation, str]:
        """Those relations that some rule names."""
        return {relation: sql for relation, sql in found.items() if relation in self.slice.relations}

    def personal_ties(self) -> dict[Relation, str]:
        """`self` and `guardian_of`: ties to the data subject, whatever the record."""
        found = {}
        if self.role == Role.CUSTOMER:
            found[Relation.SELF] = f"({self.person} IS NOT NULL AND {self.person} = :person)"
        if self.role == Role.GUARDIAN:
            found[Relation.GUARDIAN_OF] = f"({self.person} IS NOT NULL AND {self.person} = ANY(:wards))"
        return found


def masks(asked: Asked) -> Iterator[Mask]:
    """The masks that some rule of the slice can tell apart."""
    bases = asked.slice.bases
    if asked.slice.purpose == Purpose.VERIFICATION and asked.role not in PERSON_ROLES:
        yield from _verification_masks(asked)
    if Basis.EXCEPTION in bases and asked.role not in PERSON_ROLES:
        yield from _disclosure_masks(asked)
    if Basis.CONSENT in bases:
        yield from _consent_masks(asked)


def _case_masks(  # noqa: PLR0913 - the parts of one subquery
    asked: Asked, basis: Basis, *, tie: str, live: str, record: str, source: str
) -> Iterator[Mask]:
    """Masks of cases that tie by assignment."""
    if basis == Basis.CONSENT:
        categories = f"({asked.opened(record)}) & {of_aspects('v')}"
    else:
        categories = opens(record, asked.person)
    lawful = basis in asked.slice.terms.bases
    opened = f"CASE WHEN {live} THEN {categories} ELSE 0 END" if lawful else "0"
    named = Relation.ASSIGNED in asked.slice.relations
    if named:
        yield _mask(Relation.ASSIGNED, basis, f"{opened} | {TIE}", f"{source} AND {tie}", record)
    if asked.slice.tells_untied(basis):
        untied = f" AND NOT {tie}" if named else ""
        yield _mask(Relation.NONE, basis, opened, f"{source}{untied}", record)


def _mask(relation: Relation, basis: Basis, opened: str, source: str, record: str) -> Mask:
    """A mask whose witnesses are the alias `record` in `source`: `n` a consent, `d` a disclosure case."""
    records = Records(record, one_by_one(opened, source, record))
    return Mask(relation, basis, bit_or(opened, source), records, basis is Basis.EXCEPTION)


def _verification_masks(asked: Asked) -> Iterator[Mask]:
    claims = " AND v.claim_id = t.id"
    covered = {"claim": claims, "policy": _of_matter("t.id"), "beneficiary": _of_matter("t.policy_id")}
    live = (
        "v.closed_at IS NULL AND n.person_id = v.person_id AND n.purpose = 'verification'"
        f" AND {recipient(asked.role, 'n.recipient_id')} AND {asked.live('n')}"
    )
    return _case_masks(
        asked,
        Basis.CONSENT,
        tie=case_work(asked, "verification_case_id", "v"),
        live=live,
        record="n",
        source=(
            f"verification_case v JOIN consent n ON n.id = v.consent_id WHERE v.person_id = {asked.person}"
            f"{covered.get(asked.table, '')}"
        ),
    )


def _of_matter(policy: str) -> str:
    """A case on a claim covers that claim's policy; one of underwriting covers the policy that it names."""
    claim = f"EXISTS (SELECT 1 FROM claim vc WHERE vc.id = v.claim_id AND vc.policy_id = {policy})"
    return f" AND (v.policy_id = {policy} OR {claim})"


def _disclosure_masks(asked: Asked) -> Iterator[Mask]:
    return _case_masks(
        asked,
        Basis.EXCEPTION,
        tie=case_work(asked, "disclosure_case_id", "d"),
        live=f"{approved('d')} AND {recipient(asked.role, 'd.recipient_id')}",
        record="d",
        source=(
            "disclosure_case d JOIN disclosure_person dp ON dp.case_id = d.id"
            f" WHERE dp.person_id = {asked.person} AND d.purpose = '{asked.slice.purpose.value}'"
        ),
    )


def _consent_masks(asked: Asked) -> Iterator[Mask]:
    source = (
        f"consent n WHERE n.person_id = {asked.person} AND n.purpose = '{asked.slice.purpose.value}'"
        f" AND {recipient(asked.role, 'n.recipient_id')}"
    )
    marketing = asked.slice.purpose == Purpose.MARKETING
    if marketing:
        source += f" AND {willing(asked.person)}"
    if marketing and Relation.AUDIENCE in asked.slice.relations:
        opened = f"CASE WHEN {asked.live('n')} THEN {asked.opened('n')} ELSE 0 END"
        yield _mask(Relation.AUDIENCE, Basis.CONSENT, f"{opened} | {TIE}", source, "n")
    elif asked.slice.tells_untied(Basis.CONSENT):
        yield _mask(Relation.NONE, Basis.CONSENT, asked.opened("n"), f"{source} AND {asked.live('n')}", "n")


def case_work(asked: Asked, column: str, case: str) -> str:
    """SQL: is the caller one of those whom this case is assigned to?"""
    return f"EXISTS (SELECT 1 FROM assignment a WHERE a.{column} = {case}.id AND {assignee(asked.role, 'a')})"


def bit_or(bits: str, source: str) -> str:
    """SQL: the bits of all records as one number, null without any."""
    # The inner SELECT keeps the aggregate here: one over nothing but outer columns would belong to the outer query.
    return f"(SELECT bit_or(x.bits) FROM (SELECT ({bits})::bigint AS bits FROM {source}) x)"


def one_by_one(bits: str, source: str, record: str) -> str:
    """SQL: the same of each record that has some (`Records`)."""
    records = f"SELECT ({bits})::bigint AS bits, {record}.id AS id FROM {source}"
    return f"(SELECT string_agg(int8send(x.bits) || uuid_send(x.id), ''::bytea) FROM ({records}) x WHERE x.bits <> 0)"
