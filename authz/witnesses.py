"""Situations in SQL: which (relation, basis) pairs some record witnesses for a row's data subject.

docs/decisions/001-situations.md says what is computed here and why. The row is `t`; of a beneficiary, and of a claim
outside claim_handling, its policy is joined as `p`. Only pairs that some rule of the slice can tell apart are computed.
What is computed comes in two forms: as one number, and record by record, so that the ledger can name the witness.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from authz.category_masks import TIE, Asked, Mask, Records, bit_or, case_work, masks, one_by_one
from authz.compile import Slice
from authz.scope import reported
from authz.situations import pair_bit
from authz.subjects import assignee
from authz.vocabulary import Basis, DataSubject, Relation
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, Purpose, Role

_OTHER_WITNESSES = frozenset({Purpose.CLAIM_HANDLING, Purpose.HEALTH_SERVICE})
"""Purposes under which claims or health services witness, instead of policies."""

_OPEN_POLICY: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.APPLICATION: ("SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"),
    Purpose.POLICY_SERVICE: ("IN_FORCE", "GRACE"),
    Purpose.SERVICE_MESSAGE: ("IN_FORCE", "GRACE"),
    Purpose.ACCOUNT_SERVICE: ("IN_FORCE", "GRACE"),
}
_OPEN_CLAIM = ("REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING", "APPROVED")

_PERSON: Mapping[tuple[str, DataSubject], str] = {
    ("person", DataSubject.USER): "t.id",
    ("device", DataSubject.USER): "t.person_id",
    ("permission", DataSubject.USER): "t.person_id",
    ("correction", DataSubject.USER): "t.person_id",
    ("consent", DataSubject.USER): "t.person_id",
    ("policy", DataSubject.HOLDER): "t.holder_id",
    ("policy", DataSubject.INSURED): "t.insured_id",
    ("beneficiary", DataSubject.BENEFICIARY): "CASE WHEN t.person_verified_at IS NOT NULL THEN t.person_id END",
    ("claim", DataSubject.HOLDER): "t.holder_id",
    ("claim", DataSubject.INSURED): "t.insured_id",
    ("claim", DataSubject.REPORTER): "CASE WHEN t.reporter_verified_at IS NOT NULL THEN t.reporter_id END",
    ("claim", DataSubject.PAYEE): "CASE WHEN t.payee_verified_at IS NOT NULL THEN t.payee_id END",
}


@dataclass(frozen=True, slots=True)
class Part:
    """Pair bits: all that some records witness as one number, `sql`; and the same by record.

    Either `records`, or the one record whose id `id` is, of kind `letter`; neither where no record is needed.
    """

    sql: str
    letter: str | None = None
    id: str | None = None
    records: Records | None = None


@dataclass(frozen=True, slots=True)
class SituationSql:
    """How a statement computes one data subject's situation: pair bits, and masks that depend on the category."""

    parts: tuple[Part, ...]
    masks: tuple[Mask, ...]
    joins_policy: bool
    covered: str | None = None
    """The categories, as a stored set, that the notice which the data subject agreed to tells of; None: all that the
    slice could show, whichever it is."""

    @property
    def bits(self) -> str | None:
        """All pair bits as one number."""
        return "(" + " | ".join(part.sql for part in self.parts) + ")::bigint" if self.parts else None


def situation_sql(compiled: Slice, table: str, *, of: DataSubject) -> SituationSql:
    """The situation of data subject `of` in rows of `table`. Raises KeyError where the table has no such person."""
    asked = Asked(compiled, table, of, _PERSON[table, of])
    parts = tuple(part for part in _bit_parts(asked) if part is not None)
    joins = table in ("beneficiary", "claim") and compiled.purpose not in _OTHER_WITNESSES
    return SituationSql(
        parts=parts,
        masks=tuple(masks(asked)),
        joins_policy=joins and bool(parts),
        covered=covered_sql(compiled, asked.person),
    )


def covered_sql(compiled: Slice, person: str) -> str | None:
    """SQL: the categories, a stored set, that the notice which `person` (SQL) agreed to tells of; None: all there are.

    First known under one counts as well. Who agreed to none stands under the first, and so does somebody who is
    nobody's known person.
    """
    versions = compiled.terms.versions
    if not versions:
        return None
    # A version that this worker does not know yet tells of nothing.
    known = " ".join(f"WHEN {number} THEN {categories}" for number, categories in versions)
    return (
        f"coalesce((SELECT CASE g.notice {known} ELSE 0 END FROM notice_agreement g JOIN notice gn"
        f" ON gn.number = g.notice AND gn.effective_from <= now() WHERE g.person_id = {person}"
        f" AND g.agrees IS NOT FALSE ORDER BY g.notice DESC LIMIT 1), {versions[0][1]})::bigint"
    )


def people_sql(table: str) -> tuple[str, ...]:
    """SQL of every person that rows of `table` are about."""
    return tuple(sql for (name, _), sql in _PERSON.items() if name == table)


def person_sql(table: str, of: DataSubject) -> str | None:
    """SQL of the person that data subject `of` is in rows of `table`, null where that is nobody's verified person."""
    return _PERSON.get((table, of))


def combine(bits: int, masks: tuple[tuple[Mask, int | None], ...], *, category_bit: int) -> int:
    """The situation of one row for one category, from what the statement gave; or with an item's bit for one item."""
    for mask, found in masks:
        if found is not None:
            if found & category_bit:
                bits |= pair_bit(mask.relation, mask.basis)
            elif found & TIE:
                bits |= pair_bit(mask.relation, Basis.NONE)
    return bits


def _bit_parts(asked: Asked) -> Iterator[Part | None]:
    purpose = asked.slice.purpose
    if asked.about_user:
        personal = _bits(asked, asked.personal_ties(), None)
        yield Part(personal) if personal else None
    if purpose == Purpose.CLAIM_HANDLING:
        yield _claims(asked)
    elif purpose == Purpose.HEALTH_SERVICE:
        yield _health_services(asked)
    else:
        yield _policies(asked)
    if purpose == Purpose.RIGHTS_REQUEST:
        yield _rights_requests(asked)


def _bits(asked: Asked, ties: Mapping[Relation, str], opens: tuple[Basis, str] | None) -> str | None:
    """SQL of one record's pair bits, or None if no rule could tell them apart."""
    named = asked.ties(ties)
    if opens is not None and opens[0] not in asked.slice.bases:
        opens = None
    parts = [_tied(relation, tie, opens) for relation, tie in named.items()]
    if opens is not None and asked.slice.tells_untied(opens[0]):
        untied = " OR ".join(named.values()) or "FALSE"
        parts.append(f"CASE WHEN {opens[1]} AND NOT ({untied}) THEN {pair_bit(Relation.NONE, opens[0])} ELSE 0 END")
    return " | ".join(parts) if parts else None


def _tied(relation: Relation, tie: str, opens: tuple[Basis, str] | None) -> str:
    plain = str(pair_bit(relation, Basis.NONE))
    value = f"CASE WHEN {opens[1]} THEN {pair_bit(relation, opens[0])} ELSE {plain} END" if opens else plain
    return f"CASE WHEN {tie} THEN {value} ELSE 0 END"


def _total(bits: str | None, source: str, *, letter: str, record: str) -> Part | None:
    """The pair bits of many records, each the alias `record` in `source`."""
    if not bits:
        return None
    return Part(f"coalesce({bit_or(bits, source)}, 0)", records=Records(letter, one_by_one(bits, source, record)))


def _one(bits: str | None, *, letter: str, record: str) -> Part | None:
    """The pair bits of the one record that the row is, or stands below."""
    return Part(bits, letter, f"{record}.id") if bits else None


def _record_ties(asked: Asked, record: str, *, target: str) -> dict[Relation, str]:
    """How a policy or claim (alias `record`) ties the caller to the asked data subject."""
    ties = asked.personal_ties()
    if asked.role == Role.CUSTOMER:
        ties |= _holder_tie(asked, record)
    if asked.role not in PERSON_ROLES:
        work = assignee(asked.role, "a")
        ties[Relation.ASSIGNED] = f"EXISTS (SELECT 1 FROM assignment a WHERE a.{target} = {record}.id AND {work})"
    if asked.role in PARTNER_ROLES:
        ties[Relation.UNDERWRITER] = f"{record}.insurer_id = :organization"
    return ties


def _holder_tie(asked: Asked, record: str) -> dict[Relation, str]:
    held = f"{record}.holder_id = :person"
    if asked.of == DataSubject.INSURED:
        return {Relation.HOLDER_OF: f"({held} AND {record}.insured_id <> :person)"}
    if asked.of == DataSubject.USER:
        return {Relation.HOLDER_OF: f"({held} AND {record}.insured_id = {asked.person} AND {asked.person} <> :person)"}
    if asked.of == DataSubject.BENEFICIARY:
        return {Relation.HOLDER_OF: f"({held} AND {asked.person} IS DISTINCT FROM :person)"}
    return {}


def _policies(asked: Asked) -> Part | None:
    record = "w" if asked.about_user else {"policy": "t"}.get(asked.table, "p")
    statuses = _OPEN_POLICY.get(asked.slice.purpose, ())
    if asked.slice.purpose == Purpose.APPLICATION and asked.role == Role.BROKER_AGENT:
        statuses = ("DRAFT", *statuses)
    opens = (Basis.CONTRACT_OPEN, _in(f"{record}.status", statuses)) if statuses else None
    bits = _bits(asked, _record_ties(asked, record, target="policy_id"), opens)
    if not asked.about_user:
        return _one(bits, letter="p", record=record)
    source = f"policy w WHERE w.holder_id = {asked.person} OR w.insured_id = {asked.person}"
    return _total(bits, source, letter="p", record="w")


def _claims(asked: Asked) -> Part | None:
    record = "t" if asked.table == "claim" else "c"
    opens = (Basis.CONTRACT_OPEN, _in(f"{record}.status", _OPEN_CLAIM))
    bits = _bits(asked, _record_ties(asked, record, target="claim_id"), opens)
    if asked.table == "claim":
        return _one(bits and f"CASE WHEN {reported('t')} THEN {bits} ELSE 0 END", letter="c", record="t")
    if asked.about_user:
        whose = f"(c.holder_id = {asked.person} OR c.insured_id = {asked.person})"
    else:
        whose = "c.policy_id = t.id" if asked.table == "policy" else "c.policy_id = t.policy_id"
    return _total(bits, f"claim c WHERE {whose} AND {reported('c')}", letter="c", record="c")


def _health_services(asked: Asked) -> Part | None:
    ties = asked.personal_ties()
    if asked.role in PARTNER_ROLES:
        ties[Relation.PROVIDER] = "h.provider_id = :organization"
    opens = (Basis.CONTRACT_OPEN, "h.starts_at <= now() AND (h.ends_at IS NULL OR h.ends_at > now())")
    bits = _bits(asked, ties, opens)
    if asked.about_user:
        people = f"w.holder_id = {asked.person} OR w.insured_id = {asked.person}"
        source = f"health_service h JOIN policy w ON w.id = h.policy_id WHERE {people}"
    else:
        source = f"health_service h WHERE h.policy_id = {'t.id' if asked.table == 'policy' else 't.policy_id'}"
    return _total(bits, source, letter="h", record="h")


def _rights_requests(asked: Asked) -> Part | None:
    ties = {}
    if asked.role == Role.CUSTOMER:
        ties[Relation.SELF] = "q.person_id = :person"
    elif asked.role == Role.GUARDIAN:
        ties[Relation.GUARDIAN_OF] = "(q.requester_id = :person AND q.person_id = ANY(:wards))"
    else:
        ties[Relation.ASSIGNED] = case_work(asked, "rights_request_id", "q")
    bits = _bits(asked, ties, (Basis.REQUEST, "q.closed_at IS NULL"))
    return _total(bits, f"rights_request q WHERE q.person_id = {asked.person}", letter="r", record="q")


def _in(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({','.join(repr(word) for word in words)})"
