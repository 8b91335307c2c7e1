"""A mutation's payload: what of it the plan shows, and what is left to graphql-core."""

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_nullable_type,
)

from resolvers.documents import Document
from resolvers.registry import NOUNS
from resolvers.selection import Selected, Selector, as_field


@dataclass(frozen=True, slots=True)
class Payload:
    """What a mutation may answer: the noun it writes, if it is one of the plan's, and everything else."""

    noun: str | None
    others: tuple[str, ...]


def payload_of(schema: GraphQLSchema, name: str) -> Payload:
    """The payload of a mutation's root field, a union."""
    mutations = schema.mutation_type
    declared = get_nullable_type(mutations.fields[name].type) if mutations else None
    if not isinstance(declared, GraphQLUnionType):
        message = f"the payload of {name} is no union"
        raise TypeError(message)
    names = [one.name for one in declared.types]
    noun = next((one for one in names if one in NOUNS), None)
    return Payload(noun, tuple(one for one in names if one != noun))


def without_written(
    document: Document, operation: OperationDefinitionNode, selector: Selector, field: Selected, payload: Payload
) -> DocumentNode:
    """The mutation, selecting nothing of the row it writes: that is the plan's."""
    if payload.noun is None:
        return DocumentNode(definitions=(operation, *document.fragments.values()))
    selections = [
        InlineFragmentNode(
            type_condition=NamedTypeNode(name=NameNode(value=name)),
            directives=(),
            selection_set=SelectionSetNode(
                selections=tuple(as_field(one) for one in selector.fields(name, field.below))
            ),
        )
        for name in payload.others
    ]
    root = FieldNode(
        alias=NameNode(value=field.key),
        name=field.node.name,
        arguments=field.node.arguments,
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(selections)),
    )
    reduced = OperationDefinitionNode(
        operation=OperationType.MUTATION,
        name=operation.name,
        variable_definitions=operation.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=(root,)),
    )
    return DocumentNode(definitions=(reduced, *document.fragments.values()))
