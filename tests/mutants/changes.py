"""Every small change that can be made to a file of Python: another comparison, bound, sign or constant, a statement
less, `and` for `or`, another value returned.

A change is a piece of text that stands for another piece, so that comments and format stay. What no test could notice
is left alone: docstrings, annotations, decorators, what `raise` says, and `strict` of zip, which only guards.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">"), ast.LtE: ("<", ">"), ast.Gt: (">=", "<"), ast.GtE: (">", "<"),
    ast.Eq: ("!=",), ast.NotEq: ("==",), ast.Is: ("is not",), ast.IsNot: ("is",),
    ast.In: ("not in",), ast.NotIn: ("in",),
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.FloorDiv: "*", ast.Div: "*", ast.Mod: "+",
    ast.BitAnd: "|", ast.BitOr: "&", ast.BitXor: "&", ast.LShift: ">>", ast.RShift: "<<", ast.Pow: "*",
}  # fmt: skip
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_SIGN = re.compile(rb"is\s+not|not\s+in|is|in|and|or|<<=?|>>=?|//=?|\*\*=?|[<>=!]=|[<>]|[-+*/%&|^]=?")


@dataclass(frozen=True)
class Change:
    """`text[start:stop]` becomes `new`; `line` counts from 1. `start` and `stop` count bytes of UTF-8."""

    line: int
    start: int
    stop: int
    new: str

    def applied_to(self, text: str) -> str:
        """The text with this change."""
        encoded = text.encode()
        return (encoded[: self.start] + self.new.encode() + encoded[self.stop :]).decode()

    def lines_in(self, text: str) -> tuple[str, str]:
        """The line as it is and as it becomes, without the blanks around: what names a change in equivalent.toml."""
        return text.splitlines()[self.line - 1].strip(), self.applied_to(text).splitlines()[self.line - 1].strip()


def changes_of(text: str) -> list[Change]:
    """Every change of a file, in the order of its lines, each once."""
    return sorted(set(_Finder(text).all()), key=lambda change: (change.line, change.start, change.new))


class _Finder:
    def __init__(self, text: str) -> None:
        self._tree = ast.parse(text)
        self._encoded = text.encode()
        self._line_starts = [0]
        for line in self._encoded.splitlines(keepends=True):
            self._line_starts.append(self._line_starts[-1] + len(line))

    def all(self) -> Iterator[Change]:
        yield from self._under(self._tree, None)

    def _under(self, node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> Iterator[Change]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node
        yield from self._of(node, function)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params") or isinstance(node, ast.JoinedStr):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.keyword) and child.arg == "strict":
                    continue
                if isinstance(child, ast.AST) and not isinstance(child, ast.Raise):
                    yield from self._under(child, function)
                elif isinstance(child, ast.Raise):
                    yield self._replaced(child, "pass")

    def _of(self, node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> Iterator[Change]:
        match node:
            case ast.Compare():
                yield from self._comparisons(node)
            case ast.BinOp() if type(node.op) in _OPERATORS:
                yield from self._between(node.left, node.right, _OPERATORS[type(node.op)])
            case ast.BoolOp():
                for left, right in pairwise(node.values):
                    yield from self._between(left, right, "or" if isinstance(node.op, ast.And) else "and")
            case ast.UnaryOp(op=ast.Not() | ast.USub()):
                yield self._replaced(node, f"({self._text(node.operand)})")
            case ast.Constant():
                yield from self._constants(node)
            case ast.Call(func=ast.Name(id=name)) if name in _FUNCTIONS:
                yield self._replaced(node.func, _FUNCTIONS[name])
            case ast.IfExp():
                yield self._replaced(node.test, f"(not ({self._text(node.test)}))")
            case ast.Return() | ast.Continue() | ast.Break() | ast.Expr() | ast.Assign() | ast.AugAssign():
                yield from self._statements(node, function)

    def _comparisons(self, node: ast.Compare) -> Iterator[Change]:
        operands = [node.left, *node.comparators]
        for operator, (left, right) in zip(node.ops, pairwise(operands), strict=True):
            for new in _COMPARISONS[type(operator)]:
                yield from self._between(left, right, new)

    def _constants(self, node: ast.Constant) -> Iterator[Change]:
        if isinstance(node.value, bool):
            yield self._replaced(node, str(not node.value))
        elif isinstance(node.value, int):
            yield self._replaced(node, str(node.value + 1))
            yield self._replaced(node, f"({node.value - 1})" if node.value < 1 else str(node.value - 1))
        elif isinstance(node.value, float):
            yield self._replaced(node, str(node.value * 2 + 1))

    def _statements(self, node: ast.stmt, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> Iterator[Change]:
        match node:
            case ast.Return(value=None) | ast.Continue() | ast.Break() | ast.AugAssign():
                yield self._replaced(node, "pass")
            case ast.Return(value=ast.Constant(value=None)):
                if function is not None and node is not function.body[-1]:
                    yield self._replaced(node, "pass")
            case ast.Return(value=ast.expr() as value):
                returns = function.returns if function is not None else None
                if isinstance(returns, ast.Name) and returns.id == "bool":
                    yield self._replaced(value, f"not ({self._text(value)})")
                else:
                    yield self._replaced(value, "None")
            case ast.Expr(value=ast.Constant()):
                return
            case ast.Expr():
                yield self._replaced(node, "pass")
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield self._replaced(node, "pass")

    def _between(self, left: ast.expr, right: ast.expr, new: str) -> Iterator[Change]:
        """The operator that stands between two operands becomes `new`."""
        start, stop = self._stop(left), self._start(right)
        gap = re.sub(rb"#[^\n]*", lambda comment: b" " * len(comment[0]), self._encoded[start:stop])
        sign = _SIGN.search(gap)
        if sign is not None:
            at = start + sign.start()
            yield Change(self._line_of(at), at, start + sign.end(), new)

    def _replaced(self, node: ast.expr | ast.stmt, new: str) -> Change:
        return Change(node.lineno, self._start(node), self._stop(node), new)

    def _text(self, node: ast.expr) -> str:
        return self._encoded[self._start(node) : self._stop(node)].decode()

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._line_starts[node.lineno - 1] + node.col_offset

    def _stop(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._line_starts[node.end_lineno - 1] + node.end_col_offset

    def _line_of(self, at: int) -> int:
        return self._encoded.count(b"\n", 0, at) + 1
