"""Global ids as arguments: the row meant, or BAD_ID."""

from collections.abc import Callable
from uuid import UUID

from models.global_ids import NodeType, from_global
from resolvers.problems import bad_id

_SAME_TYPE = {NodeType.AUDIENCE_USER: NodeType.USER}
ELSEWHERE = UUID(int=0)
"""A row that never exists: what an id means where it is valid but useless (an audience id outside its audience)."""


def row_of(node_type: NodeType) -> Callable[[str], UUID]:
    """A converter from an id argument to the row of that type."""

    def convert(text: str) -> UUID:
        return row_under(text, node_type, argument=node_type.name.lower())

    return convert


def row_under(text: str, stored_as: NodeType, *, argument: str) -> UUID:
    """The row of an id where rows go by `stored_as`; an audience id means no row outside its audience."""
    found = from_global(text)
    if found is None or _plain(found[0]) != _plain(stored_as):
        raise bad_id(argument)
    return found[1] if found[0] == stored_as else ELSEWHERE


def _plain(node_type: NodeType) -> NodeType:
    return _SAME_TYPE.get(node_type, node_type)
