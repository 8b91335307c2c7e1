"""Operations: from a request's document to its answer, by the plan and, for what is no data, by graphql-core."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
)
from graphql.execution.values import VariableValues, get_variable_values

from authz.broken_glasses import BrokenGlasses
from authz.compile import Snapshot
from authz.lapses import Lapses
from authz.narrowing import narrowing_of
from authz.rulesets import Rulesets
from authz.subjects import Subject
from ledger.recorder import NotRecordedError, Recorder
from ledger.rows import Kind, Operation, Outcome, withheld
from models.faults import NO_ANSWER
from models.global_ids import type_of
from models.read_connections import ReadConnections
from models.vocabulary import Purpose
from resolvers.compiler import Compiler
from resolvers.documents import MAX_ERRORS, Document, Documents
from resolvers.gathering import Gathered
from resolvers.limits import check_cost, is_measured_once
from resolvers.payloads import Accounts, Attempt, Write
from resolvers.plan import Plan
from resolvers.problems import Code, RequestRefusedError, bad_input, purpose_names, unavailable
from resolvers.reading import Reader
from resolvers.recording import asked, scope_said
from resolvers.registered import Registered
from resolvers.registry import NOUNS
from resolvers.report import Answer, Heading, make_report
from resolvers.run import Run, run_plan
from resolvers.selection import AbstractTypes, Selected, Selector, as_field
from resolvers.variables import plain_values, variables_refused
from resolvers.withholding import withhold
from resolvers.writes import ACQUIRE_SECONDS, Told, Writer, own_purpose, rule_of
from resolvers.writing.once import once_of
from resolvers.writing.shown import payload_of, without_written
from vault.keyring import Keyring

_PLANS = 1_000


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL request, well formed."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] | None = None
    strict: bool = False
    read_only: bool = False
    """GET: nothing but queries."""
    attempt: Attempt | None = None
    idempotency_key: str | None = None


@dataclass(slots=True)
class Prepared:
    """A plan with what need not be found out again for its next request."""

    plan: Plan
    scope: Mapping[str, Any]
    """How the token narrows it, for the ledger."""
    measured: bool = False
    """Is its cost within the limit for all variables that it is for?"""

    def check(self, variables: Mapping[str, Any]) -> None:
        """Refuse what could read too many cells. Raises LIMIT_EXCEEDED."""
        if not self.measured:
            check_cost(self.plan, variables)
            self.measured = is_measured_once(self.plan)


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that answers requests: one schema, the rules, the keys, the pool."""

    schema: GraphQLSchema
    abstract: AbstractTypes
    rulesets: Rulesets
    reader: Reader
    pool: "asyncpg.Pool[asyncpg.Record]"
    reading: "asyncpg.Pool[asyncpg.Record] | ReadConnections"
    """Where reads take their connections from: they begin no transaction."""
    documents: Documents
    accounts: Accounts
    writer: Writer
    registered: Registered
    recorder: Recorder
    lapses: Lapses = field(default_factory=Lapses)
    """What has lapsed of the grants."""
    glasses: BrokenGlasses = field(default_factory=BrokenGlasses)
    """For whom the glass is broken."""
    plans: "OrderedDict[Any, Prepared]" = field(default_factory=OrderedDict)

    def snapshot(self) -> Snapshot:
        """The rules in force at this moment, for one operation from start to end."""
        return self.rulesets.snapshot()

    @property
    def clock(self) -> Callable[[], datetime]:
        """The moment it is."""
        return self.reader.clock

    @property
    def keyring(self) -> Keyring:
        """The keys."""
        return self.reader.keyring

    async def answer(self, request: Request, subject: Subject, purpose: Purpose | None) -> Answer:
        """Answer a request. Raises RequestRefusedError for everything that is refused as a whole."""
        document = self.documents.read(request.query, read_only=request.read_only)
        operation = document.operation(request.operation_name)
        if operation.operation is OperationType.MUTATION:
            coerced = self._variables(operation, request.variables or {})
            return await self._write(document, operation, coerced, request, subject, purpose)
        known = self._known(document, operation, request, subject, purpose)
        if known is not None:
            return await known.run()
        coerced = self._variables(operation, request.variables or {})
        selector = Selector(operation, document.fragments, variables=coerced, abstract=self.abstract)
        selected = selector.root()
        if all(one.name.startswith("__") for one in selected):
            return Answer.of({"data": self.core(document, operation, selected, request)})
        variables = coerced.coerced
        snapshot, glass, compiler = self._compiler(subject, choose_purpose(subject, purpose))
        compiled = partial(compiler.compile, selector, variables)
        prepared = self._prepared(document, operation, variables, compiler, compiled)
        return await _Execution(
            self, request, document, operation, variables, subject, compiler.purpose, snapshot, prepared, glass
        ).run()

    def _known(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        request: Request,
        subject: Subject,
        purpose: Purpose | None,
    ) -> "_Execution | None":
        """A query whose plan is known already and that nothing needs to be found out for; None for all others."""
        name = operation.name.value if operation.name else None
        plain = document.plain.get(name)
        if plain is None or (purpose is None and len(subject.purposes) != 1):
            return None
        variables = plain_values(plain, request.variables or {})
        if variables is None:
            return None
        snapshot, glass, compiler = self._compiler(subject, purpose or subject.purposes[0])
        place = _place(document, name, variables, compiler)
        prepared = self.plans.get(place)
        if prepared is None:
            return None
        self._use(place)
        prepared.check(variables)
        return _Execution(
            self, request, document, operation, variables, subject, compiler.purpose, snapshot, prepared, glass
        )

    def _compiler(self, subject: Subject, purpose: Purpose) -> tuple[Snapshot, UUID | None, Compiler]:
        """The rules that a subject is answered by now, the glass that they owe something to, and who plans by them."""
        now = self.clock()
        snapshot, glass = self.glasses.applied(self.snapshot(), subject, purpose, now=now)
        narrowing = narrowing_of(subject, purpose, now=now)
        categories = self.lapses.left(subject, purpose)
        return snapshot, glass, Compiler(self.schema, snapshot, subject.role, purpose, categories, narrowing)

    async def _write(  # noqa: PLR0913 - what a mutation depends on
        self,
        document: Document,
        operation: OperationDefinitionNode,
        coerced: VariableValues,
        request: Request,
        subject: Subject,
        named: Purpose | None,
    ) -> Answer:
        """A mutation. What shows its outcome is planned before anything is written."""
        selector = Selector(operation, document.fragments, variables=coerced, abstract=self.abstract)
        (field,) = selector.fields("Mutation", (operation.selection_set,))
        rule = rule_of(self.schema, field.name)
        purpose = own_purpose(named, rule, subject) or choose_purpose(subject, named)
        snapshot, glass, compiler = self._compiler(subject, purpose)
        payload = payload_of(self.schema, field.name)
        plan = None
        if payload.noun is not None:
            compiled = partial(compiler.compile_written, selector, coerced.coerced, field, NOUNS[payload.noun])
            plan = self._prepared(document, operation, coerced.coerced, compiler, compiled).plan
        told = Told(
            name=field.name,
            key=field.key,
            rule=rule,
            purpose=purpose,
            document=without_written(document, operation, selector, field, payload),
            plan=plan,
            given=request.variables or {},
            variables=coerced.coerced,
            operation_name=operation.name.value if operation.name else None,
            shape_hash=document.shape_hash,
            strict=request.strict,
            scope=scope_said(compiler.categories, compiler.narrowing),
        )
        write = Write(
            None, field.name, subject, purpose, self.clock(), snapshot, self.accounts, self.reader, request.attempt
        )
        write.broken_glass, write.most_glass = glass, self.glasses.most
        if request.idempotency_key is not None:
            # Strictness is not among it: whoever asks again in the other mode asks for the same write.
            chosen = operation.name.value if operation.name else None
            asked = (document.text_hash, chosen, subject.role.value, purpose.value, told.given)
            write.once = once_of(self.keyring, request.idempotency_key, request=asked)
        return await self.writer.run(told, write)

    def _variables(self, operation: OperationDefinitionNode, given: Mapping[str, Any]) -> VariableValues:
        definitions = operation.variable_definitions or ()
        found = get_variable_values(self.schema, definitions, dict(given), max_errors=MAX_ERRORS)
        if isinstance(found, list):
            raise variables_refused(self.schema, definitions, given, most=MAX_ERRORS)
        return found

    def core(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        selected: Sequence[Selected],
        request: Request,
    ) -> dict[str, Any]:
        """Root fields that hold no personal data, by graphql-core."""
        fields = [as_field(one) for one in selected]
        reduced = OperationDefinitionNode(
            operation=OperationType.QUERY,
            name=operation.name,
            variable_definitions=operation.variable_definitions,
            directives=(),
            selection_set=SelectionSetNode(selections=tuple(fields)),
        )
        node = DocumentNode(definitions=(reduced, *document.fragments.values()))
        result = execute_sync(self.schema, node, variable_values=dict(request.variables or {}))
        data = getattr(result, "data", None)
        if data is None or getattr(result, "errors", None):
            # These fields' resolvers cannot fail: what went wrong is a variable that is null where none may be.
            raise bad_input("variables", "A variable is null where its argument must not be.")
        return dict(data)

    def _prepared(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
        compiler: Compiler,
        compiled: Callable[[], Plan],
    ) -> Prepared:
        """The plan of an operation, within the limit of cost. Raises LIMIT_EXCEEDED and what a compiler raises."""
        place = _place(document, operation.name.value if operation.name else None, variables, compiler)
        prepared = self.plans.get(place)
        if prepared is None:
            prepared = Prepared(compiled(), scope_said(compiler.categories, compiler.narrowing))
            self.plans[place] = prepared
            if len(self.plans) > _PLANS:
                self.plans.popitem(last=False)
        else:
            self._use(place)
        prepared.check(variables)
        return prepared

    def _use(self, place: tuple[Any, ...]) -> None:
        """What is used lately goes last, as soon as there may be need of that."""
        if len(self.plans) > _PLANS // 2:
            self.plans.move_to_end(place)


def _place(document: Document, name: str | None, variables: Mapping[str, Any], compiler: Compiler) -> tuple[Any, ...]:
    """Where the plan of an operation is kept: all that it depends on."""
    shape = tuple((key, _shape(value)) for key, value in variables.items())
    return document.text_hash, name, shape, compiler.place


def choose_purpose(subject: Subject, named: Purpose | None) -> Purpose:
    """The one purpose of an operation. Raises PURPOSE_REQUIRED if the token leaves it open (C16)."""
    if named is not None:
        return named
    if len(subject.purposes) == 1:
        return subject.purposes[0]
    message = "This token serves several purposes, or none. Name the one of this request in the header X-Purpose."
    raise RequestRefusedError(Code.PURPOSE_REQUIRED, message, extensions={"allowed": purpose_names(subject.purposes)})


def _shape(value: Any) -> Any:  # noqa: ANN401 - any variable
    """What of a variable's value a plan may depend on: null, a boolean, a page size, an enum, the type of an id."""
    if value is None or isinstance(value, int):
        return value
    if hasattr(value, "name"):
        return value.name
    return (type_of(value) if isinstance(value, str) else None) or "given"


@dataclass(slots=True)
class _Execution:
    """One operation from plan to answer, under one snapshot."""

    service: Service
    request: Request
    document: Document
    operation: OperationDefinitionNode
    variables: Mapping[str, Any]
    subject: Subject
    purpose: Purpose
    snapshot: Snapshot
    prepared: Prepared
    glass: UUID | None

    @property
    def plan(self) -> Plan:
        return self.prepared.plan

    async def run(self) -> Answer:
        core_data = self._core()
        heading = Heading.of(self.purpose.value, self.snapshot.ruleset.number, uuid4(), self.glass)
        try:
            async with self.service.reading.acquire(timeout=ACQUIRE_SECONDS) as connection:
                run = await self._run(connection)
                data = await run_plan(self.plan, run)
        except NO_ANSWER as fault:
            raise unavailable() from fault
        report = make_report(run.tallies, again=run.spending.again)
        row = self._row(run, heading, refused=self.request.strict and bool(report.denials))
        recorded = True
        try:
            await self.service.recorder.record(row)
        except NotRecordedError as fault:
            self.service.recorder.record_later(withheld(row))
            if run.lookups:
                # That somebody is there at all is what was asked, and is not told.
                raise unavailable() from fault
            recorded, report = False, report.withheld(withhold(self.plan, data))
        data |= core_data
        errors, extensions = report.errors(heading), {"authorization": report.authorization(heading)}
        if self.request.strict and errors:
            body = {"data": None, "errors": errors, "extensions": extensions}
            decided = report.decided(heading, refused=True)
            return Answer.of(body, Code.FIELD_DENIED.status, decided=decided, recorded=recorded)
        body = {"data": {key: data[key] for key in self.plan.keys}}
        if errors:
            body["errors"] = errors
        body["extensions"] = extensions
        return Answer.of(body, decided=report.decided(heading), recorded=recorded)

    def _core(self) -> dict[str, Any]:
        if not self.plan.core:
            return {}
        return self.service.core(self.document, self.operation, self.plan.core, self.request)

    async def _run(self, connection: Any) -> Run:  # noqa: ANN401 - asyncpg's proxy
        return await self.service.reader.run(
            connection, self.subject, self.purpose, snapshot=self.snapshot, variables=self.variables
        )

    def _row(self, run: Run, heading: Heading, *, refused: bool) -> Operation:
        name = self.operation.name.value if self.operation.name else None
        ruleset = self.snapshot.ruleset
        decided = Gathered()
        decided.add(run.tallies)
        for one in run.lookups:
            decided.found(one.coordinates, one.persons)
        decided.tell(run.notes.told)
        return Operation(
            Kind.READ,
            heading.decision_id,
            self.service.clock(),
            Outcome.REFUSED if refused else Outcome.DONE,
            Code.FIELD_DENIED.value if refused else None,
            **asked(self.subject, self.purpose, ruleset, shape_hash=self.document.shape_hash, name=name),
            scope=self.prepared.scope,
            misses=len(run.missed),
            persons=decided.persons,
            records=decided.records,
            groups=decided.groups,
            entries=decided.entries,
            detail=run.notes.detail,
            break_glass=self.glass,
        )
