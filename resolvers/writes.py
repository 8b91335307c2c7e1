"""Writes: a mutation runs on one connection, in one transaction with its ledger row.

What a caller did wrong is a value, a `Problem` in the payload, and is committed: a failed login has to be counted.
Only what refuses the whole request is an exception, and takes everything back.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any
from uuid import uuid4

import asyncpg
from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
)

from authz.faults import NO_ANSWER
from authz.rules import Ruleset
from authz.subjects import Subject
from ledger.append import Operation, append
from models.vocabulary import PARTNER_ROLES, Purpose
from resolvers.payloads import Write
from resolvers.problems import Code, RequestRefusedError, bad_input, purpose_names, unavailable
from resolvers.report import Heading

ACQUIRE_SECONDS = 5.0
LONGEST_NAME = 120
HEAVY_AT_ONCE = 2
HEAVY_WAITING = 64
RULE = "write"
"""Where a mutation's field keeps its `WriteRule`, in the metadata of its declaration."""


Attempt = Callable[[], Awaitable[None]]
"""Counts an attempt to get tokens by its address, whoever is said to ask. Raises RATE_LIMITED."""


@dataclass(frozen=True, slots=True)
class WriteRule:
    """How a mutation runs.

    `attempt`: it takes a secret and may give tokens, so it counts against the limit of such attempts. `heavy`: it
    hashes passwords, so few run at once and the rest wait without a connection.
    """

    purpose: Purpose
    attempt: bool = False
    heavy: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One mutation as it was asked for."""

    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]
    shape_hash: str
    purpose: Purpose | None
    attempt: Attempt | None


class OneWriteRule(ASTValidationRule):
    """A mutation has exactly one root field, always the same: it is one transaction, one decision, one ledger row.

    So root fields take neither `@skip` nor `@include` (as the GraphQL specification has it for subscriptions).
    """

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        """Report a mutation with another number of root fields, or with conditions on them."""
        if node.operation is not OperationType.MUTATION:
            return
        fragments = {
            one.name.value: one for one in self.context.document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        found = list(_root_selections(node.selection_set, fragments, set()))
        fields = [one for one in found if isinstance(one, FieldNode)]
        keys = {(one.alias or one.name).value for one in fields}
        if len(keys) != 1 or fields[0].name.value.startswith("__"):
            self.report_error(GraphQLError("A mutation has exactly one root field.", node))
        elif any(one.directives for one in found):
            self.report_error(GraphQLError("The root field of a mutation takes no directives.", node))


def _root_selections(
    selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], spread: set[str]
) -> Iterator[FieldNode | InlineFragmentNode | FragmentSpreadNode]:
    for node in selection_set.selections:
        if isinstance(node, FieldNode | InlineFragmentNode | FragmentSpreadNode):
            yield node
        if isinstance(node, InlineFragmentNode):
            yield from _root_selections(node.selection_set, fragments, spread)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
            spread.add(node.name.value)
            if node.name.value in fragments:
                yield from _root_selections(fragments[node.name.value].selection_set, fragments, spread)


class Gate:
    """Lets few work at once and a bounded number wait; the rest are told to come back."""

    def __init__(self, at_once: int = HEAVY_AT_ONCE, waiting: int = HEAVY_WAITING) -> None:
        """Nobody is in yet."""
        self._places = asyncio.Semaphore(at_once)
        self._most = waiting
        self._waiting = 0

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Wait for a place and keep it for the block. Raises RATE_LIMITED where too many wait."""
        if self._waiting >= self._most:
            message = "Too many log in at the moment. Try again in a second."
            raise RequestRefusedError(Code.RATE_LIMITED, message, headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


@dataclass(frozen=True, slots=True)
class Writer:
    """Runs mutations of one schema."""

    schema: GraphQLSchema
    pool: "asyncpg.Pool[asyncpg.Record]"
    gate: Gate

    async def run(self, told: Told, write: Write, ruleset: Ruleset) -> dict[str, Any]:
        """Run one mutation: the response body. Raises RequestRefusedError for what is refused as a whole."""
        field = next(
            one
            for one in _root_selections(told.operation.selection_set, told.fragments, set())
            if isinstance(one, FieldNode)
        )
        rule = self._rule(field.name.value)
        _check_purpose(told.purpose, rule, write.subject)
        if rule.attempt and told.attempt is not None:
            await told.attempt()
        heading = Heading(rule.purpose.value, ruleset.number, uuid4())
        try:
            async with (
                self.gate.entered() if rule.heavy else nullcontext(),
                self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection,
                connection.transaction(),
            ):
                write.connection = connection
                data = await self._execute(told, write)
                await append(connection, _row(told, write, ruleset, rule, heading, field))
        except NO_ANSWER as fault:
            raise unavailable() from fault
        authorization = {
            "purpose": heading.purpose,
            "ruleset": heading.ruleset,
            "decisionId": str(heading.decision_id),
            "fields": [],
        }
        return {"data": data, "extensions": {"authorization": authorization}}

    def _rule(self, name: str) -> WriteRule:
        mutations = self.schema.mutation_type
        if mutations is None:
            message = "a mutation was validated without a mutation type"
            raise TypeError(message)
        rule: WriteRule = mutations.fields[name].extensions["strawberry-definition"].metadata[RULE]
        return rule

    async def _execute(self, told: Told, write: Write) -> dict[str, Any]:
        node = DocumentNode(definitions=(told.operation, *told.fragments.values()))
        running = execute(self.schema, node, context_value=write, variable_values=dict(told.variables))
        result: Any = await running if isawaitable(running) else running
        if result.errors:
            fault = result.errors[0].original_error
            if fault is None:
                # What is left for execution to find: a variable that is null where none may be.
                raise bad_input("variables", "A variable is null where its argument must not be.")
            raise fault
        return dict(result.data)


def _check_purpose(named: Purpose | None, rule: WriteRule, subject: Subject) -> None:
    """A mutation has its own purpose, which a header names or leaves out; and partners have no accounts."""
    if subject.role in PARTNER_ROLES:
        message = "Accounts and sessions are people's: a partner's token changes none."
        allowed = purpose_names(subject.purposes)
        raise RequestRefusedError(Code.PURPOSE_NOT_ALLOWED, message, extensions={"allowed": allowed})
    if named is not None and named is not rule.purpose:
        message = "This mutation has a purpose of its own. Name that one in X-Purpose, or none."
        allowed = purpose_names((rule.purpose,))
        raise RequestRefusedError(Code.PURPOSE_NOT_ALLOWED, message, extensions={"allowed": allowed})


def _row(  # noqa: PLR0913 - a ledger row says it all
    told: Told, write: Write, ruleset: Ruleset, rule: WriteRule, heading: Heading, field: FieldNode
) -> Operation:
    name, subject = field.name.value, write.subject
    key = field.alias.value if field.alias else name
    outcome = "DONE" if write.refused is None else "REFUSED"
    code = write.refused and write.refused.value
    operation_name = told.operation.name
    return Operation(
        decision_id=heading.decision_id,
        role=subject.role,
        organization=subject.organization,
        account=subject.account or write.actor,
        token_id=subject.token_id,
        purpose=rule.purpose,
        operation_hash=told.shape_hash,
        operation_name=operation_name.value[:LONGEST_NAME] if operation_name else None,
        ruleset=ruleset.number,
        ruleset_digest=ruleset.digest,
        entries=[(f"Mutation.{name}", key, outcome, code, 1)],
    )
