"""The only constructors of schema fields: every field is public, sensitive, an edge, issued or a write, and says so.

And of inputs, which show nobody what they were given.
"""

from collections.abc import Callable
from enum import StrEnum
from inspect import cleandoc
from typing import Any, TypeVar, dataclass_transform

import strawberry
from strawberry.schema_directive import Location

from authz.vocabulary import DataSubject
from ledger.rows import Kind
from models.vocabulary import Category, Purpose
from resolvers.writes import RULE, WriteRule

_Input = TypeVar("_Input")

KIND = "needful"

strawberry.enum(Category, name="DataCategory")
strawberry.enum(DataSubject)


class FieldKind(StrEnum):
    """What a field is to a decision."""

    PUBLIC = "public"
    SENSITIVE = "sensitive"
    EDGE = "edge"
    ISSUED = "issued"
    WRITE = "write"


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="sensitive",
    description="category: what kind of datum; of: whose datum it is. Relations are computed against that person.",
)
class Sensitive:
    """The guard of a field, published in the SDL."""

    category: Category
    of: DataSubject = DataSubject.HOLDER


@dataclass_transform(kw_only_default=True)
def private_input(cls: type[_Input]) -> type[_Input]:
    """An input, whose `repr` shows nothing of what was given: passwords and data of people end up in no log by it."""
    cls.__repr__ = _unseen  # type: ignore[method-assign]
    return strawberry.input(cls, description=cls.__doc__ and cleandoc(cls.__doc__))


def _unseen(given: object) -> str:
    return f"{type(given).__name__}(...)"


def public(*, name: str | None = None, description: str | None = None) -> Any:  # noqa: ANN401 - stands for any field type
    """A field that only structures the answer: ids, numbers, states, dates, product, organization."""
    return strawberry.field(name=name, description=description, metadata={KIND: FieldKind.PUBLIC})


def sensitive(category: Category, *, of: DataSubject, description: str | None = None) -> Any:  # noqa: ANN401 - as above
    """A field that holds a datum of a person; it is nullable, and decided cell by cell."""
    guard = Sensitive(category=category, of=of)
    return strawberry.field(description=description, directives=[guard], metadata={KIND: FieldKind.SENSITIVE})


def edge(declared: Callable[..., Any] | None = None, *, description: str | None = None) -> Any:  # noqa: ANN401 - as above
    """A link to other rows; for one with arguments, decorate a function that declares them and has no body."""
    if declared is None:
        return strawberry.field(description=description, metadata={KIND: FieldKind.EDGE})
    return strawberry.field(resolver=declared, description=description, metadata={KIND: FieldKind.EDGE})


def issued() -> Any:  # noqa: ANN401 - as above
    """A secret just made for the very caller, a token or an enrolment: nobody's datum, and given once."""
    return strawberry.field(metadata={KIND: FieldKind.ISSUED})


def write(
    *,
    purpose: Purpose | None = None,
    attempt: bool = False,
    heavy: bool = False,
    secret: bool = False,
    kind: Kind = Kind.WRITE,
) -> Callable[[Callable[..., Any]], Any]:
    """A mutation; its input and payload hold what the decorated function says.

    One with a purpose of its own answers with fields that are public or issued. One without runs under the
    operation's purpose, where the rules allow it, and answers with the row that it wrote, read by the plan.
    """

    def declare(resolver: Callable[..., Any]) -> Any:  # noqa: ANN401 - as above
        metadata = {
            KIND: FieldKind.WRITE,
            RULE: WriteRule(purpose, attempt=attempt, heavy=heavy, secret=secret, kind=kind),
        }
        return strawberry.field(resolver=resolver, metadata=metadata, description=resolver.__doc__)

    return declare
