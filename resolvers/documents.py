"""Documents: parsed, validated and measured once, then kept (bounded) by their text."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    IntValueNode,
    KnownFragmentNamesRule,
    LoneAnonymousOperationRule,
    NoFragmentCyclesRule,
    NoUnusedFragmentsRule,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    UniqueFragmentNamesRule,
    UniqueOperationNamesRule,
    Visitor,
    parse,
    print_ast,
    specified_rules,
    validate,
    visit,
)

from resolvers.limits import MAX_DEPTH, MAX_TOKENS, check_size
from resolvers.problems import NO_NUL, Code, RequestRefusedError, bad_input, over_limit
from resolvers.variables import PlainVariables, plain_variables
from resolvers.writes import OneWriteRule

MAX_ERRORS = 5
_LONGEST_MESSAGE = 300
_KEPT = 500
_LONGEST_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document within the limits."""

    text_hash: str
    shape_hash: str
    """Of the document without its literals: theirs may be personal data, and a hash of few digits is soon guessed."""
    node: DocumentNode
    operations: Mapping[str | None, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]
    plain: Mapping[str | None, PlainVariables]
    """By name, the variables of queries that are soon looked up: all are plain, and they ask for data in any case."""

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to run. Raises BAD_USER_INPUT if the name does not pick exactly one."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None or name not in self.operations:
            message = (
                "The document holds several operations: name one of them."
                if name is None
                else ("The document holds no operation of that name.")
            )
            raise bad_input("operationName", message)
        return self.operations[name]


class Documents:
    """Reads documents for one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        """Start with none kept."""
        self._schema = schema
        self._kept: OrderedDict[str, Document] = OrderedDict()

    def read(self, text: str, *, read_only: bool = False) -> Document:
        """The document of a text; `read_only` (GET) refuses all but queries.

        Raises GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED, BAD_USER_INPUT, LIMIT_EXCEEDED or METHOD_NOT_ALLOWED.
        """
        document = self._kept.get(text)
        if document is not None:
            self._kept.move_to_end(text)
            _check_method(document.operations, read_only=read_only)
            return document
        try:
            document = self._read(text, read_only=read_only)
        except RecursionError:
            raise _too_deep() from None
        if len(text) <= _LONGEST_KEPT:
            self._kept[text] = document
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return document

    def known(self, text: str) -> Document | None:
        """The document of a text that was read lately and found good."""
        return self._kept.get(text)

    def _read(self, text: str, *, read_only: bool) -> Document:
        node = _parse(text)
        fragments = {one.name.value: one for one in node.definitions if isinstance(one, FragmentDefinitionNode)}
        operations = {
            one.name.value if one.name else None: one
            for one in node.definitions
            if isinstance(one, OperationDefinitionNode)
        }
        _check_method(operations, read_only=read_only)
        visit(node, _TextCheck())
        # Validation takes quadratic time where fields repeat: what can be measured is measured first.
        self._validate(node, _BEFORE_MEASURING)
        for operation in operations.values():
            check_size(operation, fragments)
        self._validate(node, _ALL)
        if not operations:
            raise bad_input("query", "The document holds no operation.")
        text_hash = hashlib.sha256(text.encode()).hexdigest()
        return Document(text_hash, _shape_hash(node), node, operations, fragments, self._plain(operations))

    def _plain(self, operations: Mapping[str | None, OperationDefinitionNode]) -> dict[str | None, PlainVariables]:
        found = {
            name: plain_variables(self._schema, one.variable_definitions or ())
            for name, one in operations.items()
            if one.operation is OperationType.QUERY and _asks_for_data(one)
        }
        return {name: variables for name, variables in found.items() if variables is not None}

    def _validate(self, node: DocumentNode, rules: Collection[type[ASTValidationRule]]) -> None:
        problems = validate(self._schema, node, rules, max_errors=MAX_ERRORS)
        if problems and problems[0].message == "Validation aborted.":
            raise _too_deep()
        if problems:
            raise _refused(Code.GRAPHQL_VALIDATION_FAILED, problems[:MAX_ERRORS])


def _asks_for_data(operation: OperationDefinitionNode) -> bool:
    """Is some root field no introspection, whatever the variables?"""
    return any(
        isinstance(one, FieldNode) and not one.directives and not one.name.value.startswith("__")
        for one in operation.selection_set.selections
    )


_BEFORE_MEASURING = (
    UniqueFragmentNamesRule,
    UniqueOperationNamesRule,
    LoneAnonymousOperationRule,
    KnownFragmentNamesRule,
    NoUnusedFragmentsRule,
    NoFragmentCyclesRule,
)


_ALL = (*specified_rules, OneWriteRule)


def _shape_hash(node: DocumentNode) -> str:
    return hashlib.sha256(print_ast(visit(node, _Blanker())).encode()).hexdigest()


class _Blanker(Visitor):
    def enter_string_value(self, node: StringValueNode, *_: object) -> StringValueNode:
        return StringValueNode(value="", block=False, loc=node.loc)

    def enter_int_value(self, node: IntValueNode, *_: object) -> IntValueNode:
        return IntValueNode(value="0", loc=node.loc)

    def enter_float_value(self, node: FloatValueNode, *_: object) -> FloatValueNode:
        return FloatValueNode(value="0", loc=node.loc)


def _parse(text: str) -> DocumentNode:
    try:
        return parse(text, max_tokens=MAX_TOKENS, allow_empty_selection_sets=False)
    except GraphQLSyntaxError as problem:
        if problem.message.startswith("Syntax Error: Document contains more than"):
            raise over_limit("tokens", maximum=MAX_TOKENS, actual=MAX_TOKENS + 1) from None
        if problem.message.startswith("Syntax Error: Document is nested too deeply"):
            raise _too_deep() from None
        raise _refused(Code.GRAPHQL_PARSE_FAILED, [problem]) from None


def _too_deep() -> RequestRefusedError:
    return over_limit("depth", maximum=MAX_DEPTH, actual=MAX_DEPTH + 1)


def _check_method(operations: Mapping[str | None, OperationDefinitionNode], *, read_only: bool) -> None:
    if read_only and any(one.operation is not OperationType.QUERY for one in operations.values()):
        message = "Only queries may be sent with GET. Use POST."
        raise RequestRefusedError(Code.METHOD_NOT_ALLOWED, message, headers={"Allow": "POST"})


class _TextCheck(Visitor):
    """Refuses text that the database cannot hold."""

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        if "\0" in node.value:
            raise bad_input("query", NO_NUL)


def _refused(code: Code, problems: list[Any]) -> RequestRefusedError:
    refusal = RequestRefusedError(code, "")
    refusal.errors = [_formatted(problem, code) for problem in problems]
    return refusal


# Names stand in single quotes in these messages, literals in double ones or behind one of these words.
_LITERALS = (
    re.compile(r"(Value cannot represent an? \w+: ).*", re.DOTALL),
    re.compile(r'()"(?:[^"\\]|\\.)*"'),
    re.compile(r"(found:? )(?!…)[^;]*?(?=;|\.?$)", re.DOTALL),
    re.compile(r"(value: )(?!…).*?(?=\. Did you|\.?$)", re.DOTALL),
)


def _without_literals(message: str) -> str:
    """A message about a document; a literal is the caller's own data as a variable is: it may be somebody's phone."""
    for literal in _LITERALS:
        message = literal.sub(r"\1…", message)
    return message


def _formatted(problem: GraphQLError, code: Code) -> dict[str, Any]:
    message = _without_literals(problem.message)
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]}…"
    formatted: dict[str, Any] = {"message": message}
    locations = [{"line": place.line, "column": place.column} for place in (problem.locations or ())[:MAX_ERRORS]]
    if locations:
        formatted["locations"] = locations
    formatted["extensions"] = {"code": code.name}
    return formatted
