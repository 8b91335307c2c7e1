"""Lifecycles: which operation takes a policy or a claim from which status to which. Tables, not conditions.

docs/lifecycles.md is generated from them. What is not in a table is refused.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from models.claims import ClaimStatus as C
from models.policies import PolicyStatus as P


class Event(StrEnum):
    """What happens to a policy or a claim: the root field that writes it, and its outcome where it has several."""

    DRAFT_APPLICATION = "draftApplication"
    SUBMIT_APPLICATION = "submitApplication"
    WITHDRAW_APPLICATION = "withdrawApplication"
    UNDERWRITING_BEGUN = "recordUnderwriting: BEGIN"
    UNDERWRITING_ACCEPTED = "recordUnderwriting: ACCEPT"
    UNDERWRITING_DECLINED = "recordUnderwriting: DECLINE"
    RECORD_PAYMENT = "recordPayment"
    SET_BENEFICIARIES = "setBeneficiaries"
    SURRENDER_POLICY = "surrenderPolicy"
    DRAFT_CLAIM = "draftClaim"
    SUBMIT_CLAIM = "submitClaim"
    HANDLER_ASSIGNED = "assignClaim: handler"
    LOSS_ADJUSTER_ENGAGED = "assignClaim: loss adjuster"
    REQUEST_MATERIALS = "requestMaterials"
    CLAIM_APPROVED = "recordClaimDecision: APPROVE"
    CLAIM_REJECTED = "recordClaimDecision: REJECT"
    RECORD_CLAIM_PAYMENT = "recordClaimPayment"
    WITHDRAW_CLAIM = "withdrawClaim"
    CLOSE_CLAIM = "closeClaim"


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One noun's statuses: where it begins, and for every (event, status) where it goes."""

    noun: str
    begins: str
    steps: Mapping[tuple[Event, str], str]

    def after(self, event: Event, status: str) -> str | None:
        """The status that an event leads to; None where it cannot happen."""
        return self.steps.get((event, status))

    def statuses_of(self, event: Event) -> tuple[str, ...]:
        """The statuses in which an event can happen."""
        return tuple(status for happening, status in self.steps if happening is event)


def _steps(*rows: tuple[Event, Iterable[StrEnum], StrEnum | None]) -> dict[tuple[Event, str], str]:
    """Rows of (event, from, to); no `to`: the status stays."""
    return dict(_pairs(rows))


def _pairs(
    rows: Iterable[tuple[Event, Iterable[StrEnum], StrEnum | None]],
) -> Iterator[tuple[tuple[Event, str], str]]:
    for event, begins, ends in rows:
        for status in begins:
            yield (event, status.value), (ends or status).value


POLICY = Lifecycle(
    "Policy",
    P.DRAFT.value,
    _steps(
        (Event.DRAFT_APPLICATION, (P.DRAFT,), None),
        (Event.SUBMIT_APPLICATION, (P.DRAFT,), P.SUBMITTED),
        (Event.WITHDRAW_APPLICATION, (P.DRAFT, P.SUBMITTED, P.UNDERWRITING, P.AWAITING_PAYMENT), P.TERMINATED),
        (Event.UNDERWRITING_BEGUN, (P.SUBMITTED,), P.UNDERWRITING),
        (Event.UNDERWRITING_ACCEPTED, (P.SUBMITTED, P.UNDERWRITING), P.AWAITING_PAYMENT),
        (Event.UNDERWRITING_DECLINED, (P.SUBMITTED, P.UNDERWRITING), P.DECLINED),
        (Event.RECORD_PAYMENT, (P.AWAITING_PAYMENT, P.GRACE), P.IN_FORCE),
        (Event.SET_BENEFICIARIES, (P.DRAFT, P.IN_FORCE, P.GRACE), None),
        (Event.SURRENDER_POLICY, (P.IN_FORCE, P.GRACE), P.SURRENDERED),
    ),
)
"""From an application to a policy's end. GRACE, LAPSED and EXPIRED come with time, not by an operation."""

CLAIM = Lifecycle(
    "Claim",
    C.DRAFT.value,
    _steps(
        (Event.DRAFT_CLAIM, (C.DRAFT, C.MATERIALS_PENDING), None),
        (Event.SUBMIT_CLAIM, (C.DRAFT,), C.REPORTED),
        (Event.SUBMIT_CLAIM, (C.MATERIALS_PENDING,), C.SUBMITTED),
        (Event.HANDLER_ASSIGNED, (C.REPORTED, C.SUBMITTED), C.REVIEWING),
        (Event.HANDLER_ASSIGNED, (C.MATERIALS_PENDING, C.REVIEWING, C.INVESTIGATING, C.APPROVED), None),
        # Somebody has to close it, also where nobody ever took it, or who did has left.
        (Event.HANDLER_ASSIGNED, (C.PAID, C.REJECTED, C.WITHDRAWN), None),
        (Event.LOSS_ADJUSTER_ENGAGED, (C.REVIEWING, C.INVESTIGATING), C.INVESTIGATING),
        (Event.REQUEST_MATERIALS, (C.REPORTED, C.SUBMITTED, C.REVIEWING, C.INVESTIGATING), C.MATERIALS_PENDING),
        # What is asked for can be amended: nobody is kept waiting for what cannot be given.
        (Event.REQUEST_MATERIALS, (C.MATERIALS_PENDING,), None),
        (Event.CLAIM_APPROVED, (C.SUBMITTED, C.REVIEWING, C.INVESTIGATING), C.APPROVED),
        (Event.CLAIM_REJECTED, (C.SUBMITTED, C.REVIEWING, C.INVESTIGATING), C.REJECTED),
        (Event.RECORD_CLAIM_PAYMENT, (C.APPROVED,), C.PAID),
        (
            Event.WITHDRAW_CLAIM,
            (C.DRAFT, C.REPORTED, C.MATERIALS_PENDING, C.SUBMITTED, C.REVIEWING, C.INVESTIGATING),
            C.WITHDRAWN,
        ),
        (Event.CLOSE_CLAIM, (C.PAID, C.REJECTED, C.WITHDRAWN), C.CLOSED),
    ),
)
"""From a report to the claim's end."""

LIFECYCLES: Mapping[str, Lifecycle] = {"Policy": POLICY, "Claim": CLAIM}


def diagrams() -> str:
    """docs/lifecycles.md: the tables as diagrams (Mermaid) and as rows."""
    return "\n".join((_HEAD, *(line for one in LIFECYCLES.values() for line in _diagram(one)))) + "\n"


_HEAD = """# Lifecycles

Generated from `models/lifecycles.py` (`.venv/bin/python -m models.lifecycles > docs/lifecycles.md`). What is not here
is refused with `WRONG_STATUS`, which names the statuses in which it can be done. Who may do it stands in
`authz/data/writes.csv`. GRACE, LAPSED and EXPIRED come with time; no operation leads there."""


def _diagram(one: Lifecycle) -> Iterator[str]:
    moves: dict[tuple[str, str], list[str]] = {}
    for (event, begins), ends in one.steps.items():
        moves.setdefault((begins, ends), []).append(event.value.replace(": ", " "))
    yield from ("", f"## {one.noun}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {one.begins}")
    yield from (f"    {begins} --> {ends}: {', '.join(names)}" for (begins, ends), names in moves.items())
    yield from ("```", "", "| event | from | to |", "|---|---|---|")
    for (event, begins), ends in one.steps.items():
        yield f"| {event.value} | {begins} | {ends} |"


if __name__ == "__main__":
    print(diagrams(), end="")  # noqa: T201 - what it is run for
