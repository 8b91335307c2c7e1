"""Operations: from a request's document to its answer, by the plan and, for what is no data, by graphql-core."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute_sync,
)
from graphql.execution.values import VariableValues, get_variable_values

from authz.caveats import RowCeiling
from authz.compile import Snapshot
from authz.faults import NO_ANSWER
from authz.narrowing import bound_names, let_through, narrowing_of, row_ceiling
from authz.subjects import Subject
from authz.tokens import LONGEST
from ledger.append import Operation, append
from models.global_ids import from_global
from models.vocabulary import Purpose, Role
from resolvers.compiler import Compiler
from resolvers.documents import MAX_ERRORS, Document, Documents
from resolvers.limits import check_cost
from resolvers.masks import Masks
from resolvers.payloads import Accounts, Write
from resolvers.plan import Plan
from resolvers.problems import Code, RequestRefusedError, bad_input, purpose_names, unavailable
from resolvers.registered import Registered
from resolvers.report import Heading, Report, make_report
from resolvers.run import Run, run_plan
from resolvers.selection import Selected, Selector
from resolvers.times import SHANGHAI
from resolvers.wards import wards_of
from resolvers.writes import ACQUIRE_SECONDS, LONGEST_NAME, Attempt, Told, Writer
from vault.keyring import Keyring
from vault.sealing import KeyCache

_PLANS = 1_000

_COUNT_PEOPLE = """
INSERT INTO audience_use (recipient, day, shown) VALUES ($1, $2, $3)
ON CONFLICT (recipient, day) DO UPDATE SET shown = audience_use.shown + excluded.shown RETURNING shown
"""
# What was refused counts on too, and must not run over the counter's end.
_COUNT_ROWS = """
INSERT INTO token_use (token_id, shown, expires_at) VALUES ($1, $2, $3) ON CONFLICT (token_id) DO UPDATE
SET shown = least(token_use.shown::bigint + excluded.shown, 2147483647) RETURNING shown
"""


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


@dataclass(frozen=True, slots=True)
class Answer:
    """A response body and its status under `application/graphql-response+json`."""

    body: dict[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that answers requests: one schema, the current snapshot, the keys, the pool."""

    schema: GraphQLSchema
    snapshot: Callable[[], Snapshot]
    keyring: Keyring
    pool: "asyncpg.Pool[asyncpg.Record]"
    masks: Masks
    audience_ceiling: int
    clock: Callable[[], datetime]
    documents: Documents
    keys: KeyCache
    accounts: Accounts
    writer: Writer
    registered: Registered
    plans: "OrderedDict[Any, Plan]" = field(default_factory=OrderedDict)

    async def answer(self, request: Request, subject: Subject, purpose: Purpose | None) -> Answer:
        """Answer a request. Raises RequestRefusedError for everything that is refused as a whole."""
        document = self.documents.read(request.query, read_only=request.read_only)
        operation = document.operation(request.operation_name)
        coerced = self._variables(operation, request.variables or {})
        if operation.operation is OperationType.MUTATION:
            return await self._write(document, operation, request, subject, purpose)
        selector = Selector(operation, document.fragments, variables=coerced)
        selected = selector.root()
        if all(one.name.startswith("__") for one in selected):
            return Answer({"data": self.core(document, operation, selected, request)})
        chosen = choose_purpose(subject, purpose)
        variables = coerced.coerced
        snapshot = self.snapshot()
        narrowing = narrowing_of(subject, chosen, now=self.clock())
        compiler = Compiler(self.schema, snapshot, subject.role, chosen, subject.categories, narrowing)
        plan = self._plan(document, operation, selector, variables, compiler)
        check_cost(plan, variables)
        return await _Execution(self, request, document, operation, variables, subject, chosen, snapshot, plan).run()

    async def _write(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        request: Request,
        subject: Subject,
        purpose: Purpose | None,
    ) -> Answer:
        """A mutation. Its payload holds nothing sensitive, so strict mode changes nothing about it."""
        told = Told(
            operation, document.fragments, request.variables or {}, document.shape_hash, purpose, request.attempt
        )
        write = Write(None, subject, self.clock(), self.accounts, self.keys)
        return Answer(await self.writer.run(told, write, self.snapshot().ruleset))

    def _variables(self, operation: OperationDefinitionNode, given: Mapping[str, Any]) -> VariableValues:
        definitions = operation.variable_definitions or ()
        found = get_variable_values(self.schema, definitions, dict(given), max_errors=MAX_ERRORS)
        if isinstance(found, list):
            raise _variables_refused(found)
        return found

    def core(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        selected: Sequence[Selected],
        request: Request,
    ) -> dict[str, Any]:
        """Root fields that hold no personal data, by graphql-core."""
        fields = [_as_field(one) for one in selected]
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

    def _plan(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        selector: Selector,
        variables: Mapping[str, Any],
        compiler: Compiler,
    ) -> Plan:
        name = operation.name.value if operation.name else None
        shape = tuple((key, _shape(value)) for key, value in variables.items())
        place = (document.text_hash, name, shape, compiler.place)
        plan = self.plans.get(place)
        if plan is None:
            plan = self.plans[place] = compiler.compile(selector, variables)
            if len(self.plans) > _PLANS:
                self.plans.popitem(last=False)
        else:
            self.plans.move_to_end(place)
        return plan


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
    found = from_global(value) if isinstance(value, str) else None
    return found[0] if found else "given"


@dataclass(frozen=True, slots=True)
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
    plan: Plan

    async def run(self) -> Answer:
        core_data = self._core()
        heading = Heading(self.purpose.value, self.snapshot.ruleset.number, uuid4())
        try:
            async with self.service.pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                data, report = await self._read(connection)
                await self._record(connection, report, heading)
        except NO_ANSWER as fault:
            raise unavailable() from fault
        data |= core_data
        return self._answer({key: data[key] for key in self.plan.keys}, report.errors(heading), report, heading)

    def _core(self) -> dict[str, Any]:
        if not self.plan.core:
            return {}
        return self.service.core(self.document, self.operation, self.plan.core, self.request)

    async def _read(self, connection: Any) -> tuple[dict[str, Any], Report]:  # noqa: ANN401 - asyncpg's proxy
        service, subject = self.service, self.subject
        caller: dict[str, Any] = {
            "person": subject.person,
            "account": subject.account,
            "organization": subject.organization,
            **bound_names(subject),
        }
        ceiling = row_ceiling(subject)
        if subject.role == Role.GUARDIAN and subject.person:
            now = service.clock()
            caller["wards"] = await wards_of(connection, subject.person, keys=service.keys, now=now)
        run = Run(
            fetch=connection.fetch,
            subject=subject,
            purpose=self.purpose,
            ruleset=self.snapshot.ruleset.number,
            caller=caller,
            variables=self.variables,
            keyring=service.keyring,
            keys=service.keys,
            masks=service.masks,
            now=service.clock(),
            count_people=lambda count: self._count_people(connection, count),
            count_rows=partial(self._count_rows, connection, ceiling) if ceiling else None,
        )
        data = await run_plan(self.plan, run)
        return data, make_report(run.tallies)

    async def _count_rows(self, connection: Any, ceiling: RowCeiling, count: int) -> int:  # noqa: ANN401 - asyncpg's proxy
        """How many of `count` rows about to be shown stay under the ceiling of the token's whole life."""
        expires = self.service.clock() + LONGEST
        shown = await connection.fetchval(_COUNT_ROWS, self.subject.token_id, count, expires)
        return let_through(ceiling, shown=shown, count=count)

    async def _count_people(self, connection: Any, count: int) -> None:  # noqa: ANN401 - asyncpg's proxy
        """A marketing recipient sees so many people a day and no more (C21: no enumeration)."""
        now = self.service.clock().astimezone(SHANGHAI)
        recipient = str(self.subject.organization or "brokerage")
        shown = await connection.fetchval(_COUNT_PEOPLE, recipient, now.date(), count)
        if shown > self.service.audience_ceiling:
            tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            message = "Today's ceiling of people shown for marketing is reached. Come back tomorrow."
            wait = str(int((tomorrow - now).total_seconds()) + 1)
            raise RequestRefusedError(Code.RATE_LIMITED, message, headers={"Retry-After": wait})

    async def _record(self, connection: Any, report: Report, heading: Heading) -> None:  # noqa: ANN401 - asyncpg's proxy
        ruleset = self.snapshot.ruleset
        await append(
            connection,
            Operation(
                decision_id=heading.decision_id,
                role=self.subject.role,
                organization=self.subject.organization,
                account=self.subject.account,
                token_id=self.subject.token_id,
                purpose=self.purpose,
                operation_hash=self.document.shape_hash,
                operation_name=self.operation.name.value[:LONGEST_NAME] if self.operation.name else None,
                ruleset=ruleset.number,
                ruleset_digest=ruleset.digest,
                entries=report.entries(),
            ),
        )

    def _answer(self, data: dict[str, Any], errors: list[dict[str, Any]], report: Report, heading: Heading) -> Answer:
        extensions = {"authorization": report.authorization(heading)}
        if self.request.strict and report.denials:
            return Answer({"data": None, "errors": errors, "extensions": extensions}, Code.FIELD_DENIED.status)
        body: dict[str, Any] = {"data": data}
        if errors:
            body["errors"] = errors
        return Answer({**body, "extensions": extensions})


def _as_field(selected: Selected) -> FieldNode:
    node = selected.node
    selections = tuple(one for below in selected.below for one in below.selections)
    return FieldNode(
        alias=NameNode(value=selected.key),
        name=node.name,
        arguments=node.arguments,
        directives=(),
        selection_set=SelectionSetNode(selections=selections) if selections else None,
    )


def _variables_refused(problems: list[GraphQLError]) -> RequestRefusedError:
    """Variable values are the caller's own data: name the variable, never its value."""
    refusal = RequestRefusedError(Code.BAD_USER_INPUT, "")
    refusal.errors = [_variable_error(problem) for problem in problems[:MAX_ERRORS]]
    return refusal


def _variable_error(problem: GraphQLError) -> dict[str, Any]:
    name = problem.nodes[0].variable.name.value if problem.nodes else ""  # type: ignore[attr-defined]
    return {
        "message": f"The variable ${name} is missing or is no value of its type.",
        "extensions": {"code": Code.BAD_USER_INPUT.name, "argument": name},
    }
