"""Values that cannot be: the answer says where and what is expected there, and never the value."""

import pytest
from graphql import parse

from resolvers.documents import Documents
from resolvers.problems import RequestRefusedError
from resolvers.variables import variables_refused
from schema.build import build_schema

SCHEMA = build_schema()
DECLARED = parse("mutation($i: UpdateProfileInput!, $d: DraftApplicationInput, $n: Int) { a }").definitions[0]


def faults(**given):
    refusal = variables_refused(SCHEMA, DECLARED.variable_definitions, {"i": {}, **given}, most=5)
    return [(one["extensions"], one["message"]) for one in refusal.errors]


@pytest.mark.parametrize(
    "given,path,expected",
    [
        ({"i": {"birthDate": "15.06.1990"}}, ["i", "birthDate"], "YYYY-MM-DD"),
        ({"i": {"gender": "male"}}, ["i", "gender"], "FEMALE, MALE, OTHER"),
        ({"i": {"phone": 13912345678}}, ["i", "phone"], "text"),
        ({"i": {"ifVersion": "1"}}, ["i", "ifVersion"], "whole number"),
        ({"i": {"id_number": "x"}}, ["i"], "idNumber"),
        ({"i": None}, ["i"], "must not be null"),
        ({"i": "me"}, ["i"], "object"),
        (
            {"d": {"beneficiaries": [{"relation": "MOTHER", "order": 1, "share": "1"}]}},
            ["d", "beneficiaries", 0, "relation"],
            "PARENT",
        ),
        ({"d": {"beneficiaries": [{"relation": "PARENT", "order": 1}]}}, ["d", "beneficiaries", 0, "share"], "missing"),
        ({"d": {"beneficiaries": [None]}}, ["d", "beneficiaries", 0], "must not be null"),
        ({"d": {"sumInsured": "500,000"}}, ["d", "sumInsured"], "1200.50"),
        ({"n": 1.5}, ["n"], "whole number"),
    ],
)
def test_a_variable_that_cannot_be_is_told_by_its_path(given, path, expected):
    ((found, message),) = faults(**given)
    assert (found["argument"], found.get("path", path[:1])) == (path[0], path)
    assert expected in message
    assert message.startswith("$" + ".".join(map(str, path)))


def test_what_is_missing_is_named_and_only_the_first_five_are_told():
    assert variables_refused(SCHEMA, DECLARED.variable_definitions, {}, most=5).errors[0]["message"] == "$i is missing."
    many = {"beneficiaries": [None] * 100_000}
    assert len(faults(d=many)) == 5


PLANTED = "13912345678"


def told_of(document):
    """All that is said of a document that is refused."""
    try:
        Documents(SCHEMA).read(document)
    except RequestRefusedError as refusal:
        return str(refusal.errors)
    return ""


@pytest.mark.parametrize(
    "literal",
    [
        PLANTED,
        f'"{PLANTED}"',
        f"[{PLANTED}]",
        f'{{a: "{PLANTED}"}}',
        f'"\\"{PLANTED}"',
        f'"x; {PLANTED}. Did you mean"',
        f"-{PLANTED}.5e3",
    ],
)
@pytest.mark.parametrize("field", ["phone", "birthDate", "gender", "ifVersion", "user"])
def test_no_message_about_a_document_repeats_its_literals(field, literal):
    for given in (f"input: {{{field}: {literal}}}", f"input: {literal}"):
        assert PLANTED not in told_of(f"mutation {{ updateProfile({given}) {{ __typename }} }}")
