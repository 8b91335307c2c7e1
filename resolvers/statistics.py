"""Statistics, for whom the rules let count; answered from the month's release and nothing else (C18, C40, C41)."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from authz.situations import NOTHING
from models.statistics import Counts, Dimension
from models.vocabulary import PARTNER_ROLES
from privacy.statistics import PUBLISHED, Table, error_of, table_of
from privacy.statistics_releases import BROKERAGE, Release, ask, figures, month_of, release
from resolvers.asides import Question, RootAside
from resolvers.problems import Code, RequestRefusedError, bad_input, unavailable
from resolvers.times import SHANGHAI, in_shanghai

_COORDINATES = {Counts.POLICIES: "Query.policyStatistics", Counts.CLAIMS: "Query.claimStatistics"}
_WEIGHT = 500
_ESTIMATE = 200
"""Groups of one answer."""
_LONGEST = 32
"""Of a code, and of everything else that is filtered by."""


def _statistics(counts: Counts) -> RootAside:
    coordinate = _COORDINATES[counts]

    async def answer(question: Question) -> Any:  # noqa: ANN401 - plain values
        rules = question.snapshot.slice(question.subject.role, question.purpose)
        if question.narrowed or not rules.may_filter(coordinate, NOTHING):
            return None
        table, given = _asked(question.arguments)
        grouped = [one.value for one in table if one not in given]
        question.notes.ask(coordinate, {"groupBy": grouped, **{one.value: value for one, value in given.items()}})
        question.notes.tell(coordinate, ())
        return await _answer(question, counts, table, given)

    return RootAside(coordinate, answer, _ESTIMATE, _WEIGHT)


POLICY_STATISTICS, CLAIM_STATISTICS = _statistics(Counts.POLICIES), _statistics(Counts.CLAIMS)


async def _answer(question: Question, counts: Counts, table: Table, given: Mapping[Dimension, str]) -> dict[str, Any]:
    settings, now = question.statistics, question.now
    subject = question.subject
    payer = subject.organization if subject.role in PARTNER_ROLES else BROKERAGE
    if payer is None:
        # No token of a partner is without its organization.
        raise unavailable()
    asked = await ask(question.fetch, payer, month_of(now), (counts, table, given), most=settings.questions, now=now)
    found = await release(question.fetch, question.keyring, least=settings.least, now=now)
    if not asked.answered:
        raise _spent(found, settings.questions, now)
    rows = await figures(question.fetch, found, counts, table, given)
    return {
        "groups": [_group(table, row) for row in rows],
        "asOf": in_shanghai(found.made_at),
        "until": found.next,
        "least": found.least,
        "within": error_of(found.spread),
        "questionsLeft": max(0, settings.questions - asked.asked),
    }


def _group(table: Table, row: Any) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's record
    values = {one.value.lower(): None for one in Dimension}
    values |= {one.value.lower(): value for one, value in zip(table, row["cell"], strict=True)}
    return {**values, "number": row["number"], "persons": row["persons"]}


def _spent(found: Release, questions: int, now: datetime) -> RequestRefusedError:
    again = datetime.combine(found.next, time.min, SHANGHAI)
    message = (
        f"Your organization has asked its {questions} different questions of this month. Ask one of them again, which"
        f" is free, or others from {again.isoformat()} on."
    )
    wait = str(int((again - now).total_seconds()) + 1)
    return RequestRefusedError(
        Code.STATISTICS_BUDGET, message, extensions={"again": again.isoformat()}, headers={"Retry-After": wait}
    )


def _asked(arguments: Mapping[str, Any]) -> tuple[Table, dict[Dimension, str]]:
    """The table, and the values that are filtered by. Raises BAD_USER_INPUT where no such table is published."""
    grouped = [Dimension(_name(one)) for one in arguments.get("groupBy") or ()]
    where = arguments.get("where") or {}
    given = {
        Dimension[name.upper()]: _checked(name, _name(value)) for name, value in where.items() if value is not None
    }
    table = table_of(grouped, given)
    if table is None:
        published = "; ".join(" and ".join(one) for one in PUBLISHED if one)
        message = f"There are no statistics by just these. Group and filter by nothing, or by: {published}."
        raise bad_input("groupBy", message)
    return table, given


def _name(value: Any) -> str:  # noqa: ANN401 - an enum's member, its name, or text
    name: str = getattr(value, "name", value)
    return name


def _checked(name: str, value: str) -> str:
    if not (value.isprintable() and 0 < len(value) <= _LONGEST):
        raise bad_input("where", f"{name} takes 1 to {_LONGEST} printable characters.")
    return value
