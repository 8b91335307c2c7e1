"""Variables that are looked up without graphql-core are what it makes of them, or are left to it."""

import pytest
from graphql import build_schema, parse
from graphql.execution.values import get_variable_values

from resolvers.variables import plain_values, plain_variables

SCHEMA = build_schema("""
    scalar Date
    enum Colour { RED }
    input Named { name: String }
    type Query { one(i: ID, s: String, n: Int, b: Boolean, d: Date, c: Colour, o: Named, l: [Int]): Int }
""")
PLAIN = "($i: ID!, $s: String, $n: Int, $b: Boolean)"


def definitions(text):
    """The variable definitions of an operation."""
    (operation,) = parse(f"query {text} {{ __typename }}").definitions
    return operation.variable_definitions


def plain(text):
    """How they are looked up."""
    return plain_variables(SCHEMA, definitions(text))


@pytest.mark.parametrize(
    "given",
    [
        {"i": "a"},
        {"i": "a", "s": None, "n": 5, "b": True},
        {"b": False, "n": -(2**31) + 1, "s": "", "i": ""},
        {"i": "a", "unknown": {"x": 1}},
    ],
)
def test_plain_values_are_those_of_graphql_core(given):
    found = get_variable_values(SCHEMA, definitions(PLAIN), given)
    assert list(plain_values(plain(PLAIN), given).items()) == list(found.coerced.items())


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"i": None},
        {"i": 7},
        {"i": "a", "s": 7},
        {"i": "a", "n": True},
        {"i": "a", "n": 1.0},
        {"i": "a", "n": 2**31},
        {"i": "a", "b": 1},
        {"i": ["a"]},
    ],
)
def test_every_other_value_is_left_to_graphql_core(given):
    assert plain_values(plain(PLAIN), given) is None


@pytest.mark.parametrize("text", ["($d: Date)", "($c: Colour!)", "($o: Named)", "($l: [Int])", "($n: Int = 5)"])
def test_other_types_and_defaults_are_left_to_graphql_core(text):
    assert plain(text) is None
