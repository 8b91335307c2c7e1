"""The schema: the contract's names, and no field that is neither public nor guarded."""

import re

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_nullable_type,
)
from graphql import build_schema as parse_schema

from authz.vocabulary import RuleEffect
from resolvers.nouns import SealedColumn
from resolvers.registry import NOUNS
from resolvers.writes import RULE
from schema.build import build_catalogue, build_schema
from schema.fields import KIND, FieldKind
from tests.conftest import ROOT
from tests.rules import default_snapshot

SCHEMA = build_schema()
PROBLEMS = {"InputProblem", "AccessProblem", "TryLaterProblem", "CollectionProblem", "StateProblem"}


def contract():
    text = (ROOT / "schema" / "contract.graphql").read_text()
    text += "\nscalar Date scalar DateTime scalar Decimal scalar JSON"
    text += "\ntype PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }"
    for noun in set(re.findall(r"(\w+)Connection", text)):
        text += f"\ntype {noun}Edge {{ cursor: String! node: {noun}! }}"
        text += f"\ntype {noun}Connection {{ edges: [{noun}Edge!]! pageInfo: PageInfo! totalCount: Int }}"
    return parse_schema(text)


CONTRACT = contract()
FIELDS = sorted(
    (type_name, field_name)
    for type_name, declared in CONTRACT.type_map.items()
    if isinstance(declared, GraphQLObjectType | GraphQLInterfaceType) and not type_name.startswith("__")
    for field_name in declared.fields
)


@pytest.mark.parametrize("type_name,field_name", FIELDS)
def test_every_field_of_the_contract_is_served_with_its_type_and_arguments(type_name, field_name):
    promised = CONTRACT.type_map[type_name].fields[field_name]
    served = SCHEMA.type_map[type_name].fields[field_name]
    assert str(served.type) == str(promised.type)
    for name, argument in promised.args.items():
        assert str(served.args[name].type) == str(argument.type)


def test_every_input_and_payload_of_the_contract_is_served_as_promised():
    for name, declared in CONTRACT.type_map.items():
        if isinstance(declared, GraphQLUnionType):
            assert {one.name for one in declared.types} == {one.name for one in SCHEMA.type_map[name].types}
        elif isinstance(declared, GraphQLInputObjectType):
            served = {field: str(one.type) for field, one in SCHEMA.type_map[name].fields.items()}
            assert served == {field: str(one.type) for field, one in declared.fields.items()}


def test_every_enum_of_the_contract_has_its_values():
    for name, declared in CONTRACT.type_map.items():
        if isinstance(declared, GraphQLEnumType) and not name.startswith("__"):
            assert set(declared.values) <= set(SCHEMA.type_map[name].values), name


def test_every_guard_of_the_contract_is_declared_with_its_category_and_data_subject():
    catalogue = build_catalogue(SCHEMA)
    promised = {}
    for type_name, declared in CONTRACT.type_map.items():
        for field_name, field in getattr(declared, "fields", {}).items():
            for directive in getattr(field.ast_node, "directives", None) or ():
                words = {argument.name.value: argument.value.value for argument in directive.arguments}
                promised[f"{type_name}.{field_name}"] = (words["category"], words["of"])
    assert {name: (one.category.name, one.of.value) for name, one in catalogue.items()} == promised


def test_every_field_is_public_sensitive_or_an_edge():
    kinds = {
        f"{name}.{field_name}": field.extensions["strawberry-definition"].metadata.get(KIND)
        for name, declared in SCHEMA.type_map.items()
        if isinstance(declared, GraphQLObjectType) and not name.startswith("__")
        for field_name, field in declared.fields.items()
    }
    assert len(kinds) > 100
    assert [name for name, kind in kinds.items() if kind not in set(FieldKind)] == []


OF_NOBODY = {
    "publishNotice",
    "assessImpact",
    "openCampaign",
    "endCampaign",
    "recertifyGrant",
    "lapseGrant",
    "restoreGrant",
    "registerOperation",
    "unregisterOperation",
    "draftRules",
    "editDraft",
    "withdrawDraft",
    "proposeRules",
    "reviewRules",
    "publishRules",
    "rollBackRules",
    "breakGlass",
    "endGlass",
    "reviewGlass",
    "requestGuardianLink",
    "verifyGuardianLink",
    "revokeGuardianLink",
    "openVerification",
    "recordVerification",
    "closeVerification",
    "openDisclosureCase",
    "reviewDisclosureCase",
    "closeDisclosureCase",
    "assignDisclosureCase",
    "fileRightsRequest",
    "withdrawRightsRequest",
    "cancelAccount",
    "assignRightsRequest",
    "extendRightsRequest",
    "decideRightsRequest",
    "requestExport",
    "acknowledgeCorrection",
    "recordDuty",
    "openIncident",
    "describeIncident",
    "reportIncident",
    "sendIncidentLetters",
    "withholdIncidentLetters",
    "closeIncident",
    "acknowledgeLetter",
    "proposeCeasing",
    "confirmCeasing",
    "takeBackCeasing",
    "placeHold",
    "liftHold",
    "agreeRetention",
    "endRetention",
}
"""What rules decide on and is about no row of the plan: the payload tells what was decided."""


def test_every_mutation_has_an_input_of_its_own_and_a_payload_that_may_hold_any_problem_and_nothing_sensitive():
    mutations = SCHEMA.mutation_type.fields
    inputs = [str(field.args["input"].type) for field in mutations.values() if "input" in field.args]
    assert len(set(inputs)) == len(inputs) == len(mutations) - 1, "logOut takes nothing"
    for name, field in mutations.items():
        assert field.extensions["strawberry-definition"].metadata[KIND] == FieldKind.WRITE
        payload = get_nullable_type(field.type)
        assert payload.name == f"{name[0].upper()}{name[1:]}Payload"
        assert {one.name for one in payload.types} > PROBLEMS
        shown = [one for one in payload.types if one.name in NOUNS]
        # What rules decide on answers with the row it wrote, which the plan shows; and may be out of reach by then.
        by_rule = field.extensions["strawberry-definition"].metadata[RULE].purpose is None
        assert len(shown) == (by_rule and name not in OF_NOBODY)
        assert (payload is field.type) == bool(shown)
        for one in set(payload.types) - set(shown):
            kinds = {inner.extensions["strawberry-definition"].metadata[KIND] for inner in one.fields.values()}
            assert kinds <= {FieldKind.PUBLIC, FieldKind.ISSUED}


def test_only_writes_stand_at_the_root_of_mutations():
    writes = {
        f"{name}.{field_name}"
        for name, declared in SCHEMA.type_map.items()
        if isinstance(declared, GraphQLObjectType) and not name.startswith("__")
        for field_name, field in declared.fields.items()
        if field.extensions["strawberry-definition"].metadata.get(KIND) == FieldKind.WRITE
    }
    assert writes == {f"Mutation.{name}" for name in SCHEMA.mutation_type.fields}


def test_every_sensitive_field_is_nullable():
    for name in build_catalogue(SCHEMA):
        type_name, field_name = name.split(".")
        assert not str(SCHEMA.type_map[type_name].fields[field_name].type).endswith("!")


def test_every_sensitive_field_has_a_rule_that_shows_it_to_somebody():
    snapshot = default_snapshot(SCHEMA)
    shown = {rule.object for rule in snapshot.ruleset.rules if rule.effect == RuleEffect.ALLOW}
    assert {name for name, one in snapshot.catalogue.items() if one.category.value not in shown} == set()


def test_every_sensitive_field_is_a_sealed_column_and_no_other_is():
    sealed = {
        f"{noun.name}.{name}"
        for noun in NOUNS.values()
        for name, stored in noun.fields.items()
        if isinstance(stored, SealedColumn)
    }
    assert sealed == set(build_catalogue(SCHEMA))
