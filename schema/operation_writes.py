"""What client teams register of their operations: by these, impact and previews speak of them (C56)."""

from datetime import datetime
from typing import Annotated

import strawberry

from models.vocabulary import Purpose
from resolvers.client_operations import ClientOperation
from resolvers.payloads import Problem, Write
from resolvers.times import in_shanghai
from resolvers.writing import operations
from schema.fields import private_input, public, write
from schema.problems import AnyProblem, told

Info = strawberry.Info[Write, None]


@strawberry.type
class OperationRegistered:
    """An operation as it is kept; by its hash whoever has a token may name it."""

    hash: str = public()
    name: str = public()
    team: str = public()
    role: str = public()
    purpose: Purpose = public()
    registered_at: datetime = public()


@strawberry.type
class OperationUnregistered:
    """An operation that is kept no more."""

    hash: str = public()
    name: str = public()


# Any payload may hold any kind of problem: a new one breaks no client.
RegisterOperationPayload = Annotated[OperationRegistered | AnyProblem, strawberry.union("RegisterOperationPayload")]
UnregisterOperationPayload = Annotated[
    OperationUnregistered | AnyProblem, strawberry.union("UnregisterOperationPayload")
]


@private_input
class RegisterOperationInput:
    """A document, whose it is, and as which role and for which purpose it is asked."""

    team: str
    name: str
    document: str
    role: str
    purpose: Purpose


@private_input
class UnregisterOperationInput:
    """An operation as it was registered."""

    team: str
    hash: str
    role: str
    purpose: Purpose


@strawberry.type
class OperationWrites:
    """The root fields by which client teams register operations."""

    @write()
    async def register_operation(
        self,
        info: Info,
        input: RegisterOperationInput,  # noqa: A002 - GraphQL's name
    ) -> RegisterOperationPayload:
        """Register an operation of a client team; once is enough, and again changes at most its name (C56)."""
        words = input.team, input.name, input.role, input.purpose, input.document
        found = await operations.register(info.context, operations.Given(*words))
        if isinstance(found, Problem):
            return told(info.context, found)
        return _registered(found)

    @write()
    async def unregister_operation(
        self,
        info: Info,
        input: UnregisterOperationInput,  # noqa: A002 - as above
    ) -> UnregisterOperationPayload:
        """Take an operation back: nobody can name it from then on (C56)."""
        name = await operations.unregister(
            info.context, team=input.team, hash_=input.hash, role=input.role, purpose=input.purpose
        )
        if isinstance(name, Problem):
            return told(info.context, name)
        return OperationUnregistered(hash=input.hash, name=name)


def _registered(found: ClientOperation) -> OperationRegistered:
    if found.registered_at is None:
        message = "an operation that was kept at no time"
        raise TypeError(message)
    return OperationRegistered(
        hash=found.hash,
        name=found.name,
        team=found.team,
        role=found.role.value,
        purpose=found.purpose,
        registered_at=in_shanghai(found.registered_at),
    )
