"""Until when data are kept and why, for whoever they are about; and the holds, for officers (C27, C28).

Answered beside the plan: days, criteria and laws, and no datum of anybody. Of a hold a person learns that it stands.
"""

from typing import Any

from models.global_ids import NodeType, to_global
from models.vocabulary import Role
from privacy.agreements import Agreement, agreements
from privacy.holds import Hold, all_holds
from privacy.retention import Explained
from privacy.retention_facts import decide
from privacy.retention_words import in_words
from resolvers.access_records import audits
from resolvers.asides import Fetching, Question, RootAside
from resolvers.disclosure_cases import person_asked
from resolvers.paging import LARGEST_PAGE
from resolvers.problems import bad_input
from resolvers.times import in_shanghai

USUAL_PAGE = 20
_RETENTION, _HOLDS = "Query.retentionOf", "Query.legalHolds"
_WEIGHT, _OF_LIST = 1_000, 500


async def retention_of(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Each class that anything is kept of: of oneself, a ward, or whose request an officer has in hand. Else None."""
    person = await person_asked(question)
    if person is None:
        return None
    question.notes.ask(_RETENTION, {})
    question.notes.tell(_RETENTION, (person,))
    fetching = Fetching(question.fetch)
    found = (await decide(fetching, [person], question.bundle, question.now))[person]
    agreed = await agreements(fetching, person)
    return [_class(one, agreed.get(one.retention)) for one in found.explained.values()]


RETENTION_OF = RootAside(_RETENTION, retention_of, LARGEST_PAGE, _WEIGHT)


def _class(one: Explained, agreement: Agreement | None) -> dict[str, Any]:
    day, duty = one.erased_from, one.duty
    return {
        "class": one.retention.name,
        "begins": one.begins and one.begins.isoformat(),
        "until": one.until and one.until.isoformat(),
        "winner": one.winner and one.winner.name,
        "candidates": [
            {"criterion": each.criterion.name, "until": each.until and each.until.isoformat()}
            for each in one.candidates
        ],
        "duty": duty and {"law": one.law or None, "until": duty.until and duty.until.isoformat()},
        "held": bool(one.holds),
        "erasedFrom": day and day.isoformat(),
        "agreement": agreement and _agreement(agreement),
        "words": in_words(one),
    }


def _agreement(one: Agreement) -> dict[str, Any]:
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "class": one.retention.name,
        "until": one.until.isoformat(),
        "agreedAt": in_shanghai(one.agreed_at),
        "endedAt": one.ended_at and in_shanghai(one.ended_at),
    }


async def legal_holds(question: Question) -> Any:  # noqa: ANN401 - plain values
    """Holds, the first placed before all; for privacy officers. None for anybody else."""
    if not audits(question, Role.PRIVACY_OFFICER):
        return None
    size: int = question.arguments.get("first", USUAL_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise bad_input("first", f"A page has 1 to {LARGEST_PAGE} entries.")
    lifted = bool(question.arguments.get("lifted"))
    question.notes.ask(_HOLDS, {"first": size, "lifted": lifted})
    found = await all_holds(Fetching(question.fetch), lifted=lifted, most=size)
    question.notes.tell(_HOLDS, (one.person for one in found))
    return [_hold(one) for one in found]


LEGAL_HOLDS = RootAside(_HOLDS, legal_holds, LARGEST_PAGE, _OF_LIST)


def _hold(one: Hold) -> dict[str, Any]:
    return {
        "id": to_global(NodeType.RECORD, one.id),
        "user": to_global(NodeType.USER, one.person),
        "classes": [each.name for each in sorted(one.classes)],
        "reference": one.reference,
        "placedAt": in_shanghai(one.placed_at),
        "until": one.until and one.until.isoformat(),
        "liftedAt": one.lifted_at and in_shanghai(one.lifted_at),
    }
