"""The register of the operator's duties, for privacy officers and the security team (C41, C46, C47, C56, C61, C62)."""

from datetime import date
from typing import Any

from models.global_ids import NodeType, to_global
from models.vocabulary import Role
from privacy.duties import Member, Standing, register, today_of
from resolvers.access_records import audits
from resolvers.asides import Fetching, Question, RootAside

OFFICERS = (Role.PRIVACY_OFFICER, Role.SECURITY_ADMIN)
"""Who sees to duties and incidents."""
_PLACE = "Query.duties"
_ESTIMATE, _WEIGHT = 50, 1_000


async def duties(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Every duty, the first due before all. None for who does not see to them."""
    if not audits(question, *OFFICERS):
        return None
    question.notes.ask(_PLACE, {})
    today = today_of(question.now)
    return [duty_told(one, today) for one in await register(Fetching(question.fetch), now=question.now)]


DUTIES = RootAside(_PLACE, duties, _ESTIMATE, _WEIGHT)


def duty_told(one: Standing, today: date) -> dict[str, Any]:
    """A duty by the schema's names."""
    return {
        "code": one.duty.code,
        "title": one.duty.title,
        "clause": one.duty.clause,
        "state": one.state.name,
        "dueOn": one.due_on,
        "days": None if one.due_on is None else one.days(today),
        "lastOn": one.last_on,
        "everyMonths": one.duty.every_months,
        "waiting": one.waiting,
        "members": [_member(each, today) for each in one.members],
    }


def _member(one: Member, today: date) -> dict[str, Any]:
    return {
        "member": to_global(NodeType.RECORD, one.id),
        "username": one.work_name,
        "lastOn": one.last_on,
        "dueOn": one.due_on,
        "overdue": one.due_on < today,
    }
