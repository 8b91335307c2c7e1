"""A naive replay: a history of consents and notices, event by event, and what is decided at its end.

Written from the design and the matrix; nothing of the product is used. Moments are days from now: -3.5 is past.
"""

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
BROKER = "BROKER"
TEXT = frozenset(
    ("name", "government_id", "phone", "relay", "email", "address", "bank_account", "occupation", "profile", "account")
)
"""The categories of which a part can be shown."""

Function = tuple[str, str]
"""Purpose and kind of recipient."""


@dataclass(frozen=True)
class Published:
    at: float
    number: int
    effective: float
    functions: Mapping[Function, frozenset[str]]


@dataclass(frozen=True)
class Agreed:
    at: float
    person: int
    notice: int
    agrees: bool | None
    """None: they said nothing, and were first known under it."""


@dataclass(frozen=True)
class Granted:
    at: float
    consent: int
    person: int
    purpose: str
    recipient: str | None
    """The code of an organization; None: the brokerage itself."""
    categories: frozenset[str]
    expires: float | None


@dataclass(frozen=True)
class Withdrawn:
    at: float
    consent: int


@dataclass(frozen=True)
class Opened:
    """A verification case, given to somebody: a member of staff by name, an organization by code."""

    at: float
    case: int
    person: int
    consent: int
    worker: str
    of_claim: bool


@dataclass(frozen=True)
class Requested:
    at: float
    request: int
    person: int
    worker: str


@dataclass(frozen=True)
class Closed:
    at: float
    case: int | None = None
    request: int | None = None


Event = Published | Agreed | Granted | Withdrawn | Opened | Requested | Closed


@dataclass(frozen=True)
class Terms:
    """What a bundle says that decisions depend on; `bases` by purpose."""

    bases: Mapping[str, frozenset[str]]
    apart: frozenset[str]
    longest_days: int


@cache
def terms_of(bundle: str) -> Terms:
    told = tomllib.loads((ROOT / "privacy" / "data" / "bundles" / f"{bundle}.toml").read_text(encoding="utf-8"))
    return Terms(
        {purpose: frozenset(bases) for purpose, bases in told["bases"].items()},
        frozenset(told["consent"]["apart"]),
        told["consent"]["longest_days"],
    )


@dataclass(frozen=True)
class Asker:
    """Somebody who asks: a member of staff by name, or an organization by code; `kind` as notices say it."""

    role: str
    purpose: str
    name: str
    kind: str = BROKER

    @property
    def recipient(self) -> str | None:
        return None if self.kind == BROKER else self.name


@dataclass(frozen=True)
class Policy:
    insurer: str
    status: str
    begun: bool


@dataclass(frozen=True)
class Known:
    """One of the people of a history, with their policies; `claim` has the numbers of its holder and its insured."""

    policies: tuple[Policy, ...]
    claim: tuple[int | None, int | None] | None = None


Decision = tuple[str, str | None]
"""Effect, and the reason of a denial."""


@dataclass
class Replay:
    """What is left of a history at its end."""

    terms: Terms
    people: tuple[Known, ...]
    notices: dict[int, Published] = field(default_factory=dict)
    agreed: dict[int, set[int]] = field(default_factory=dict)
    consents: dict[int, Granted] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)
    cases: dict[int, Opened] = field(default_factory=dict)
    requests: dict[int, Requested] = field(default_factory=dict)
    closed_cases: set[int] = field(default_factory=set)
    closed_requests: set[int] = field(default_factory=set)

    def happen(self, event: Event) -> None:
        match event:
            case Published():
                self.notices[event.number] = event
            case Agreed() if event.agrees is not False:
                self.agreed.setdefault(event.person, set()).add(event.notice)
            case Granted():
                self.consents[event.consent] = event
            case Withdrawn():
                self.withdrawn.add(event.consent)
            case Opened():
                self.cases[event.case] = event
            case Requested():
                self.requests[event.request] = event
            case Closed():
                if event.case is not None:
                    self.closed_cases.add(event.case)
                if event.request is not None:
                    self.closed_requests.add(event.request)

    # What holds.

    def active(self, consent: Granted) -> bool:
        return consent.consent not in self.withdrawn and (consent.expires is None or consent.expires > 0)

    def lasts(self, consent: Granted) -> bool:
        """Is it active, and not older than the law in force lets one last?"""
        longest = self.terms.longest_days
        return self.active(consent) and (not longest or consent.at > -longest)

    def opens(self, consent: Granted, category: str) -> bool:
        """A consent opens what it names; where some stands apart, that only if it names nothing else."""
        mixed = bool(consent.categories - self.terms.apart)
        return category in consent.categories and not (mixed and category in self.terms.apart)

    def told(self, asker: Asker, person: int, category: str) -> bool:
        """Does the last effective notice that they agreed to, the first without one, tell of this use?"""
        if not self.notices:
            return True
        held = [one for one in self.agreed.get(person, ()) if self.notices[one].effective <= 0]
        standing = self.notices[max(held, default=min(self.notices))]
        return category in standing.functions.get((asker.purpose, asker.kind), frozenset())

    def given(self, asker: Asker, person: int) -> list[Granted]:
        """Consents of a person to this recipient for this purpose, active or not."""
        return [
            one
            for one in self.consents.values()
            if (one.person, one.purpose, one.recipient) == (person, asker.purpose, asker.recipient)
        ]

    # Who exists.

    def exists(self, asker: Asker, person: int) -> bool:
        known = self.people[person]
        if asker.purpose == "marketing" or asker.role == "affiliate":
            return any(self.active(one) for one in self.given(asker, person))
        if asker.purpose == "verification":
            in_hand = [one for one in self.cases.values() if one.worker == asker.name]
            party = asker.role == "service_provider" and any(
                one.of_claim and person in (self.people[one.person].claim or ()) for one in in_hand
            )
            return party or any(one.person == person for one in in_hand)
        if asker.purpose == "rights_request":
            return bool(self._in_hand(asker, person))
        if asker.role == "insurer":
            issued = {"IN_FORCE", "GRACE", "LAPSED", "SURRENDERED", "EXPIRED", "TERMINATED"}
            return any(one.insurer == asker.name and one.begun and one.status in issued for one in known.policies)
        return bool(known.policies)

    def claim_exists(self, asker: Asker, person: int) -> bool:
        """Does the claim of this person exist for somebody who verifies?"""
        in_hand = [one for one in self.cases.values() if one.worker == asker.name and one.of_claim]
        return any(one.person == person for one in in_hand)

    def _in_hand(self, asker: Asker, person: int) -> list[Requested]:
        return [
            one
            for one in self.requests.values()
            if one.request not in self.closed_requests and (one.worker, one.person) == (asker.name, person)
        ]

    # Decisions.

    def situation(self, asker: Asker, person: int, category: str, *, of_claim: bool) -> set[tuple[str, str]]:
        lawful = self.terms.bases[asker.purpose]
        found = set()
        for consent in self.given(asker, person):
            live = self.lasts(consent) and self.opens(consent, category)
            found.add(("audience" if asker.purpose == "marketing" else "none", "consent" if live else "none"))
        if asker.purpose == "verification":
            for case in self.cases.values():
                if case.person == person and (case.of_claim or not of_claim):
                    consent = self.consents[case.consent]
                    live = (
                        case.case not in self.closed_cases
                        and consent in self.given(asker, person)
                        and self.lasts(consent)
                        and self.opens(consent, category)
                    )
                    tied = case.worker == asker.name
                    found.add(("assigned" if tied else "none", "consent" if live else "none"))
        if self._in_hand(asker, person) and asker.purpose == "rights_request":
            found.add(("assigned", "request"))
        if asker.purpose == "policy_service":
            for policy in self.people[person].policies:
                opened = policy.status in ("IN_FORCE", "GRACE")
                tied = asker.role == "insurer" and policy.insurer == asker.name
                found.add(("underwriter" if tied else "none", "contract_open" if opened else "none"))
        return {(tie, basis if basis in lawful else "none") for tie, basis in found} or {("none", "none")}

    def decide(self, asker: Asker, person: int, category: str, *, of_claim: bool = False) -> Decision:
        """What is answered about one cell of a category, and why not more."""
        rows = [row for row in matrix() if row["role"] == asker.role and row[category] != "-"]
        if not rows:
            return "DENY", "ROLE"
        rows = [row for row in rows if row["purpose"] == asker.purpose]
        if not rows:
            return "DENY", "PURPOSE"
        situation = self.situation(asker, person, category, of_claim=of_claim)
        told = self.told(asker, person, category)
        levels = {
            row[category]
            for row in rows
            for relation, basis in situation
            if told and row["relation"] in ("any", relation) and row["basis"] in ("any", basis)
        }
        if "R" in levels:
            return "REVEAL", None
        if "M" in levels and category in TEXT:
            return "MASK", None
        # Only the privacy officer may know which basis is not open: here, always of people tied to them.
        return "DENY", "BASIS" if asker.role == "privacy_officer" else "RELATION"


@cache
def matrix() -> tuple[dict[str, str], ...]:
    lines = (ROOT / "authz" / "data" / "necessity.csv").read_text(encoding="utf-8").splitlines()
    return tuple(csv.DictReader(line for line in lines if not line.startswith("#")))


def replay(events: list[Event], terms: Terms, people: tuple[Known, ...]) -> Replay:
    """The whole history, in its order."""
    found = Replay(terms, people)
    for event in events:
        found.happen(event)
    return found
