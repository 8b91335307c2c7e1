"""The first wall: which rows exist for whom, as SQL for every (role, purpose) and noun (DESIGN.md, "Which rows").

A predicate speaks of the row as `t` and of the caller by named parameters; a noun that is missing has no rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authz.disclosures import opens
from authz.subjects import active, assignee, recipient, willing
from models.vocabulary import BlindColumn, Category, Purpose, Role

_APPLIED = "('SUBMITTED','UNDERWRITING','DECLINED','AWAITING_PAYMENT')"
_ISSUED = "('IN_FORCE','GRACE','LAPSED','SURRENDERED','EXPIRED','TERMINATED')"
_BEGUN = "starts_on IS NOT NULL"
"""A withdrawn application is TERMINATED as well, and never began: its insurer may never have seen it (C38)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one noun. `listed`, where given, says the same as `member` in the form that lists fastest.

    `within` names tables whose rows, where they exist for the caller, link to none but existing rows of this noun.
    """

    member: str
    listed: str | None = None
    within: frozenset[str] = frozenset()

    @property
    def for_lists(self) -> str:
        """The predicate to list by."""
        return self.listed or self.member


_OF_POLICY = frozenset({"policy"})
_OF_CLAIM = frozenset({"claim"})
_OF_BENEFICIARY = frozenset({"beneficiary"})

Scope = Mapping[str, Rows]
"""Rows by table: person, device, permission, correction, policy, beneficiary, claim, consent."""

_NOTHING: Scope = {}


def scope_of(role: Role, purpose: Purpose) -> Scope:
    """The rows that exist for a role under a purpose; unknown combinations have none."""
    if sees_audience(role, purpose):
        return {"person": Rows("audience.audience_id IS NOT NULL")}
    if role in _EVERY_PURPOSE:
        return _EVERY_PURPOSE[role]
    return _SCOPES.get((role, purpose), _NOTHING)


def sees_audience(role: Role, purpose: Purpose) -> bool:
    """Does this caller know people only as an audience: by its own ids, in small pages, without totals? (C21)"""
    return purpose == Purpose.MARKETING and role in _MARKETING


def audience(role: Role) -> str:
    """SQL: the audience of a marketing recipient, one row a person, under the ids only it knows (C21)."""
    return (
        "(SELECT DISTINCT ON (c.audience_id) c.audience_id, c.person_id FROM consent c"
        f" WHERE c.purpose = 'marketing' AND {recipient(role, 'c.recipient_id')} AND {active('c')}"
        f" AND {willing('c.person_id')} ORDER BY c.audience_id)"
    )


def targeted(role: Role, campaign: str, least: str) -> str:
    """SQL: is person `t` of those in the recipient's audience whom a running campaign of its own meets? (C20, C21)

    A tag that fewer than `least` of the audience have counts for nothing: else a campaign of it and a common one would
    tell who has it. Who is met has one of the tags, so only those are whose consent lets the recipient know them.
    """
    tag = Category.TAG.bit
    people = (
        "FROM campaign m"
        f' JOIN blind_index b ON b."column" = {int(BlindColumn.TAG)} AND b.digest = ANY(m.tag_digests)'
        f" JOIN consent c ON c.person_id = b.person_id AND c.purpose = 'marketing' AND c.categories & {tag} <> 0"
        f" AND {recipient(role, 'c.recipient_id')} AND {active('c')} AND {willing('c.person_id')}"
        f" WHERE m.id = {campaign} AND {recipient(role, 'm.recipient_id')}"
        " AND m.ended_at IS NULL AND m.opens_at <= now() AND m.closes_at > now()"
    )
    common = f"ARRAY(SELECT b.digest {people} GROUP BY b.digest HAVING count(DISTINCT c.person_id) >= {least})"
    return f"t.id IN (SELECT c.person_id {people} AND b.digest = ANY({common}))"


def _of_policies(policy: Callable[[str], str], *, narrow: bool) -> Rows:
    """Holder and insured of the policies that `policy` (a predicate on an alias) lets through."""
    member = f"EXISTS (SELECT 1 FROM policy w WHERE (w.holder_id = t.id OR w.insured_id = t.id) AND {policy('w')})"
    return Rows(member, _either_party("policy", policy) if narrow else None, _OF_POLICY)


def _of_claims(claim: Callable[[str], str], *, narrow: bool) -> Rows:
    member = f"EXISTS (SELECT 1 FROM claim c WHERE (c.holder_id = t.id OR c.insured_id = t.id) AND {claim('c')})"
    return Rows(member, _either_party("claim", claim) if narrow else None, _OF_POLICY)


def _either_party(table: str, predicate: Callable[[str], str]) -> str:
    return f"t.id {_any_of(_parties(table, predicate))}"


def _any_of(ids: str) -> str:
    """To list by: an array is made once and looked up in order, until a page is full."""
    return f"= ANY(ARRAY({ids}))"


def _parties(table: str, predicate: Callable[[str], str]) -> str:
    """Holder and insured of some policies or claims, each of which is read once."""
    parties = "CROSS JOIN LATERAL (VALUES (w.holder_id), (w.insured_id)) party_of(id)"
    return f"SELECT party_of.id FROM {table} w {parties} WHERE {predicate('w')}"


def _one_of_parties(table: str, predicate: Callable[[str], str]) -> str:
    """The same to find one of them in: either is looked up by its index."""
    return (
        f"SELECT w.holder_id FROM {table} w WHERE {predicate('w')}"
        f" UNION SELECT w.insured_id FROM {table} w WHERE {predicate('w')}"
    )


def _persons_own(person: str, each: str) -> Scope:
    """A customer's rows, or a guardian's: `person` is `= :person` or `= ANY(:wards)`, and `each` gives the same ids."""
    held_or_insured = f"(t.holder_id {person} OR t.insured_id {person})"
    return {
        "person": Rows(
            f"(t.id {person} OR EXISTS (SELECT 1 FROM policy w WHERE w.insured_id = t.id AND w.holder_id {person}))",
            # One list of ids: an OR beside a sub-select would try every person there is.
            f"t.id IN ({each} UNION SELECT w.insured_id FROM policy w WHERE w.holder_id {person})",
        ),
        "policy": Rows(held_or_insured, within=_OF_CLAIM | _OF_BENEFICIARY),
        "beneficiary": Rows(f"t.holder_id {person}"),
        "claim": Rows(held_or_insured),
        "consent": Rows(f"t.person_id {person}"),
        "device": Rows(f"t.person_id {person}"),
        "correction": Rows(f"t.person_id {person}"),
    }


def _agent() -> Scope:
    def policy(alias: str) -> str:
        work = assignee(Role.BROKER_AGENT, "a")
        return f"EXISTS (SELECT 1 FROM assignment a WHERE a.policy_id = {alias}.id AND {work})"

    return {
        "person": _of_policies(policy, narrow=True),
        "policy": Rows(policy("t"), within=_OF_BENEFICIARY),
        "beneficiary": Rows(
            f"EXISTS (SELECT 1 FROM policy w WHERE w.id = t.policy_id AND {policy('w')})", within=_OF_POLICY
        ),
        "consent": Rows(
            "t.purpose = 'application' AND EXISTS (SELECT 1 FROM policy w"
            f" WHERE (w.holder_id = t.person_id OR w.insured_id = t.person_id) AND {policy('w')})",
            f"t.purpose = 'application' AND t.person_id {_any_of(_parties('policy', policy))}",
        ),
    }


def _whole_brokerage() -> Scope:
    return {
        "person": Rows(
            "EXISTS (SELECT 1 FROM policy w WHERE w.holder_id = t.id OR w.insured_id = t.id)", within=_OF_POLICY
        ),
        "policy": Rows("TRUE"),
        "beneficiary": Rows("TRUE"),
        "claim": Rows(reported("t")),
    }


def _assigned_case(role: Role, condition: str) -> str:
    work = assignee(role, "a")
    return (
        "EXISTS (SELECT 1 FROM verification_case v JOIN assignment a ON a.verification_case_id = v.id"
        f" WHERE {condition} AND {work})"
    )


def _risk_verification() -> Scope:
    work = assignee(Role.RISK_ANALYST, "a")
    in_hand = "(verification_case v JOIN assignment a ON a.verification_case_id = v.id)"

    def claim(alias: str) -> str:
        return f"{reported(alias)} AND {_assigned_case(Role.RISK_ANALYST, f'v.claim_id = {alias}.id')}"

    return {
        "person": Rows(_assigned_case(Role.RISK_ANALYST, "v.person_id = t.id")),
        "claim": Rows(claim("t")),
        "policy": Rows(
            f"(EXISTS (SELECT 1 FROM claim c WHERE c.policy_id = t.id AND {claim('c')})"
            f" OR {_applied_for('t')} AND {_assigned_case(Role.RISK_ANALYST, 'v.policy_id = t.id')})",
            f"t.id IN (SELECT c.policy_id FROM claim c JOIN {in_hand} ON v.claim_id = c.id"
            f" WHERE {reported('c')} AND {work}"
            f" UNION SELECT w.id FROM policy w JOIN {in_hand} ON v.policy_id = w.id"
            f" WHERE {_applied_for('w')} AND {work})",
            within=_OF_CLAIM,
        ),
    }


def _officer(cases: str) -> Scope:
    """A privacy officer's rows, where `cases` selects the ids of the persons in the officer's hands."""
    either = f"(t.holder_id IN ({cases}) OR t.insured_id IN ({cases}))"
    policies = (
        f"SELECT w.id FROM policy w WHERE w.holder_id IN ({cases})"
        f" UNION SELECT w.id FROM policy w WHERE w.insured_id IN ({cases})"
    )
    return {
        "person": Rows(f"t.id IN ({cases})"),
        "policy": Rows(either, f"t.id IN ({policies})", within=_OF_CLAIM),
        "beneficiary": Rows(f"t.holder_id IN ({cases})"),
        # An array: joined to a list this short, the planner walks all claims in their order all the same.
        "claim": Rows(f"{reported('t')} AND {either}", f"{reported('t')} AND t.policy_id {_any_of(policies)}"),
        "consent": Rows(f"t.person_id IN ({cases})"),
        "device": Rows(f"t.person_id IN ({cases})"),
    }


def _requests_in_hand() -> str:
    return (
        "SELECT q.person_id FROM rights_request q JOIN assignment a ON a.rights_request_id = q.id"
        f" WHERE q.closed_at IS NULL AND {assignee(Role.PRIVACY_OFFICER, 'a')}"
    )


def _disclosures_in_hand() -> str:
    return (
        "SELECT dp.person_id FROM disclosure_person dp JOIN disclosure_case d ON d.id = dp.case_id"
        " JOIN assignment a ON a.disclosure_case_id = d.id"
        f" WHERE {approved('d')} AND {assignee(Role.PRIVACY_OFFICER, 'a')} AND {opens('d', 'dp.person_id')} <> 0"
    )


def approved(alias: str) -> str:
    """SQL: is this disclosure case approved, open and unexpired? (C25, C45)"""
    return f"{alias}.approved_at IS NOT NULL AND {alias}.closed_at IS NULL AND {alias}.expires_at > now()"


def _applied_for(alias: str) -> str:
    """SQL: was this policy ever more than a draft? That is nobody's business but its drafters'."""
    return f"{alias}.status <> 'DRAFT'"


def reported(alias: str) -> str:
    """SQL: was this claim ever reported? A draft is nobody's business but its drafters', withdrawn ones included (C10).

    A draft that is withdrawn gets no `closed_at`: nothing was opened. Every other withdrawn claim has one.
    """
    return f"({alias}.status <> 'DRAFT' AND ({alias}.status <> 'WITHDRAWN' OR {alias}.closed_at IS NOT NULL))"


def _insurer(policy: Callable[[str], str]) -> Scope:
    return {
        "person": _of_policies(policy, narrow=False),
        "policy": Rows(policy("t"), within=_OF_BENEFICIARY),
        "beneficiary": Rows(
            f"EXISTS (SELECT 1 FROM policy w WHERE w.id = t.policy_id AND {policy('w')})", within=_OF_POLICY
        ),
        "consent": Rows("t.recipient_id = :organization"),
    }


def _insurer_applications() -> Scope:
    return _insurer(lambda alias: f"{alias}.insurer_id = :organization AND {alias}.status IN {_APPLIED}")


def _insurer_issued() -> Scope:
    return _insurer(
        lambda alias: f"{alias}.insurer_id = :organization AND {alias}.status IN {_ISSUED} AND {alias}.{_BEGUN}"
    )


def _insurer_claims() -> Scope:
    def claim(alias: str) -> str:
        return f"{alias}.insurer_id = :organization AND {reported(alias)}"

    def policy(alias: str) -> str:
        has_claim = f"EXISTS (SELECT 1 FROM claim c WHERE c.policy_id = {alias}.id AND {reported('c')})"
        return f"{alias}.insurer_id = :organization AND {has_claim}"

    return {
        **_insurer(policy),
        "policy": Rows(policy("t"), within=_OF_BENEFICIARY | _OF_CLAIM),
        "claim": Rows(claim("t")),
        "person": _of_claims(claim, narrow=False),
    }


def _health_provider() -> Scope:
    def policy(alias: str) -> str:
        return (
            f"EXISTS (SELECT 1 FROM health_service h WHERE h.policy_id = {alias}.id AND h.provider_id = :organization)"
        )

    return {"person": _of_policies(policy, narrow=True), "policy": Rows(policy("t"))}


def _engaged(role: Role, *, cases: bool) -> Scope:
    """Partners engaged on single claims or cases (C17): these, their policies and the policies' persons."""
    work = assignee(role, "a")
    ids = f"SELECT a.claim_id FROM assignment a WHERE {work} AND a.claim_id IS NOT NULL"
    people_in_hand, people_listed, policies_in_hand, policies_listed = "", "", "", ""
    if cases:
        in_hand = f"FROM verification_case v JOIN assignment a ON a.verification_case_id = v.id WHERE {work}"
        ids += f" UNION SELECT v.claim_id {in_hand} AND v.claim_id IS NOT NULL"
        applied = f"SELECT v.policy_id {in_hand} AND v.policy_id IS NOT NULL"

        def policy(alias: str) -> str:
            return f"{_applied_for(alias)} AND {alias}.id IN ({applied})"

        case_people = f" UNION SELECT v.person_id {in_hand}"
        people_in_hand = f"{case_people} UNION {_one_of_parties('policy', policy)}"
        people_listed = f"{case_people} UNION {_parties('policy', policy)}"
        policies_in_hand = f" OR {policy('t')}"
        policies_listed = f" UNION SELECT w.id FROM policy w WHERE {policy('w')}"

    def claim(alias: str) -> str:
        return f"{reported(alias)} AND {alias}.id IN ({ids})"

    of_claims = f"SELECT c.policy_id FROM claim c WHERE {claim('c')}"
    return {
        "person": Rows(
            f"t.id IN ({_one_of_parties('claim', claim)}{people_in_hand})",
            f"t.id {_any_of(_parties('claim', claim) + people_listed)}",
            within=_OF_POLICY,
        ),
        "policy": Rows(
            f"(t.id IN ({of_claims}){policies_in_hand})",
            f"t.id IN ({of_claims}{policies_listed})",
            within=_OF_CLAIM,
        ),
        "claim": Rows(claim("t")),
    }


def _consented(purpose: Purpose) -> Scope:
    return {
        "person": Rows(
            f"EXISTS (SELECT 1 FROM consent c WHERE c.person_id = t.id AND c.purpose = '{purpose.value}'"
            f" AND c.recipient_id = :organization AND {active('c')})",
        ),
    }


_EVERY_PURPOSE: Mapping[Role, Scope] = {
    Role.CUSTOMER: {**_persons_own("= :person", "SELECT :person::uuid"), "permission": Rows("t.person_id = :person")},
    Role.GUARDIAN: _persons_own("= ANY(:wards)", "SELECT unnest(:wards::uuid[])"),
}

_SCOPES: Mapping[tuple[Role, Purpose], Scope] = {
    (Role.BROKER_AGENT, Purpose.APPLICATION): _agent(),
    (Role.BROKER_AGENT, Purpose.POLICY_SERVICE): _agent(),
    (Role.CUSTOMER_SERVICE, Purpose.POLICY_SERVICE): _whole_brokerage(),
    (Role.CUSTOMER_SERVICE, Purpose.SERVICE_MESSAGE): _whole_brokerage(),
    (Role.CLAIMS_HANDLER, Purpose.CLAIM_HANDLING): _whole_brokerage(),
    (Role.RISK_ANALYST, Purpose.VERIFICATION): _risk_verification(),
    (Role.RISK_ANALYST, Purpose.SECURITY): {"person": Rows("TRUE"), "device": Rows("TRUE")},
    (Role.PRIVACY_OFFICER, Purpose.RIGHTS_REQUEST): {
        **_officer(_requests_in_hand()),
        "correction": Rows(f"t.person_id IN ({_requests_in_hand()})"),
    },
    (Role.PRIVACY_OFFICER, Purpose.REGULATORY_DISCLOSURE): _officer(_disclosures_in_hand()),
    (Role.INSURER, Purpose.APPLICATION): _insurer_applications(),
    (Role.INSURER, Purpose.POLICY_SERVICE): _insurer_issued(),
    (Role.INSURER, Purpose.CLAIM_HANDLING): _insurer_claims(),
    (Role.HEALTH_PROVIDER, Purpose.HEALTH_SERVICE): _health_provider(),
    (Role.LOSS_ADJUSTER, Purpose.CLAIM_HANDLING): _engaged(Role.LOSS_ADJUSTER, cases=False),
    (Role.SERVICE_PROVIDER, Purpose.VERIFICATION): _engaged(Role.SERVICE_PROVIDER, cases=True),
    (Role.AFFILIATE, Purpose.VERIFICATION): _consented(Purpose.VERIFICATION),
}

_MARKETING = frozenset({Role.MARKETER, Role.INSURER, Role.HEALTH_PROVIDER, Role.AFFILIATE})
