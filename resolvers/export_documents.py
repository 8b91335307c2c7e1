"""What the API says of a person, asked for by documents drawn from the schema: the plan decides, opens and records.

A field that is added to a noun is in the next archive. Somebody else is named by an id and nothing more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from graphql import GraphQLObjectType, GraphQLSchema, get_named_type, is_leaf_type, is_list_type, is_required_argument
from graphql.type import GraphQLField, get_nullable_type

from authz.subjects import Subject
from models.global_ids import NodeType, to_global
from models.vocabulary import Purpose
from resolvers.operations import Request, Service
from resolvers.problems import unavailable
from resolvers.registry import NOUNS

PAGE = 50
MOST_ROWS = 10_000
"""Of one list; what is more is told in the manifest, and can be had from the API page by page."""
MOST_ACCESSES = 2_000
_PURPOSE = Purpose.RIGHTS_REQUEST
_ROOT, _ACCESS = "User", "accessHistory"
_OF_EVERYBODY = frozenset({"Notice"})
"""Published texts: which of them was agreed to stands with the agreements."""


@dataclass(slots=True)
class Said:
    """What was answered: rows by the name of their type; what was denied, by coordinate and reason; lists cut short."""

    rows: dict[str, list[Any]] = field(default_factory=dict)
    denied: dict[tuple[str, str], int] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)


async def ask_about(service: Service, subject: Subject, person: UUID) -> Said:
    """Everything that the API says of a person to this caller. Raises RequestRefusedError, where it cannot be had."""
    said = Said()
    given = {"id": to_global(NodeType.USER, person)}
    user = await _asked(service, subject, said, _document(service.schema, None), given)
    if user is None:
        raise unavailable()
    said.rows[_ROOT] = [user]
    for name, declared in _connections(service.schema):
        rows, more = await _pages(service, subject, said, name, given)
        said.rows[_node(declared).name] = rows
        if more:
            said.cut.append(f"{_ROOT}.{name}")
    return said


async def _pages(
    service: Service, subject: Subject, said: Said, name: str, given: Mapping[str, Any]
) -> tuple[list[Any], bool]:
    """The rows of a connection, and whether there are more than an archive holds."""
    document, rows, after = _document(service.schema, name), list[Any](), None
    most = MOST_ACCESSES if name == _ACCESS else MOST_ROWS
    while True:
        user = await _asked(service, subject, said, document, {**given, "after": after})
        page = (user or {}).get(name)
        if page is None:
            return rows, False
        rows += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"] or len(rows) >= most:
            return rows, bool(page["pageInfo"]["hasNextPage"])


async def _asked(service: Service, subject: Subject, said: Said, document: str, given: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    answer = await service.answer(Request(document, variables=given), subject, _PURPOSE)
    body = answer.body
    errors = [error["extensions"] for error in body.get("errors", ())]
    beside = any("coordinate" not in error for error in errors)
    # What the ledger has no row of was taken out: an archive of blanks is none.
    if body.get("data") is None or beside or not answer.recorded:
        raise unavailable()
    for error in errors:
        place = error["coordinate"], error["reason"]
        said.denied[place] = said.denied.get(place, 0) + error["count"]
    return body["data"]["user"]


def _document(schema: GraphQLSchema, connection: str | None) -> str:
    """The document that asks for a user's own fields; with `connection`, for a page of that."""
    user = _object(schema, _ROOT)
    if connection is None:
        return f"query Export($id: ID!) {{ user(id: $id) {{ {_fields(schema, user)} }} }}"
    node = _fields(schema, _node(user.fields[connection]))
    return (
        f"query Export($id: ID!, $after: String) {{ user(id: $id) {{ {connection}(first: {PAGE}, after: $after) {{"
        f" edges {{ node {{ {node} }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
    )


def _connections(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLField]]:
    user = _object(schema, _ROOT)
    return ((name, one) for name, one in user.fields.items() if _is_connection(one))


def _is_connection(declared: GraphQLField) -> bool:
    return get_named_type(declared.type).name.endswith("Connection")


def _node(declared: GraphQLField) -> GraphQLObjectType:
    edges = _object_of(_object_of(declared).fields["edges"])
    return _object_of(edges.fields["node"])


def _fields(schema: GraphQLSchema, declared: GraphQLObjectType) -> str:
    found = (_field(schema, name, one) for name, one in declared.fields.items())
    return " ".join(one for one in found if one)


def _field(schema: GraphQLSchema, name: str, declared: GraphQLField) -> str | None:
    """How a field is selected; None for one that is asked for page by page, or is the same for everybody."""
    named = get_named_type(declared.type)
    if (
        _is_connection(declared)
        or named.name in _OF_EVERYBODY
        or any(map(is_required_argument, declared.args.values()))
    ):
        return None
    if is_leaf_type(named):
        return name
    noun = NOUNS.get(named.name)
    if noun is not None and not noun.scoped:
        leaves = [key for key, one in _object_of(declared).fields.items() if is_leaf_type(get_named_type(one.type))]
        return f"{name} {{ {' '.join(leaves)} }}"
    if noun is not None and not is_list_type(get_nullable_type(declared.type)):
        return f"{name} {{ id }}"
    return f"{name} {{ {_fields(schema, _object_of(declared))} }}"


def _object(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = schema.type_map[name]
    if not isinstance(found, GraphQLObjectType):
        message = f"{name} is no object type"
        raise TypeError(message)
    return found


def _object_of(declared: GraphQLField) -> GraphQLObjectType:
    found = get_named_type(declared.type)
    if not isinstance(found, GraphQLObjectType):
        message = f"{found.name} is no object type"
        raise TypeError(message)
    return found
