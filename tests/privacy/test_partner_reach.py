"""A partner over every root field of the API: freshly registered it sees nothing of anybody (C31, C40)."""

import pytest
from graphql import GraphQLEnumType, OperationType, get_named_type, is_leaf_type, is_non_null_type, parse

from models.global_ids import NodeType, to_global
from models.vocabulary import PARTNER_ROLES
from privacy.bundles import BundleName
from resolvers.registered import house_documents
from schema.build import build_schema
from tests.privacy.world import AGREED, office_of, partner, token_of

SCHEMA = build_schema()
WORTH = {
    "ID": '"x"',
    "String": '"{ viewer { role } }"',
    "Boolean": "true",
    "Int": "5",
    "Date": '"2026-11-01"',
    "Purpose": "ANALYTICS",
    "JSON": "{}",
    "IncidentInput": '{from: "2026-11-01T00:00:00Z", to: "2026-11-02T00:00:00Z"}',
}
EVERYBODYS = {
    "products",
    "permissionCatalogue",
    "currentNotice",
    "notices",
    "notice",
    "compareNotices",
    "policyStatistics",
    "claimStatistics",
}
"""What is of nobody: told to anybody; statistics to some."""


def selection(declared, depth=2):
    declared = get_named_type(declared)
    if is_leaf_type(declared):
        return ""
    if not hasattr(declared, "fields"):
        return "{ __typename }"
    fields = []
    for name, field in declared.fields.items():
        if any(is_non_null_type(one.type) for one in field.args.values()):
            continue
        if is_leaf_type(get_named_type(field.type)):
            fields.append(name)
        elif depth:
            fields.append(f"{name} {selection(field.type, depth - 1)}")
    return f"{{ __typename {' '.join(fields)} }}"


def worth(argument):
    declared = get_named_type(argument.type)
    if isinstance(declared, GraphQLEnumType) and declared.name not in WORTH:
        return next(iter(declared.values))
    return WORTH[declared.name]


def asked_of(name, field, row):
    given = {one: worth(argument) for one, argument in field.args.items() if is_non_null_type(argument.type)}
    if "id" in given:
        given["id"] = f'"{row}"'
    words = ", ".join(f"{one}: {value}" for one, value in given.items())
    return f"{{ {name}{f'({words})' if words else ''} {selection(field.type)} }}"


def holds_nothing(value):
    """Is there no row in it? What an empty list says of itself is none."""
    if isinstance(value, dict):
        return all(
            holds_nothing(one)
            or name in ("__typename", "hasNextPage", "hasPreviousPage")
            or (name, one) == ("totalCount", 0)
            for name, one in value.items()
        )
    return value is None or value == []


@pytest.fixture(scope="module")
def office(_bundled):
    return office_of(_bundled(BundleName.SEED).server)


@pytest.fixture(scope="module")
def ids(office):
    """A row of each noun that somebody stands in."""
    found = {}
    for kind in (
        NodeType.USER,
        NodeType.POLICY,
        NodeType.CLAIM,
        NodeType.BENEFICIARY,
        NodeType.CONSENT,
        NodeType.DEVICE,
    ):
        table = "person" if kind is NodeType.USER else kind.name.lower()
        ((row,),) = office.rows(f"SELECT id FROM {table} LIMIT 1")  # noqa: S608 - our own names
        found[kind.name.lower()] = to_global(kind, row)
    return found


def refused(body):
    """Is this an answer that tells nothing, because of what the caller may do or because there is no such row?"""
    return body["errors"][0]["extensions"]["code"] not in (
        *("GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "INTERNAL", "LIMIT_EXCEEDED", "UNAVAILABLE"),
    )


@pytest.mark.parametrize("role", sorted(PARTNER_ROLES))
def test_c31_c40_a_fresh_partner_sees_nothing_of_anybody_at_any_root_field(office, ids, role):
    code = partner(office, role)
    for purpose in AGREED[role] if role == "service_provider" else (*AGREED[role], "marketing"):
        token = token_of(office, role, code, purpose)
        for name, field in SCHEMA.query_type.fields.items():
            if name in EVERYBODYS:
                continue
            body = office.post(asked_of(name, field, ids.get(name, ids["user"])), token=token, purpose=purpose).json()
            data = body.get("data")
            if name == "viewer":
                assert (data["viewer"]["role"], data["viewer"]["user"]) == (role, None)
            elif data is not None:
                assert holds_nothing(data[name]), (name, data)
            else:
                assert refused(body), (name, body)
    for kind, row in ids.items():
        body = office.post(f'{{ node(id: "{row}") {{ id }} }}', token=token, purpose=purpose).json()
        assert body["data"] == {"node": None}, kind


def test_c31_c40_no_document_that_anybody_may_run_asks_for_somebodys_row():
    for text in house_documents().values():
        (operation,) = parse(text).definitions
        asked = {field.name.value for field in operation.selection_set.selections}
        if operation.operation is OperationType.QUERY:
            assert asked <= EVERYBODYS | {"operations"}
        else:
            assert asked <= {"logIn", "refresh", "register"}
