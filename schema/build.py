"""The schema put together, and the catalogue of sensitive coordinates read off it."""

from collections.abc import Iterator

import strawberry
from graphql import GraphQLObjectType, GraphQLSchema
from strawberry.printer import print_schema
from strawberry.types.field import StrawberryField

from authz.catalogue import Catalogue, Coordinate
from resolvers.statistics import CLAIM_STATISTICS, POLICY_STATISTICS
from resolvers.writes import RULE
from schema.beneficiaries import Beneficiary
from schema.ceasing import stop_when_ceased
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
    schema = _declared()._schema  # noqa: SLF001 - Strawberry declares, graphql-core parses and validates
    stop_when_ceased(schema)
    return schema


def published() -> str:
    """The schema as text, guards and descriptions included; docs/schema.graphql holds it for generators of clients."""
    return print_schema(_declared())


def _declared() -> strawberry.Schema:
    return strawberry.Schema(query=Query, mutation=Mutation, types=[User, Device, Policy, Beneficiary, Claim, Consent])


def build_catalogue(schema: GraphQLSchema) -> Catalogue:
    """The sensitive coordinates with category and data subject, as their directives say, and the writes."""
    sensitive = {
        f"{name}.{field_name}": _coordinate(f"{name}.{field_name}", field.extensions["strawberry-definition"])
        for name, declared in schema.type_map.items()
        if isinstance(declared, GraphQLObjectType) and not name.startswith("__")
        for field_name, field in declared.fields.items()
        if field.extensions["strawberry-definition"].metadata.get(KIND) == FieldKind.SENSITIVE
    }
    counts = {POLICY_STATISTICS.coordinate, CLAIM_STATISTICS.coordinate}
    return Catalogue(sensitive, writes=_writes(schema), counts=counts)


def _writes(schema: GraphQLSchema) -> Iterator[str]:
    """The root fields that rules decide on; those of accounts and sessions are decided by their secrets."""
    for name, field in schema.mutation_type.fields.items() if schema.mutation_type else ():
        if field.extensions["strawberry-definition"].metadata[RULE].purpose is None:
            yield f"Mutation.{name}"


def _coordinate(name: str, declared: StrawberryField) -> Coordinate:
    (guard,) = (directive for directive in declared.directives if isinstance(directive, Sensitive))
    return Coordinate(name=name, category=guard.category, of=guard.of)
