"""Inputs: what somebody gave is shown by no `repr`, and so in no log and no traceback."""

import dataclasses

import pytest
from graphql import GraphQLInputObjectType

from schema.build import build_schema

PLANTED = "planted-31415926"
INPUTS = {
    name: declared.extensions["strawberry-definition"].origin
    for name, declared in build_schema().type_map.items()
    if isinstance(declared, GraphQLInputObjectType)
}


def test_every_input_of_the_mutations_is_looked_at():
    taken = {
        str(field.args["input"].type).strip("!") for field in build_schema().mutation_type.fields.values() if field.args
    }
    assert taken < INPUTS.keys()
    assert len(INPUTS) > 30


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_shows_nothing_of_what_it_was_given(name):
    fields = [field.name for field in dataclasses.fields(INPUTS[name])]
    assert fields
    given = INPUTS[name](**dict.fromkeys(fields, PLANTED))
    assert {getattr(given, field) for field in fields} == {PLANTED}
    for shown in (repr(given), str(given), f"{given}", repr([given])):
        assert PLANTED not in shown
        assert name in shown
