"""The reference's decisions, asked of Casbin cell by cell: `docs/decisions/001-situations.md`, line by line.

A cell is one coordinate of one record. `pairs` gives its situation and `decide` its effect, asking Casbin
twice at most, with the reason why it is not more. Nothing is compiled and no answer is remembered.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path

import casbin
from graphql import InterfaceTypeDefinitionNode, ObjectTypeDefinitionNode, parse

from tests.reference.world import Row, World, age, moment

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = ROOT / "schema" / "contract.graphql"
NECESSITY = ROOT / "authz" / "data" / "necessity.csv"
GRANTS = ROOT / "authz" / "data" / "grants.csv"

STAFF = frozenset(
    {
        "broker_agent",
        "customer_service",
        "claims_handler",
        "risk_analyst",
        "marketer",
        "analyst",
        "privacy_officer",
        "security_admin",
        "auditor",
        "developer",
    },
)
TEXT = frozenset(
    {
        "name",
        "government_id",
        "phone",
        "relay",
        "email",
        "address",
        "bank_account",
        "occupation",
        "profile",
        "account",
    },
)
"""The categories of which a part can be shown."""

OPEN_POLICY = {
    "application": {"SUBMITTED", "UNDERWRITING", "AWAITING_PAYMENT"},
    "policy_service": {"IN_FORCE", "GRACE"},
    "service_message": {"IN_FORCE", "GRACE"},
    "account_service": {"IN_FORCE", "GRACE"},
}
OPEN_CLAIM = {"REPORTED", "MATERIALS_PENDING", "SUBMITTED", "REVIEWING", "INVESTIGATING", "APPROVED"}

ADULT = 18

Pair = tuple[str, str]


# --- The caller ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Caller:
    """Who asks, for what. `username` names a customer, guardian or member of staff, `org_code` a partner."""

    role: str
    purpose: str
    org_code: str | None = None
    username: str | None = None
    categories: frozenset[str] = frozenset()
    purposes: tuple[str, ...] = ()


class Subject:
    """A caller found in the world."""

    def __init__(self, world: World, caller: Caller, *, at: datetime) -> None:
        """Look the caller up; one who is not there is an error."""
        self.world, self.caller, self.at = world, caller, at
        self.role, self.purpose = caller.role, caller.purpose
        self.person: Row | None = None
        self.staff: Row | None = None
        self.organization: Row | None = None
        if self.role in STAFF:
            (self.staff,) = [row for row in world.all("Staff") if row.username == caller.username] or [None]
        elif self.role in ("customer", "guardian"):
            accounts = [row for row in world.all("Account") if row.user is not None]
            (self.person,) = [row.user for row in accounts if row.username == caller.username]
        else:
            (self.organization,) = [row for row in world.all("Organization") if row.code == caller.org_code]

    @cached_property
    def children(self) -> list[Row]:
        """A guardian's children: link verified and not revoked, the child under age today."""
        if self.role != "guardian" or self.person is None:
            return []
        links = self.world.linked("GuardianLink", "guardian", self.person)
        return [link.child for link in links if self.link_counts(link)]

    def link_counts(self, link: Row) -> bool:
        """Is this guardian link verified, not revoked, and its child under age?"""
        if link.verifiedAt is None or link.revokedAt is not None or link.child.birthDate is None:
            return False
        return age(link.child.birthDate, self.at) < ADULT

    def assigned(self, target: str, row: Row) -> bool:
        """Has the caller an assignment of this row that has not ended?"""
        return any(
            (self.staff is not None and work.staff is self.staff)
            or (self.organization is not None and work.organization is self.organization)
            for work in self.world.linked("Assignment", target, row)
            if not self.past(work.endedAt)
        )

    def past(self, text: str | None) -> bool:
        """Is there such a moment, and has it come?"""
        return text is not None and moment(text) <= self.at

    def active(self, consent: Row) -> bool:
        """Is a consent neither withdrawn nor past its expiry?"""
        return consent.withdrawnAt is None and not self.past(consent.expiresAt)


# --- Witnesses ----------------------------------------------------------------------------------------------


def pairs(subject: Subject, of: str, record: Row, category: str) -> frozenset[Pair]:
    """The situation of one cell of a user, policy, beneficiary or claim; `of` says whose datum it is."""
    found = set(_record_pairs(subject, of, record))
    person = data_subject(of, record)
    if person is not None:
        found |= set(_case_pairs(subject, person, category, record))
    return frozenset(found) or frozenset({("none", "none")})


def data_subject(of: str, record: Row) -> Row | None:
    """Whose datum it is; a beneficiary, reporter or payee is the person of the verified link, if any."""
    match of:
        case "USER":
            return record
        case "HOLDER":
            return record.policyholder
        case "INSURED":
            return record.policy.insured
        case "BENEFICIARY":
            return record.person if record.personVerifiedAt else None
        case "REPORTER":
            return record.reporter if record.reporterVerifiedAt else None
        case _:
            return record.payee if record.payeeVerifiedAt else None


def _record_pairs(subject: Subject, of: str, record: Row) -> Iterator[Pair]:
    """What the policies, claims and health services witness that count for this field."""
    world, purpose = subject.world, subject.purpose
    person = data_subject(of, record)
    if record.type == "User":
        policies = world.policies_of(record)
        yield from _identity_pairs(subject, record)
    else:
        policies = [record if record.type == "Policy" else record.policy]
    if purpose == "claim_handling":
        claims = (
            [record] if record.type == "Claim" else [c for p in policies for c in world.linked("Claim", "policy", p)]
        )
        for claim in claims:
            yield from _claim_pairs(subject, of, person, claim)
        return
    if purpose == "health_service" and record.type != "Claim":
        for policy in policies:
            for service in world.linked("HealthService", "policy", policy):
                yield _health_service_pair(subject, service)
    if not (purpose == "health_service" and record.type == "User"):
        for policy in policies:
            yield from _policy_pairs(subject, of, person, policy)


def _identity_pairs(subject: Subject, person: Row) -> Iterator[Pair]:
    """Identity and guardian links, which witness a person's own fields only."""
    if subject.role == "customer" and person is subject.person:
        yield "self", "none"
    if person in subject.children:
        yield "guardian_of", "none"


def _policy_pairs(subject: Subject, of: str, person: Row | None, policy: Row) -> Iterator[Pair]:
    opened = policy.status in OPEN_POLICY.get(subject.purpose, ()) or (
        subject.role == "broker_agent" and subject.purpose == "application" and policy.status == "DRAFT"
    )
    relations = _personal(subject, of, person, policy)
    if subject.assigned("policy", policy):
        relations.add("assigned")
    if subject.organization is not None and policy.insurer is subject.organization:
        relations.add("underwriter")
    yield from _with(relations, "contract_open" if opened else "none")


def reported(claim: Row) -> bool:
    """Was this claim ever more than a draft? A draft that was withdrawn has no time of closing."""
    return claim.status != "DRAFT" and (claim.status != "WITHDRAWN" or claim.closedAt is not None)


def _claim_pairs(subject: Subject, of: str, person: Row | None, claim: Row) -> Iterator[Pair]:
    if not reported(claim):
        return
    relations = _personal(subject, of, person, claim.policy)
    if subject.assigned("claim", claim):
        relations.add("assigned")
    if subject.organization is not None and claim.policy.insurer is subject.organization:
        relations.add("underwriter")
    yield from _with(relations, "contract_open" if claim.status in OPEN_CLAIM else "none")


def _personal(subject: Subject, of: str, person: Row | None, policy: Row) -> set[str]:
    """The relations that depend on which data subject the field is about."""
    relations = set()
    if subject.role == "customer":
        if person is subject.person:
            relations.add("self")
        elif policy.policyholder is subject.person and (
            of in ("INSURED", "BENEFICIARY") or (of == "USER" and person is policy.insured)
        ):
            relations.add("holder_of")
    if person in subject.children:
        relations.add("guardian_of")
    return relations


def _health_service_pair(subject: Subject, service: Row) -> Pair:
    tied = subject.organization is not None and service.provider is subject.organization
    running = subject.past(service.startsAt) and not subject.past(service.endsAt)
    return "provider" if tied else "none", "contract_open" if running else "none"


def _case_pairs(subject: Subject, person: Row, category: str, record: Row) -> Iterator[Pair]:
    """What the data subject's cases, requests and consents of this purpose witness, if they cover the record."""
    world = subject.world
    if subject.purpose == "verification":
        cases = world.linked("VerificationCase", "user", person)
        yield from (_verification_pair(subject, case, category) for case in cases if _case_covers(case, record))
    if subject.purpose == "rights_request":
        for request in world.linked("RightsRequest", "user", person):
            yield from _request_pairs(subject, request)
    disclosures = [case for case in world.all("DisclosureCase") if _same_purpose(subject, case)]
    if _names_exception(subject):
        yield from (_disclosure_pair(subject, case, category) for case in disclosures if person in case.users)
    consents = [consent for consent in world.linked("Consent", "user", person) if _same_purpose(subject, consent)]
    yield from (_consent_pair(subject, consent, category) for consent in consents)


def _same_purpose(subject: Subject, record: Row) -> bool:
    return bool(record.purpose.lower() == subject.purpose)


def _case_covers(case: Row, record: Row) -> bool:
    """A verification case covers its person, and of records only its claim and that claim's policy."""
    if record.type == "User":
        return True
    if case.claim is None:
        return False
    if record.type == "Claim":
        return record is case.claim
    return case.claim.policy is (record if record.type == "Policy" else record.policy)


def _names_exception(subject: Subject) -> bool:
    """Does a rule of the role and purpose name `exception`?"""
    return any(
        (rule.role, rule.purpose, rule.basis) == (subject.role, subject.purpose, "exception") for rule in rules()
    )


def _verification_pair(subject: Subject, case: Row, category: str) -> Pair:
    live = (
        case.closedAt is None
        and case.consent.user is case.user
        and case.consent.purpose == "VERIFICATION"
        and _consents(subject, case.consent, category)
    )
    return "assigned" if subject.assigned("verificationCase", case) else "none", "consent" if live else "none"


def _request_pairs(subject: Subject, request: Row) -> Iterator[Pair]:
    relations = set()
    if subject.assigned("rightsRequest", request):
        relations.add("assigned")
    if request.requester is subject.person and request.user in subject.children:
        relations.add("guardian_of")
    if subject.role == "customer" and request.user is subject.person:
        relations.add("self")
    yield from _with(relations, "request" if request.closedAt is None else "none")


def _disclosure_pair(subject: Subject, case: Row, category: str) -> Pair:
    holds = (
        live_disclosure(subject, case)
        and case.purpose.lower() == subject.purpose
        and case.recipient is subject.organization
        and category.upper() in case.categories
    )
    return "assigned" if subject.assigned("disclosureCase", case) else "none", "exception" if holds else "none"


def live_disclosure(subject: Subject, case: Row) -> bool:
    """Is a disclosure case approved, not closed and not expired?"""
    return case.approvedAt is not None and case.closedAt is None and not subject.past(case.expiresAt)


def _consent_pair(subject: Subject, consent: Row, category: str) -> Pair:
    audience = subject.purpose == "marketing" and consent.recipient is subject.organization
    return "audience" if audience else "none", "consent" if _consents(subject, consent, category) else "none"


def _consents(subject: Subject, consent: Row, category: str) -> bool:
    """Is a consent active, for this operation's purpose, this recipient and this category?"""
    return (
        subject.active(consent)
        and consent.purpose.lower() == subject.purpose
        and consent.recipient is subject.organization
        and category.upper() in consent.categories
    )


def _with(relations: set[str], basis: str) -> list[Pair]:
    return [(relation, basis) for relation in relations or {"none"}]


# --- Rules --------------------------------------------------------------------------------------------------

MODEL = """
[request_definition]
r = role, purpose, situation, coordinate, action
[policy_definition]
p = role, purpose, relation, basis, object, action, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.role == p.role && r.purpose == p.purpose && holds(r.situation, p.relation, p.basis) && covers(r.coordinate, p.object) && acts(r.action, p.action, p.eft)
"""  # noqa: E501 - a matcher is one line


@dataclass(frozen=True)
class Rule:
    """One row of the ruleset."""

    role: str
    purpose: str
    relation: str
    basis: str
    object: str
    action: str
    eft: str


@dataclass(frozen=True)
class Sensitive:
    """What the contract says of a sensitive field."""

    category: str
    of: str


@lru_cache
def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@lru_cache
def rules() -> tuple[Rule, ...]:
    """The default ruleset, straight from the two tables."""
    found = []
    for row in _table(NECESSITY):
        who = row["role"], row["purpose"], row["relation"], row["basis"]
        for category in categories():
            if row[category] != "-":
                action = {"R": "reveal", "M": "mask"}[row[category]]
                found.append(Rule(*who, category, action, "allow"))
    for row in _table(GRANTS):
        who = row["role"], row["purpose"], row["relation"], row["basis"]
        found.append(Rule(*who, row["object"], row["action"], "allow"))
    return tuple(found)


@lru_cache
def categories() -> tuple[str, ...]:
    """Every category: the columns of the matrix between the basis and the clause."""
    header = list(_table(NECESSITY)[0])
    return tuple(header[header.index("basis") + 1 : header.index("clause")])


def named(role: str) -> frozenset[str]:
    """The purposes under which the matrix names a role."""
    return frozenset(row["purpose"] for row in _table(NECESSITY) if row["role"] == role)


@lru_cache
def sensitive() -> dict[str, Sensitive]:
    """Every sensitive coordinate of the contract, with its category and data subject."""
    found = {}
    for node in parse(CONTRACT.read_text(encoding="utf-8")).definitions:
        if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            for field in node.fields or ():
                for directive in field.directives or ():
                    if directive.name.value == "sensitive":
                        given = {argument.name.value: argument.value.value for argument in directive.arguments}
                        known = Sensitive(given["category"].lower(), given.get("of", "HOLDER"))
                        found[f"{node.name.value}.{field.name.value}"] = known
    return found


# --- Decisions ----------------------------------------------------------------------------------------------


def covers(coordinate: str, thing: str) -> bool:
    """Does a rule's object, a coordinate or a category, cover this coordinate?"""
    return thing in (coordinate, sensitive()[coordinate].category)


def holds(situation: str, relation: str, basis: str) -> bool:
    """Has a situation, written `self+none consent+none …`, a pair that a rule's relation and basis match?"""
    return any(
        relation in ("any", pair[0]) and basis in ("any", pair[1])
        for pair in (tuple(text.split("+")) for text in situation.split())
    )


def acts(asked: str, action: str, eft: str) -> bool:
    """Equal; or reveal-allow when asked for mask; or mask-deny when asked for reveal."""
    return (
        asked == action
        or (asked, action, eft) == ("mask", "reveal", "allow")
        or (asked, action, eft) == ("reveal", "mask", "deny")
    )


@lru_cache
def _enforcer(role: str, purpose: str) -> casbin.Enforcer | None:
    """An enforcer over one role's and purpose's rules; None without any, since an empty one may allow."""
    mine = [rule for rule in rules() if (rule.role, rule.purpose) == (role, purpose)]
    if not mine:
        return None
    model = casbin.Model()
    model.load_model_from_text(MODEL)
    enforcer = casbin.Enforcer(model)
    for function in (holds, covers, acts):
        enforcer.add_function(function.__name__, function)
    for rule in mine:
        enforcer.add_policy(*vars(rule).values())
    return enforcer


def allowed(subject: Subject, situation: Iterable[Pair], coordinate: str, action: str) -> bool:
    """Casbin's answer about one cell."""
    written = " ".join(sorted("+".join(pair) for pair in situation))
    asked = (subject.role, subject.purpose, written, coordinate, action)
    enforcer = _enforcer(subject.role, subject.purpose)
    return enforcer is not None and bool(enforcer.enforce(*asked))


@dataclass(frozen=True)
class Decision:
    """The effect on one cell, with the reason if it is DENY."""

    effect: str
    reason: str | None = None


def decide(subject: Subject, coordinate: str, record: Row) -> Decision:
    """Reveal, mask or deny one coordinate of one record (a device's record is its user)."""
    field = sensitive()[coordinate]
    if field.category not in subject.caller.categories:
        return Decision("DENY", "TOKEN_SCOPE")
    situation = pairs(subject, field.of, record, field.category)
    if allowed(subject, situation, coordinate, "reveal"):
        return Decision("REVEAL")
    if field.category in TEXT and allowed(subject, situation, coordinate, "mask"):
        return Decision("MASK")
    return Decision("DENY", _reason(subject, situation, coordinate))


def _reason(subject: Subject, situation: frozenset[Pair], coordinate: str) -> str:
    written = " ".join("+".join(pair) for pair in situation)
    about = [rule for rule in rules() if covers(coordinate, rule.object) and rule.role == subject.role]
    here = [rule for rule in about if rule.purpose == subject.purpose]
    if any(rule.eft == "deny" and holds(written, rule.relation, rule.basis) for rule in here):
        return "RULE_DENIES"
    showing = [rule for rule in about if rule.eft == "allow" and rule.action in ("reveal", "mask")]
    if not showing:
        return "ROLE"
    relations = {rule.relation for rule in showing if rule.purpose == subject.purpose}
    if not relations:
        return "PURPOSE"
    if not any(holds(written, relation, "any") for relation in relations):
        return "RELATION"
    told = subject.role == "privacy_officer" or any(pair[0] in ("self", "guardian_of") for pair in situation)
    return "BASIS" if told else "RELATION"


def may_filter(subject: Subject, coordinate: str) -> bool:
    """May the caller look rows up by this coordinate?"""
    if sensitive()[coordinate].category not in subject.caller.categories:
        return False
    return allowed(subject, {("none", "none")}, coordinate, "filter")


# --- Masks --------------------------------------------------------------------------------------------------

COMPOUND_SURNAMES = frozenset(
    (
        *("欧阳", "司马", "上官", "诸葛", "东方", "夏侯", "尉迟", "皇甫", "慕容", "令狐"),
        *("公孙", "司徒", "南宫", "端木", "轩辕", "宇文", "长孙", "独孤", "申屠", "赫连"),
    )
)


def mask(category: str, value: str) -> str:
    """A text value of which only what its category allows is left."""
    return MASKS[category](value) if category in MASKS else "***"


def _mask_name(name: str) -> str:
    compound = "·" not in name and len(name) > len("欧阳") and name[:2] in COMPOUND_SURNAMES
    return name[: 2 if compound else 1] + "*"


def _mask_address(address: str) -> str:
    district = re.match(r".*?市(?:.*?[区县旗])?", address)
    return (district.group() if district else "") + "***"


MASKS = {
    "name": _mask_name,
    "government_id": lambda number: number[0] + "*" * 16 + number[-1],
    "phone": lambda number: number[:3] + "****" + number[-4:],
    "bank_account": lambda number: "*" * 15 + number[-4:],
    "email": lambda email: email[0] + "***@" + email.rsplit("@", 1)[1],
    "address": _mask_address,
}
