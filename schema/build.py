"""The schema put together, and the catalogue of sensitive coordinates read off it."""

import strawberry
from graphql import GraphQLObjectType, GraphQLSchema
from strawberry.types.field import StrawberryField

from authz.catalogue import Catalogue, Coordinate
from schema.beneficiaries import Beneficiary
from schema.claims import Claim
from schema.consents import Consent
from schema.devices import Device
from schema.fields import KIND, FieldKind, Sensitive
from schema.mutation import Mutation
from schema.policies import Policy
from schema.query import Query
from schema.users import User


def build_schema() -> GraphQLSchema:
    """The executable schema, as graphql-core knows it."""
    declared = strawberry.Schema(
        query=Query, mutation=Mutation, types=[User, Device, Policy, Beneficiary, Claim, Consent]
    )
    return declared._schema  # noqa: SLF001 - Strawberry declares, graphql-core parses and validates


def build_catalogue(schema: GraphQLSchema) -> Catalogue:
    """The sensitive coordinates with category and data subject, as their directives say."""
    return {
        f"{name}.{field_name}": _coordinate(f"{name}.{field_name}", field.extensions["strawberry-definition"])
        for name, declared in schema.type_map.items()
        if isinstance(declared, GraphQLObjectType) and not name.startswith("__")
        for field_name, field in declared.fields.items()
        if field.extensions["strawberry-definition"].metadata.get(KIND) == FieldKind.SENSITIVE
    }


def _coordinate(name: str, declared: StrawberryField) -> Coordinate:
    (guard,) = (directive for directive in declared.directives if isinstance(directive, Sensitive))
    return Coordinate(name=name, category=guard.category, of=guard.of)
