"""How partners behave, and which grants are used: for auditors and the security team (C41, C56)."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from authz.grants import codes, name_of
from authz.reach import persons_within_reach
from authz.reviews import ITSELF, MOST_DAYS, OPERATOR, USUAL_UNUSED_DAYS, Reviewed, review
from authz.unused_grants import NOTICE
from ledger.behaviour import Behaviour, Flagged, behaviour, period
from ledger.rows import time_text
from models.global_ids import NodeType, to_global
from models.vocabulary import Role
from resolvers.access_names import organizations_of
from resolvers.access_records import audits, check_year
from resolvers.aside_turns import HEAVY, turn
from resolvers.asides import Question, RootAside
from resolvers.problems import bad_input
from resolvers.times import in_shanghai

_WATCHING = (Role.AUDITOR, Role.SECURITY_ADMIN)
_REPORT, _REVIEW = "Query.partnerReport", "Query.accessReview"
_REVIEW_WEIGHT = 5_000
_ESTIMATE = 100
"""How many rows each of these lists counts for."""


async def partner_report(question: Question) -> Any:  # noqa: ANN401 - plain values
    """What partners did in some days, and what of it is out of the ordinary. None for who does not watch over it."""
    if not audits(question, *_WATCHING):
        return None
    given = question.arguments
    for name in ("from", "to"):
        check_year(given.get(name), argument=name)
    try:
        since, until = period(given.get("from"), given.get("to"), now=question.now)
    except ValueError as refused:
        raise bad_input("to", str(refused)) from None
    code = given.get("organization")
    reach = partial(persons_within_reach, question.fetch)
    async with turn():
        found = await behaviour(question.fetch, code, since=since, until=until, reach=reach)
    if code is not None and not found:
        raise bad_input("organization", "There is no partner of that code.")
    question.notes.ask(_REPORT, {"organization": code, "from": time_text(since), "to": time_text(until)})
    organizations = await organizations_of(question.fetch, (one.id for one in found))
    return [_report(one, organizations) for one in found]


PARTNER_REPORT = RootAside(_REPORT, partner_report, _ESTIMATE, HEAVY)


def _report(one: Behaviour, organizations: Mapping[UUID | None, dict[str, Any]]) -> dict[str, Any]:
    return {
        "organization": organizations[one.id],
        "since": in_shanghai(one.since),
        "until": in_shanghai(one.until),
        "operations": one.operations,
        "persons": one.persons,
        "misses": one.misses,
        "denied": one.denied,
        "statistics": one.statistics,
        "purposes": _counted(one.purposes),
        "coordinates": _counted(one.coordinates),
        "refusals": _counted(one.refusals),
        "hours": list(one.hours),
        "anomalies": [_anomaly(found) for found in one.anomalies],
    }


def _counted(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "operations": count} for name, count in counts.items()]


def _anomaly(found: Flagged) -> dict[str, Any]:
    return {
        "rule": found.rule.name,
        "figure": found.figure,
        "threshold": found.threshold,
        "since": in_shanghai(found.since),
        "until": in_shanghai(found.until),
        "decisionIds": [str(one) for one in found.decisions],
    }


async def access_review(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Every grant and whether it is used. None for who does not watch over it."""
    if not audits(question, *_WATCHING):
        return None
    days = question.arguments.get("unusedDays", USUAL_UNUSED_DAYS)
    if not 1 <= days <= MOST_DAYS:
        raise bad_input("unusedDays", f"Days are a number from 1 to {MOST_DAYS}.")
    question.notes.ask(_REVIEW, {"unusedDays": days})
    found = await review(question.fetch, question.snapshot, now=question.now, unused_days=days)
    names = await codes(question.fetch)
    return [_reviewed(one, names) for one in found]


ACCESS_REVIEW = RootAside(_REVIEW, access_review, _ESTIMATE, _REVIEW_WEIGHT)


def _reviewed(one: Reviewed, names: Mapping[str, str]) -> dict[str, Any]:
    last = one.review
    return {
        "holder": name_of(one.grant.holder, names),
        "purpose": one.grant.purpose.name,
        "category": one.grant.category.name,
        "state": one.state.name,
        "since": in_shanghai(one.since),
        "lastUsedAt": one.last_used and in_shanghai(one.last_used),
        "idleDays": one.idle.days,
        "recertifiedUntil": last.until and in_shanghai(last.until) if last else None,
        "lapsesAt": in_shanghai(one.reported_at + NOTICE) if one.reported_at else None,
        "decision": last and last.decision.name,
        "decidedAt": last and in_shanghai(last.at),
        "decidedBy": last and _by(last.by),
    }


def _by(by: str) -> str:
    return by if by in (OPERATOR, ITSELF) else to_global(NodeType.RECORD, UUID(by))
