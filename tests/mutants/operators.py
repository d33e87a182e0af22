"""One file's source into its mutants: each the source with one small fault."""

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

SWAPS: dict[type[ast.AST], Any] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
OPPOSITES = {"any": "all", "all": "any", "min": "max", "max": "min"}
# Types are mypy's business, and an assertion says what the code itself guarantees.
UNTOUCHED = (ast.Assert, ast.Import, ast.ImportFrom)
UNTOUCHED_FIELDS = {"annotation", "returns", "decorator_list", "bases", "format_spec"}
# `strict` of zip is an assertion too; `stacklevel` chooses the line that a warning names.
UNTOUCHED_KEYWORDS = {"strict", "stacklevel"}
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
BARE_TESTS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault in one place; its name stays the same wherever in the file its function moves."""

    path: str
    function: str
    name: str
    line: int
    tree: ast.Module
    holder: ast.AST
    field: str
    index: int | None
    new: ast.AST | None

    def __str__(self) -> str:
        return f"{self.path} {self.name}"

    def source(self) -> str:
        """The whole file with the fault."""
        value = getattr(self.holder, self.field)
        setattr(self.holder, self.field, self.new if self.index is None else self._exchanged(value))
        try:
            return ast.unparse(self.tree)
        finally:
            setattr(self.holder, self.field, value)

    def _exchanged(self, nodes: list[ast.AST]) -> list[ast.AST]:
        assert self.index is not None
        return nodes[: self.index] + ([self.new] if self.new else []) + nodes[self.index + 1 :]


def mutants(path: str, tree: ast.Module) -> list[Mutant]:
    """Every mutant of a file, in its order."""
    seen: Counter[str] = Counter()
    found = []
    for function, holder, field, index, old, new in _places(tree, "module"):
        name = f"{function}: {_shown(old)} -> {_shown(new)}"
        seen[name] += 1
        name += f" ({seen[name]})" if seen[name] > 1 else ""
        found.append(Mutant(path, function, name, getattr(old, "lineno", 0), tree, holder, field, index, new))
    return found


def _shown(node: ast.AST | None) -> str:
    if node is None or isinstance(node, ast.Pass):
        return "nothing"
    return shorten(ast.unparse(node), width=90, placeholder="...")


Place = tuple[str, ast.AST, str, int | None, ast.AST, ast.AST | None]


def _places(holder: ast.AST, function: str) -> Iterator[Place]:
    """What can be exchanged below a node: its function, holder, field, index, the old and the new."""
    for field, value in ast.iter_fields(holder):
        if field in UNTOUCHED_FIELDS:
            continue
        for index, old in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(old, ast.AST) or _is_untouched(old):
                continue
            for new in _exchanges(holder, field, old):
                yield function, holder, field, index, old, new
            inner = f"{function}.{old.name}".removeprefix("module.") if isinstance(old, SCOPES) else function
            yield from _places(old, inner)


def _is_untouched(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg in UNTOUCHED_KEYWORDS
    return isinstance(node, UNTOUCHED) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _exchanges(holder: ast.AST, field: str, old: ast.AST) -> Iterator[ast.AST | None]:
    yield from _swapped(old)
    yield from _dropped(old)
    if isinstance(old, ast.Constant):
        yield from _changed(old, is_default=isinstance(holder, ast.arguments))
    if isinstance(old, ast.Dict | ast.Tuple | ast.List) and not isinstance(holder, ast.Subscript):
        yield from _shortened(old)
    if field == "test" and isinstance(old, BARE_TESTS):
        yield ast.UnaryOp(ast.Not(), old)
    if field == "ifs":
        yield None


def _swapped(old: ast.AST) -> Iterator[ast.expr]:
    match old:
        case ast.Compare(ops=[op]):
            yield ast.Compare(old.left, [SWAPS[type(op)]()], old.comparators)
        case ast.BinOp(op=op) if type(op) in SWAPS:
            yield ast.BinOp(old.left, SWAPS[type(op)](), old.right)
        case ast.BoolOp(op=op):
            yield ast.BoolOp(SWAPS[type(op)](), old.values)
        case ast.Call(func=ast.Name(id=name)) if name in OPPOSITES:
            yield ast.Call(ast.Name(OPPOSITES[name]), old.args, old.keywords)


def _dropped(old: ast.AST) -> Iterator[ast.AST]:
    match old:
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield old.operand
        case ast.Return(value=ast.expr()):
            yield ast.Return(None)
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()


def _changed(old: ast.Constant, is_default: bool) -> Iterator[ast.Constant]:
    match old.value:
        case bool():
            yield ast.Constant(not old.value)
        case int() | float():
            yield ast.Constant(old.value + 1)
        case str() if is_default:
            yield ast.Constant(old.value + "x")


def _shortened(display: ast.Dict | ast.Tuple | ast.List) -> Iterator[ast.expr]:
    """A list, tuple or dict of at least three, without one of them."""
    if isinstance(display, ast.Dict):
        for i in range(len(display.keys) if len(display.keys) > 2 else 0):
            yield ast.Dict(display.keys[:i] + display.keys[i + 1 :], display.values[:i] + display.values[i + 1 :])
    elif isinstance(display.ctx, ast.Load):
        for i in range(len(display.elts) if len(display.elts) > 2 else 0):
            yield type(display)(display.elts[:i] + display.elts[i + 1 :], display.ctx)
