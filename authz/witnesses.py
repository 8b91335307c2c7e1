"""Situations in SQL: which (relation, basis) pairs some record witnesses for a row's data subject.

docs/decisions/001-situations.md says what is computed here and why. The row is `t`; of a beneficiary, and of a claim
outside claim_handling, its policy is joined as `p`. Only pairs that some rule of the slice can tell apart are computed.
What is computed comes in two forms: as one number, and record by record, so that the ledger can name the witness.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from authz.compile import Slice
from authz.scope import approved, reported
from authz.situations import pair_bit
from authz.subjects import assignee, lasting, of_aspects, recipient, willing
from authz.vocabulary import Basis, DataSubject, Relation
from models.vocabulary import PARTNER_ROLES, PERSON_ROLES, Purpose, Role

_OTHER_WITNESSES = frozenset({Purpose.CLAIM_HANDLING, Purpose.HEALTH_SERVICE})
"""Purposes under which claims or health services witness, instead of policies."""

TIE = 1 << 40
"""Set in a mask of categories when the record ties the subject, whatever it opens."""

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
class Records:
    """SQL of records one by one: of each, 8 bytes of what it contributes and the 16 bytes of its id; null for none.

    `letter` says what the records are (`ledger.rows.RECORDS`).
    """

    letter: str
    sql: str


@dataclass(frozen=True, slots=True)
class Mask:
    """SQL of the set of categories in which a record opens `basis` for `relation`; TIE if it ties at all."""

    relation: Relation
    basis: Basis
    sql: str
    records: Records


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
    asked = _Asked(compiled, table, of, _PERSON[table, of])
    parts = tuple(part for part in _bit_parts(asked) if part is not None)
    joins = table in ("beneficiary", "claim") and compiled.purpose not in _OTHER_WITNESSES
    return SituationSql(
        parts=parts,
        masks=tuple(_masks(asked)),
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
    """The situation of one row for one category, from what the statement gave."""
    for mask, found in masks:
        if found is not None:
            if found & category_bit:
                bits |= pair_bit(mask.relation, mask.basis)
            elif found & TIE:
                bits |= pair_bit(mask.relation, Basis.NONE)
    return bits


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question: whose situation, in rows of which table, for which slice; `person` is SQL, null if unlinked."""

    slice: Slice
    table: str
    of: DataSubject
    person: str

    @property
    def role(self) -> Role:
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


def _bit_parts(asked: _Asked) -> Iterator[Part | None]:
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


def _bits(asked: _Asked, ties: Mapping[Relation, str], opens: tuple[Basis, str] | None) -> str | None:
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
    return Part(f"coalesce({_bit_or(bits, source)}, 0)", records=Records(letter, _one_by_one(bits, source, record)))


def _one(bits: str | None, *, letter: str, record: str) -> Part | None:
    """The pair bits of the one record that the row is, or stands below."""
    return Part(bits, letter, f"{record}.id") if bits else None


def _bit_or(bits: str, source: str) -> str:
    # The inner SELECT keeps the aggregate here: one over nothing but outer columns would belong to the outer query.
    return f"(SELECT bit_or(x.bits) FROM (SELECT ({bits})::bigint AS bits FROM {source}) x)"


def _one_by_one(bits: str, source: str, record: str) -> str:
    records = f"SELECT ({bits})::bigint AS bits, {record}.id AS id FROM {source}"
    return f"(SELECT string_agg(int8send(x.bits) || uuid_send(x.id), ''::bytea) FROM ({records}) x WHERE x.bits <> 0)"


def _record_ties(asked: _Asked, record: str, *, target: str) -> dict[Relation, str]:
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


def _holder_tie(asked: _Asked, record: str) -> dict[Relation, str]:
    held = f"{record}.holder_id = :person"
    if asked.of == DataSubject.INSURED:
        return {Relation.HOLDER_OF: f"({held} AND {record}.insured_id <> :person)"}
    if asked.of == DataSubject.USER:
        return {Relation.HOLDER_OF: f"({held} AND {record}.insured_id = {asked.person} AND {asked.person} <> :person)"}
    if asked.of == DataSubject.BENEFICIARY:
        return {Relation.HOLDER_OF: f"({held} AND {asked.person} IS DISTINCT FROM :person)"}
    return {}


def _policies(asked: _Asked) -> Part | None:
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


def _claims(asked: _Asked) -> Part | None:
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


def _health_services(asked: _Asked) -> Part | None:
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


def _rights_requests(asked: _Asked) -> Part | None:
    ties = {}
    if asked.role == Role.CUSTOMER:
        ties[Relation.SELF] = "q.person_id = :person"
    elif asked.role == Role.GUARDIAN:
        ties[Relation.GUARDIAN_OF] = "(q.requester_id = :person AND q.person_id = ANY(:wards))"
    else:
        ties[Relation.ASSIGNED] = _case_work(asked, "rights_request_id", "q")
    bits = _bits(asked, ties, (Basis.REQUEST, "q.closed_at IS NULL"))
    return _total(bits, f"rights_request q WHERE q.person_id = {asked.person}", letter="r", record="q")


def _case_work(asked: _Asked, column: str, case: str) -> str:
    return f"EXISTS (SELECT 1 FROM assignment a WHERE a.{column} = {case}.id AND {assignee(asked.role, 'a')})"


def _masks(asked: _Asked) -> Iterator[Mask]:
    bases = asked.slice.bases
    if asked.slice.purpose == Purpose.VERIFICATION and asked.role not in PERSON_ROLES:
        yield from _verification_masks(asked)
    if Basis.EXCEPTION in bases and asked.role not in PERSON_ROLES:
        yield from _disclosure_masks(asked)
    if Basis.CONSENT in bases:
        yield from _consent_masks(asked)


def _case_masks(  # noqa: PLR0913 - the parts of one subquery
    asked: _Asked, basis: Basis, *, tie: str, live: str, record: str, source: str
) -> Iterator[Mask]:
    """Masks of cases that tie by assignment."""
    categories = f"({asked.opened(record)}) & {of_aspects('v')}" if basis == Basis.CONSENT else f"{record}.categories"
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
    return Mask(relation, basis, _bit_or(opened, source), Records(record, _one_by_one(opened, source, record)))


def _verification_masks(asked: _Asked) -> Iterator[Mask]:
    claims = " AND v.claim_id = t.id"
    covered = {"claim": claims, "policy": _of_matter("t.id"), "beneficiary": _of_matter("t.policy_id")}
    live = (
        "v.closed_at IS NULL AND n.person_id = v.person_id AND n.purpose = 'verification'"
        f" AND {recipient(asked.role, 'n.recipient_id')} AND {asked.live('n')}"
    )
    return _case_masks(
        asked,
        Basis.CONSENT,
        tie=_case_work(asked, "verification_case_id", "v"),
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


def _disclosure_masks(asked: _Asked) -> Iterator[Mask]:
    return _case_masks(
        asked,
        Basis.EXCEPTION,
        tie=_case_work(asked, "disclosure_case_id", "d"),
        live=f"{approved('d')} AND {recipient(asked.role, 'd.recipient_id')}",
        record="d",
        source=(
            "disclosure_case d JOIN disclosure_person dp ON dp.case_id = d.id"
            f" WHERE dp.person_id = {asked.person} AND d.purpose = '{asked.slice.purpose.value}'"
        ),
    )


def _consent_masks(asked: _Asked) -> Iterator[Mask]:
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


def _in(column: str, words: tuple[str, ...]) -> str:
    return f"{column} IN ({','.join(repr(word) for word in words)})"
