"""Mutants of a module: each has one comparison, constant, operator, statement, `not` or result changed."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, ModuleType

COMPARISONS = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult}
STATEMENTS = ast.Expr | ast.Assign | ast.AugAssign | ast.Raise | ast.Return | ast.For | ast.While


@dataclass(frozen=True)
class Mutant:
    codes: list[CodeType]
    """Of each statement of the module."""
    told: Callable[[], str]
    """What is changed; to be asked before the next mutant is made."""

    def load(self, name: str) -> ModuleType:
        """The mutant as a module."""
        module = ModuleType(name)
        for code in self.codes:
            exec(code, module.__dict__)  # noqa: S102 - a change of this project's own code
        return module


@dataclass(frozen=True)
class Change:
    """One value of one node, or one of its list's, put in place of another for a while."""

    node: ast.AST
    name: str
    value: object
    place: int | None = None

    def made(self) -> Callable[[], None]:
        """Make it, and give what undoes it."""
        before = getattr(self.node, self.name)
        if isinstance(self.value, ast.AST):
            place = before if self.place is None else before[self.place]
            ast.fix_missing_locations(ast.copy_location(self.value, place))
        if self.place is None:
            setattr(self.node, self.name, self.value)
        else:
            setattr(self.node, self.name, [*before[: self.place], self.value, *before[self.place + 1 :]])
        return lambda: setattr(self.node, self.name, before)


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a source."""
    tree = ast.parse(source)
    lines = ast.unparse(tree).splitlines()
    codes = [_compiled(statement) for statement in tree.body]
    for place, statement in enumerate(tree.body):
        if _is_left_alone(statement):
            continue
        for change in list(_changes(statement)):
            undo = change.made()
            # The others are what they were: to compile them each time would take longer than to find the mutant out.
            changed = [*codes[:place], _compiled(statement), *codes[place + 1 :]]
            yield Mutant(changed, lambda: _told(lines, ast.unparse(tree)))
            undo()


def _compiled(statement: ast.stmt) -> CodeType:
    return compile(ast.Module([statement], []), "mutant", "exec")


def _told(before: list[str], after: str) -> str:
    pairs = zip(before, after.splitlines(), strict=False)
    return next((f"{one.strip()}  ->  {other.strip()}" for one, other in pairs if one != other), "?")


def _changes(statement: ast.stmt) -> Iterator[Change]:
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        yield from _changes_of(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "args") and not isinstance(node, ast.Call):
                continue
            for place, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or _is_left_alone(child):
                    continue
                todo.append(child)
                where = place if isinstance(value, list) else None
                if isinstance(child, STATEMENTS):
                    yield Change(node, name, ast.Pass(), where)
                if isinstance(child, ast.UnaryOp) and isinstance(child.op, ast.Not):
                    yield Change(node, name, child.operand, where)


def _is_left_alone(node: ast.AST) -> bool:
    """Imports, docstrings, sentences for people, and what only makes a program of it."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.FunctionDef):
        return node.name in ("main", "accept")
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)


def _changes_of(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare():
            for place, operator in enumerate(node.ops):
                yield from (Change(node, "ops", other(), place) for other in COMPARISONS[type(operator)])
        case ast.BoolOp():
            yield Change(node, "op", ast.And() if isinstance(node.op, ast.Or) else ast.Or())
            neutral = isinstance(node.op, ast.And)
            yield from (Change(node, "values", ast.Constant(neutral), place) for place in range(len(node.values)))
        case ast.BinOp() | ast.AugAssign() if type(node.op) in OPERATORS:
            yield Change(node, "op", OPERATORS[type(node.op)]())
        case ast.Constant(value=bool()):
            yield Change(node, "value", not node.value)
        case ast.Constant(value=int()):
            yield from (Change(node, "value", node.value + step) for step in (1, -1))
        case ast.Constant(value=str()) if " " not in node.value:
            yield Change(node, "value", node.value + "x")
        case ast.Return() if node.value is not None and ast.unparse(node.value) != "None":
            yield Change(node, "value", ast.Constant(None))
        case ast.If() | ast.IfExp():
            yield from (Change(node, "test", ast.Constant(value)) for value in (True, False))
