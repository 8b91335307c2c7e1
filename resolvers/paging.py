"""Pages: arguments checked, cursors sealed. A cursor is opaque, bound to its connection and its caller."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from resolvers.nouns import Order
from resolvers.problems import Code, RequestRefusedError, bad_input, over_limit
from vault.messages import close_message, open_message

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
AUDIENCE_PAGE = 10
"""C21, C37: no bulk page of an audience."""

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "uuid": UUID,
    "date": date.fromisoformat,
    "timestamptz": datetime.fromisoformat,
    "text": str,
    "smallint": int,
    "bigint": int,
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page to read: `size` rows from the start or, `backward`, from the end, between two exclusive keys."""

    size: int
    backward: bool = False
    after: tuple[Any, ...] | None = None
    before: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Cursors:
    """Seals and opens the cursors of one connection for one caller."""

    key: bytes
    context: bytes
    order: Order

    def close(self, keys: Sequence[Any]) -> str:
        """The cursor of the row with these sort keys."""
        return close_message(self.key, orjson.dumps(list(keys)), context=self.context)

    def open(self, text: str, *, argument: str) -> tuple[Any, ...]:
        """The sort keys of a cursor. Raises BAD_CURSOR for any text that this connection did not give this caller."""
        message = open_message(self.key, text, context=self.context)
        if message is None:
            why = f"The argument {argument!r} is not a cursor of this list. Use those that this list gave you."
            raise RequestRefusedError(Code.BAD_CURSOR, why, extensions={"argument": argument})
        return tuple(_READERS[kind](value) for kind, value in zip(self.order.types, orjson.loads(message), strict=True))


def page_size(arguments: Mapping[str, Any], *, largest: int) -> int:
    """How many rows are asked for. Raises BAD_USER_INPUT or LIMIT_EXCEEDED."""
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None and last is not None:
        raise bad_input("last", "Give either 'first' or 'last', not both.")
    size = first if first is not None else last
    name = "first" if first is not None else "last"
    if size is None:
        return min(DEFAULT_PAGE, largest)
    if size < 0:
        raise bad_input(name, f"The argument {name!r} must not be negative.")
    if size > largest:
        raise over_limit("page", maximum=largest, actual=size)
    return int(size)


def read_page(arguments: Mapping[str, Any], *, largest: int, cursors: Cursors) -> Page:
    """The page that the arguments ask for. Raises BAD_USER_INPUT, LIMIT_EXCEEDED or BAD_CURSOR."""
    after, before = arguments.get("after"), arguments.get("before")
    return Page(
        size=page_size(arguments, largest=largest),
        backward=arguments.get("last") is not None,
        after=None if after is None else cursors.open(after, argument="after"),
        before=None if before is None else cursors.open(before, argument="before"),
    )
