"""Writes: a mutation runs on one connection, in one transaction with its ledger row.

What a caller did wrong is a value, a `Problem` in the payload, and is committed: a failed login has to be counted.
Only what refuses the whole request is an exception, and takes everything back. What was written is shown by the plan,
on the same connection and before the commit, so that a strict denial takes it back.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable
from typing import Any, Self
from uuid import UUID, uuid4

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

from authz.rulesets import wait_everywhere
from authz.subjects import Subject
from authz.witnesses import people_sql
from ledger.append import add
from ledger.rows import WRITE, Entry, Kind, Operation, Outcome, Person, stand_in
from models.faults import NO_ANSWER
from models.vocabulary import PARTNER_ROLES, Purpose
from privacy.tombstones import TombstonesError
from resolvers.gathering import Gathered
from resolvers.payloads import Write
from resolvers.plan import Plan
from resolvers.problems import Code, RequestRefusedError, bad_input, purpose_names, unavailable
from resolvers.reading import Reader
from resolvers.recording import asked
from resolvers.registry import NOUNS
from resolvers.report import Answer, Heading, Report, make_report
from resolvers.run import run_written
from resolvers.writing.once import answered_once

_log = logging.getLogger("needful.writes")

ACQUIRE_SECONDS = 5.0
HEAVY_AT_ONCE = 2
HEAVY_WAITING = 64
WRITES_WAITING = 256
TURN_SECONDS = 4.0
"""How long a write waits for its turn, before it has a connection."""
_OF_BENEFICIARIES = frozenset({"draftApplication", "setBeneficiaries"})
"""The writes that change beneficiaries beside the policy."""
_LETTERS = {"policy": "p", "claim": "c", "consent": "n"}
"""By table, the letter of the records that a row of the ledger may name."""
RULE = "write"
"""Where a mutation's field keeps its `WriteRule`, in the metadata of its declaration."""


@dataclass(frozen=True, slots=True)
class WriteRule:
    """How a mutation runs.

    Without a `purpose` of its own it runs under the operation's, and the rules say who may run it. `attempt`: it takes
    a secret and may give tokens, so it counts against the limit of such attempts. `heavy`: it hashes passwords, so few
    run at once and the rest wait without a connection.
    """

    purpose: Purpose | None = None
    attempt: bool = False
    heavy: bool = False
    secret: bool = False
    """Its answer holds a secret that stands nowhere: no idempotency key keeps it, asked again it is done again."""
    kind: Kind = Kind.WRITE
    """What its rows in the ledger are about: a session's beginning and end is a LOGIN."""


@dataclass(frozen=True, slots=True)
class Told:
    """One mutation as it was asked for: its root field, and the plan that shows what it wrote."""

    name: str
    key: str
    rule: WriteRule
    purpose: Purpose
    document: DocumentNode
    """The root field alone, with what it selects of anything but what was written."""
    plan: Plan | None
    given: Mapping[str, Any]
    variables: Mapping[str, Any]
    operation_name: str | None
    shape_hash: str
    strict: bool
    scope: Mapping[str, Any]
    """How the token narrows it, for the ledger."""


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
    """Lets few work at once and a bounded number wait, for a bounded time; the rest are told to come back."""

    def __init__(self, at_once: int, waiting: int, *, seconds: float | None = None) -> None:
        """Nobody is in yet; `seconds`: how long one waits."""
        self._places = asyncio.Semaphore(at_once)
        self._most = waiting
        self._seconds = seconds
        self._waiting = 0

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Wait for a place and keep it for the block. Raises RATE_LIMITED where too many wait, TimeoutError."""
        if self._waiting >= self._most:
            message = "Too many do this at the moment. Try again in a second."
            raise RequestRefusedError(Code.RATE_LIMITED, message, headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


class _StrictDenialError(Exception):
    """Something of what was written is denied, and the client wants all or nothing."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Runs mutations of one schema."""

    schema: GraphQLSchema
    pool: "asyncpg.Pool[asyncpg.Record]"
    heavy: Gate
    """Before those that hash passwords."""
    gate: Gate
    """Before all: whatever writes wait for, such as each other, connections are left for reads."""
    reader: Reader
    ledger_writer: UUID = field(default_factory=uuid4)
    """As whom the rows of writes are added, each in the transaction of its write."""

    @classmethod
    def over(
        cls, schema: GraphQLSchema, pool: "asyncpg.Pool[asyncpg.Record]", reader: Reader, *, pool_size: int
    ) -> Self:
        """A writer that leaves half of a pool's connections to reads."""
        heavy = Gate(HEAVY_AT_ONCE, HEAVY_WAITING)
        gate = Gate(pool_size // 2, WRITES_WAITING, seconds=TURN_SECONDS)
        return cls(schema, pool, heavy, gate, reader)

    async def run(self, told: Told, write: Write) -> Answer:
        """Run one mutation. Raises RequestRefusedError for what is refused as a whole."""
        if told.rule.attempt:
            await write.count_attempt()
        heading = Heading.of(told.purpose.value, write.ruleset.number, write.decision, write.broken_glass)
        try:
            async with (
                self.heavy.entered() if told.rule.heavy else nullcontext(),
                self.gate.entered(),
                self.pool.acquire(timeout=ACQUIRE_SECONDS) as connection,
            ):
                return await self._run(connection, told, write, heading)
        except NO_ANSWER as fault:
            raise unavailable() from fault

    async def _run(self, connection: Any, told: Told, write: Write, heading: Heading) -> Answer:  # noqa: ANN401 - asyncpg
        write.connection = connection
        report, decided = make_report(()), Gathered()
        data: dict[str, Any] = {}
        try:
            async with connection.transaction():
                data = await self._answered(told, write)
                if write.written is not None:
                    data[told.key], report = await self._show(told, write, write.written.id, decided)
                _check_strict(told, report)
                done = await _done(told, write, decided)
                await add(connection, self.ledger_writer, _row(told, write, heading, decided, done))
        except _StrictDenialError:
            write.refused = Code.FIELD_DENIED.value
            async with connection.transaction():
                await add(
                    connection,
                    self.ledger_writer,
                    _row(told, write, heading, decided, _entry(told, decided.group((), None))),
                )
            extensions = {"authorization": report.authorization(heading)}
            denied = {"data": None, "errors": report.errors(heading), "extensions": extensions}
            decided_said = report.decided(heading, refused=True)
            return Answer.of(denied, Code.FIELD_DENIED.status, decided=decided_said)
        await _remember_erased(write)
        if write.published is not None:
            # It is done, whatever comes of waiting.
            with suppress(*NO_ANSWER):
                await wait_everywhere(connection, write.published)
        body: dict[str, Any] = {"data": data}
        errors = report.errors(heading)
        if errors:
            body["errors"] = errors
        body["extensions"] = {"authorization": report.authorization(heading)}
        return Answer.of(body, decided=report.decided(heading))

    async def _answered(self, told: Told, write: Write) -> dict[str, Any]:
        """What graphql-core answers: a payload, or a noun without anything in it, which the plan shows."""
        if told.plan is not None or told.rule.purpose is not None or told.rule.secret:
            return await self._execute(told, write)
        return await answered_once(write, partial(self._execute, told, write))

    async def _execute(self, told: Told, write: Write) -> dict[str, Any]:
        running = execute(self.schema, told.document, context_value=write, variable_values=dict(told.given))
        result: Any = await running if isawaitable(running) else running
        if result.errors:
            fault = result.errors[0].original_error
            if fault is None or isinstance(fault, GraphQLError):
                # What is left for execution to find: a variable that is null where none may be.
                raise bad_input("variables", "A variable is null where its argument must not be.")
            raise fault
        return dict(result.data)

    async def _show(
        self,
        told: Told,
        write: Write,
        written: Any,  # noqa: ANN401 - any JSON
        decided: Gathered,
    ) -> tuple[Any, Report]:
        """What was written, as the caller may see it; `decided` is added to."""
        if told.plan is None:
            message = f"{told.name} declares no payload that could show what it wrote"
            raise TypeError(message)
        run = await self.reader.run(
            write.connection, write.subject, told.purpose, snapshot=write.snapshot, variables=told.variables
        )
        shown = await run_written(told.plan, run, written)
        decided.add(run.tallies)
        decided.tell(run.notes.told)
        return shown, make_report(run.tallies, again=run.spending.again)


def _check_strict(told: Told, report: Report) -> None:
    if told.strict and report.denials:
        raise _StrictDenialError


def rule_of(schema: GraphQLSchema, name: str) -> WriteRule:
    """The rule of a mutation's root field."""
    mutations = schema.mutation_type
    if mutations is None:
        message = "a mutation was validated without a mutation type"
        raise TypeError(message)
    rule: WriteRule = mutations.fields[name].extensions["strawberry-definition"].metadata[RULE]
    return rule


def own_purpose(named: Purpose | None, rule: WriteRule, subject: Subject) -> Purpose | None:
    """The purpose of a mutation that has its own, which a header names or leaves out; None: the operation's.

    Raises PURPOSE_NOT_ALLOWED for another one, and for partners: they have no accounts.
    """
    if rule.purpose is None:
        return None
    if subject.role in PARTNER_ROLES:
        message = "Accounts and sessions are people's: a partner's token changes none."
        allowed = purpose_names(subject.purposes)
        raise RequestRefusedError(Code.PURPOSE_NOT_ALLOWED, message, extensions={"allowed": allowed})
    if named is not None and named is not rule.purpose:
        message = "This mutation has a purpose of its own. Name that one in X-Purpose, or none."
        allowed = purpose_names((rule.purpose,))
        raise RequestRefusedError(Code.PURPOSE_NOT_ALLOWED, message, extensions={"allowed": allowed})
    return rule.purpose


async def _remember_erased(write: Write) -> None:
    """Write the tombstones, after the commit: what was taken back must not be erased by them.

    Where that fails, or the process is killed just now, the job `tombstones-complete` does it.
    """
    if write.erased and write.reader.tombstones is not None:
        try:
            await asyncio.to_thread(write.reader.tombstones.add, write.erased)
        except TombstonesError as fault:
            _log.error("who was let go of is not among the tombstones yet: %s", fault)


async def _done(told: Told, write: Write, decided: Gathered) -> Entry:
    """Whose data the write changed, and in which row; the group is one more of `decided`."""
    written, record = write.written, write.record
    people: list[Person] = []
    # What had been done before is shown again, and changes nobody.
    if not write.repeated:
        people += write.people
    if written is not None and not write.repeated:
        noun = NOUNS[written.noun]
        columns = people_sql(noun.table)
        if columns:
            find = f"SELECT {', '.join(columns)} FROM {noun.table} t WHERE t.id = $1"
            row = await write.connection.fetchrow(find, written.id)
            people += [person for person in row or () if person is not None]
        if told.name in _OF_BENEFICIARIES:
            people += await _beneficiaries(write.connection, written.id)
        if noun.table in _LETTERS:
            record = _LETTERS[noun.table] + written.id.hex
    return _entry(told, decided.group(list(dict.fromkeys(people)), record))


async def _beneficiaries(connection: Any, policy: UUID) -> list[Person]:  # noqa: ANN401 - asyncpg's proxy
    """Those whom a policy names, as a read of them would say it."""
    (person,) = people_sql("beneficiary")
    rows = await connection.fetch(f"SELECT t.id, {person} AS person FROM beneficiary t WHERE t.policy_id = $1", policy)
    return [row["person"] or stand_in("beneficiary", row["id"]) for row in rows]


def _entry(told: Told, group: int) -> Entry:
    return Entry((f"Mutation.{told.name}",), WRITE, None, 0, group)


def _row(told: Told, write: Write, heading: Heading, decided: Gathered, done: Entry) -> Operation:
    outcome = Outcome.REFUSED if write.refused else Outcome.REPEATED if write.repeated else Outcome.DONE
    said = asked(write.subject, told.purpose, write.ruleset, shape_hash=told.shape_hash, name=told.operation_name)
    return Operation(
        told.rule.kind,
        heading.decision_id,
        write.now,
        outcome,
        write.refused,
        **{**said, "account": write.subject.account or write.actor},
        scope=told.scope,
        persons=decided.persons,
        records=decided.records,
        groups=decided.groups,
        entries=[done, *decided.entries],
        break_glass=write.broken_glass,
    )
