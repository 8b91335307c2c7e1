"""Pages of what is answered beside the plan: forward only, no total; cursors are sealed for their field and caller."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from resolvers.asides import Question
from resolvers.nouns import Order
from resolvers.paging import Cursors, page_size

_Row = TypeVar("_Row")

BY_INDEX = Order(("index",), ("bigint",))
"""Rows of the ledger, by their leaves."""


@dataclass(frozen=True, slots=True)
class AsidePage:
    """One page asked for: `size` rows after the one with the keys `after`; `cursors` seal its rows' keys."""

    size: int
    after: tuple[Any, ...] | None
    cursors: Cursors

    def connection(
        self, rows: Sequence[_Row], key: Callable[[_Row], Sequence[Any]], node: Callable[[_Row], Any], *, more: bool
    ) -> dict[str, Any]:
        """The connection of the page's rows: where each stands, and what it says."""
        edges = [{"cursor": self.cursors.close(key(one)), "node": node(one)} for one in rows]
        return {
            "edges": edges,
            "pageInfo": {
                "hasNextPage": more,
                "hasPreviousPage": self.after is not None,
                "startCursor": edges[0]["cursor"] if edges else None,
                "endCursor": edges[-1]["cursor"] if edges else None,
            },
            "totalCount": None,
        }


def read_page(question: Question, place: str, *, order: Order, largest: int) -> AsidePage:
    """The page that a field's arguments ask for; `place` tells its lists apart.

    Raises BAD_USER_INPUT, LIMIT_EXCEEDED or BAD_CURSOR.
    """
    subject = question.subject
    context = f"{place}|{subject.role}|{question.purpose}|{subject.identity}"
    cursors = Cursors(question.keyring.cursor, context.encode(), order)
    after = question.arguments.get("after")
    return AsidePage(
        size=page_size(question.arguments, largest=largest),
        after=None if after is None else cursors.open(after, argument="after"),
        cursors=cursors,
    )
