"""Previews: what an operation would be shown, by its plan and the rules, without reading data.

The plan is the one that would run (`resolvers.compiler`); of each sensitive cell every effect is asked for that rules
of its slice can tell. What only data can say is left out: a ceiling, a budget, a value that cannot be opened.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from graphql import GraphQLSchema, OperationDefinitionNode, OperationType
from graphql.execution.values import VariableValues, get_variable_values

from authz.compile import DecisionFaultError, Slice, Snapshot
from authz.lapses import Lapses
from authz.narrowing import STEP_UP, Narrowing, compares, narrowing_of
from authz.possible import NOT_TOLD, OTHERWISE, Case, Decide, cases, effects, situations
from authz.vocabulary import Effect, Reason, Relation
from models.global_ids import NodeType, to_global
from models.vocabulary import PERSON_ROLES, Category, Purpose, Role, to_bits
from resolvers.compiler import NODES, Compiler
from resolvers.documents import MAX_ERRORS, Document, Documents
from resolvers.examples import example_of
from resolvers.field_access import FieldAccess, Previewed, Shown
from resolvers.limits import check_cost
from resolvers.plan import (
    Connection,
    ConnectionCell,
    LinkCell,
    ListCell,
    Plan,
    RootConnection,
    RootRow,
    RootViewer,
    RootWritten,
    SensitiveCell,
    Shape,
    View,
)
from resolvers.problems import unavailable
from resolvers.registry import NOUNS
from resolvers.report import remedy_of
from resolvers.selection import AbstractTypes, Selector, abstract_types
from resolvers.variables import variables_refused
from resolvers.writes import rule_of
from resolvers.writing.shown import payload_of

_EVERY = to_bits(set(Category))
_NOBODYS_PURPOSE = "C24"
"""A use that the declared purposes do not name: no rule speaks of it, and this clause is why."""
_WITHOUT_FACTOR = "without a second factor: DENY"

_Cells = Iterator[tuple[SensitiveCell, Relation | None]]
"""Cells, and the relation that is known to hold for them."""


@dataclass(frozen=True, slots=True)
class Previewer:
    """Plans operations of one schema and says what they would be shown."""

    schema: GraphQLSchema
    documents: Documents
    lapses: Lapses
    clock: Callable[[], datetime]
    abstract: AbstractTypes = field(init=False)

    def __post_init__(self) -> None:
        """The interfaces and unions of the schema never change."""
        object.__setattr__(self, "abstract", abstract_types(self.schema))

    def check(self, text: str) -> tuple[str, ...]:
        """The names of a document's operations; one without a name is empty. Raises RequestRefusedError."""
        return tuple(name or "" for name in self.documents.read(text).operations)

    async def preview(self, previewed: Previewed, snapshot: Snapshot) -> list[FieldAccess]:
        """What of the operation comes to what, each coordinate and path pattern once, in the order of the answer.

        Raises RequestRefusedError for what would be refused as a whole: an invalid document, a limit, a filter.
        """
        document = self.documents.read(previewed.document)
        operation = document.operation(previewed.operation_name)
        asked = _Asked(self, previewed, snapshot, document, operation)
        found: dict[tuple[str, str], FieldAccess] = {}
        try:
            for one in asked.accesses():
                found.setdefault((one.coordinate, one.pattern), one)
                # Where nobody has asked yet, a decision takes a while: others get their turn in between.
                await asyncio.sleep(0)
        except DecisionFaultError as fault:
            raise unavailable() from fault
        return list(found.values())


class _Asked:
    """One preview."""

    def __init__(
        self,
        previewer: Previewer,
        previewed: Previewed,
        snapshot: Snapshot,
        document: Document,
        operation: OperationDefinitionNode,
    ) -> None:
        self._schema, self._abstract = previewer.schema, previewer.abstract
        self._previewed = previewed
        self._snapshot = snapshot
        self._document, self._operation = document, operation
        role, purpose, subject = previewed.role, previewed.purpose, previewed.subject
        self._slice = snapshot.slice(role, purpose)
        self._categories, self._narrowing = _EVERY, Narrowing()
        self._may_wait = False
        """May a second factor be missing?"""
        if subject is not None:
            self._categories = previewer.lapses.left(subject, purpose)
            self._narrowing = narrowing_of(subject, purpose, now=previewer.clock())
        elif role in PERSON_ROLES and purpose == Purpose.RIGHTS_REQUEST:
            self._may_wait = True
        definitions = operation.variable_definitions or ()
        self._unknown = {
            one.variable.name.value: one
            for one in definitions
            if one.variable.name.value not in previewed.variables and one.default_value is None
        }

    def accesses(self) -> Iterator[FieldAccess]:
        """The write, and every sensitive cell of every plan that the operation may be run by."""
        if self._operation.operation is OperationType.MUTATION:
            yield from self._written()
            return
        for variables in self._variables():
            selector = self._selector(variables)
            plan = self._compiler().compile(selector, variables.coerced)
            check_cost(plan, variables.coerced)
            yield from self._cells(plan)

    def _written(self) -> Iterator[FieldAccess]:
        variables = next(self._variables())
        selector = self._selector(variables)
        (root,) = selector.fields("Mutation", (self._operation.selection_set,))
        if rule_of(self._schema, root.name).purpose is not None:
            # A mutation of accounts is decided by its secret, and answers with nothing of anybody.
            return
        yield self._write(f"Mutation.{root.name}", root.key)
        noun = payload_of(self._schema, root.name).noun
        if noun is not None:
            plan = self._compiler().compile_written(selector, variables.coerced, root, NOUNS[noun])
            check_cost(plan, variables.coerced)
            yield from self._cells(plan)

    def _compiler(self) -> Compiler:
        previewed = self._previewed
        return Compiler(
            self._schema, self._snapshot, previewed.role, previewed.purpose, self._categories, self._narrowing
        )

    def _selector(self, variables: VariableValues) -> Selector:
        return Selector(
            self._operation,
            self._document.fragments,
            variables=variables,
            abstract=self._abstract,
            unknown=self._unknown.keys(),
        )

    # Variables.

    def _variables(self) -> Iterator[VariableValues]:
        """The values given, with examples of those that must be given and are not.

        What a `node` is depends on its id: where that is not known, it is tried as each.
        """
        first, *others = NODES
        found = self._with_examples(first)
        yield found
        query = self._unknown and self._operation.operation is OperationType.QUERY
        if query and any(one.name == "node" for one in self._selector(found).root()):
            yield from map(self._with_examples, others)

    def _with_examples(self, node: NodeType) -> VariableValues:
        definitions = self._operation.variable_definitions or ()
        given = dict(self._previewed.variables)
        for name, one in self._unknown.items():
            value = example_of(self._schema, one.type, id_example=to_global(node, UUID(int=0)))
            if value is not None:
                given[name] = value
        found = get_variable_values(self._schema, definitions, given, max_errors=MAX_ERRORS)
        if isinstance(found, list):
            raise variables_refused(self._schema, definitions, given, most=MAX_ERRORS)
        return found

    # Effects.

    def _cells(self, plan: Plan) -> Iterator[FieldAccess]:
        for cell, always in _cells_of(plan, self._previewed.role):
            yield self._cell(cell, always)

    def _cell(self, cell: SensitiveCell, always: Relation | None) -> FieldAccess:
        coordinate = cell.coordinate
        made = FieldAccess(coordinate.name, cell.pattern, coordinate.category, Shown.DENY)
        if cell.refused is not None:
            return replace(made, reason=cell.refused, remedy=remedy_of(cell.refused, coordinate.category.value))
        decide: Decide = cell.effects.__getitem__ if cell.opens else _denied
        if compares(self._slice, self._narrowing) and cell.opens:
            # Fewer witnesses cannot come to more than these do; the rules' own table has every effect there is.
            table, most = self._slice.table(coordinate.name), self._narrowing.most

            def decide(situation: int) -> Effect:
                return min(table[situation], most)

        reason = self._reason_of(cell)
        found = _Decided(self._slice, coordinate.name, decide, reason, always)
        waits = self._may_wait and coordinate.category in STEP_UP
        return self._told(made, found, waits=waits)

    def _reason_of(self, cell: SensitiveCell) -> Callable[[int], Reason]:
        if compares(self._slice, self._narrowing):
            return self._slice.table(cell.coordinate.name).reason
        return cell.effects.reason

    def _write(self, name: str, key: str) -> FieldAccess:
        compiled = self._snapshot.writing(self._previewed.role, self._previewed.purpose)

        def decide(situation: int) -> Effect:
            return Effect.REVEAL if compiled.may_write(name, situation) else Effect.DENY

        def reason(situation: int) -> Reason:
            return compiled.why_not_write(name, situation)

        made = FieldAccess(name, key, None, Shown.DENY)
        return self._told(made, _Decided(compiled, name, decide, reason, None), waits=False)

    def _told(self, made: FieldAccess, found: "_Decided", *, waits: bool) -> FieldAccess:
        """An access with its effect, and why it is not more."""
        possible, by_case = found.effects(), found.cases()
        best = max(possible)
        waits = waits and best is Effect.REVEAL
        if len(possible) > 1 or waits:
            lines = [one.line for one in by_case if one.effect in possible]
            denied = found.first_denied(by_case) if Effect.DENY in possible else None
            return replace(
                made,
                effect=Shown.DEPENDS,
                reason=Reason.STEP_UP if waits and denied is None else denied,
                situations=(*lines, *((_WITHOUT_FACTOR,) if waits else ())),
                remedy=_depends(by_case, waits=waits),
                clause=next((one.clause for one in by_case if one.effect is best and one.clause), None),
            )
        shown = replace(made, effect=Shown[best.name])
        clause = next((one.clause for one in by_case if one.clause), None)
        if best is Effect.REVEAL:
            return replace(shown, clause=clause)
        if best is Effect.MASK:
            return replace(shown, clause=clause, remedy=self._elsewhere(shown, Effect.REVEAL, _MASKED_HERE, found))
        reason = found.why_denied()
        remedy = remedy_of(reason, made.category.value) if made.category else _WRITE_DENIED
        if reason is Reason.PURPOSE:
            remedy = self._elsewhere(made, Effect.MASK, remedy, found)
        if reason in (Reason.PURPOSE, Reason.ROLE):
            clause = _NOBODYS_PURPOSE
        return replace(shown, reason=reason, remedy=remedy, clause=clause)

    def _elsewhere(self, made: FieldAccess, least: Effect, otherwise: str, found: "_Decided") -> str:
        """Under which purposes the role is shown more: what would change it."""
        purposes = [one for one in Purpose if one != self._previewed.purpose and self._shows(one, made, least, found)]
        if not purposes:
            return otherwise
        what = "may do this" if made.category is None else _SHOWN[least]
        named = ", ".join(one.value for one in purposes)
        return f"Your role {what} for: {named}. Name that purpose in X-Purpose, if it is yours."

    def _shows(self, purpose: Purpose, made: FieldAccess, least: Effect, found: "_Decided") -> bool:
        other = found.of(self._snapshot, self._previewed.role, purpose, write=made.category is None)
        return max(other.effects()) >= least


_SHOWN = {Effect.MASK: "is shown this field", Effect.REVEAL: "is shown all of this field"}
_MASKED_HERE = "Your role is shown a masked value only. Do with that, or ask the security team."
_WRITE_DENIED = "Your role may not do this. Leave it out, or ask the security team."


def _depends(by_case: Sequence[Case], *, waits: bool) -> str:
    shown = [one.words for one in by_case if one.effect and one.words != OTHERWISE]
    lines = [f"Shown where this holds: {'; '.join(shown)}."] if shown else []
    if any(one.words == NOT_TOLD for one in by_case):
        lines.append("Of whoever agreed to a notice that tells of this use; others are not shown.")
    return " ".join([*lines, *(["Confirm with a second factor first."] if waits else [])]) or "Decided row by row."


@dataclass(frozen=True, slots=True)
class _Decided:
    """How one coordinate is decided under one slice."""

    compiled: Slice
    name: str
    decide: Decide
    reason: Callable[[int], Reason]
    always: Relation | None

    def effects(self) -> frozenset[Effect]:
        return effects(self.compiled, self.name, self.decide, always=self.always)

    def cases(self) -> list[Case]:
        return cases(self.compiled, self.name, self.decide, always=self.always)

    def first_denied(self, by_case: Iterable[Case]) -> Reason | None:
        """Why it is denied where it is, by the case that is told."""
        for one in reversed(list(by_case)):
            if one.effect is Effect.DENY:
                return self.reason(one.situation)
        return None

    def why_denied(self) -> Reason:
        """Why it is always denied: the first of the reasons there are, in the vocabulary's order."""
        found = {self.reason(one) for one in situations(self.compiled, self.name, always=self.always)}
        return next(one for one in Reason if one in found)

    def of(self, snapshot: Snapshot, role: Role, purpose: Purpose, *, write: bool) -> "_Decided":
        """The same coordinate for another purpose, as the rules have it."""
        compiled = snapshot.writing(role, purpose) if write else snapshot.slice(role, purpose)
        name = self.name

        def writes(situation: int) -> Effect:
            return Effect.REVEAL if compiled.may_write(name, situation) else Effect.DENY

        decide: Decide = writes if write else compiled.table(name).__getitem__
        return _Decided(compiled, name, decide, self.reason, None)


def _denied(_: int) -> Effect:
    return Effect.DENY


def _cells_of(plan: Plan, role: Role) -> _Cells:
    for root in plan.roots:
        if isinstance(root, RootRow | RootWritten):
            yield from _of_shape(root.level.shape, None)
        elif isinstance(root, RootConnection):
            yield from _of_connection(root.connection)
        elif isinstance(root, RootViewer):
            # The viewer of a customer is that customer.
            always = Relation.SELF if role == Role.CUSTOMER else None
            for _, level in root.users:
                yield from _of_shape(level.shape, always)


def _of_shape(shape: Shape, always: Relation | None) -> _Cells:
    """The cells of a shape; below a link somebody else may stand."""
    for cell in shape.cells:
        if isinstance(cell, SensitiveCell):
            yield cell, always
        elif isinstance(cell, LinkCell | ListCell):
            yield from _of_shape(cell.level.shape, None)
        elif isinstance(cell, ConnectionCell):
            yield from _of_connection(cell.connection)


def _of_connection(connection: Connection) -> _Cells:
    for view in connection.parts:
        if isinstance(view, View):
            for part in view.parts:
                if part.shape is not None:
                    yield from _of_shape(part.shape, None)
