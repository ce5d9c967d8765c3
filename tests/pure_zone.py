"""Rules of the pure zone, as a reading of the syntax tree: what could make nodes disagree on one input.

The pure zone is `chain/` without its store, and `consensus/` (conventions 8). A module there imports only
what is listed here, reads no clock and no randomness, computes no float, and never lets the order of a set
or the hash of an interpreter decide anything (pitfalls L9). The reading is by syntax and by annotations: it
sees sets by literals, calls, operators, annotated names and annotated fields.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# Names a pure module may import from the standard library. An addition is argued for in review: it must give
# the same answer on every machine, at every time, under every hash seed and locale.
STANDARD_LIBRARY = frozenset(
    {
        "abc", "base64", "binascii", "bisect", "calendar", "collections", "contextlib", "dataclasses",
        "datetime", "enum", "functools", "hashlib", "heapq", "hmac", "importlib.resources", "ipaddress",
        "itertools", "math", "operator", "re", "string", "struct", "tomllib", "types", "typing",
    }
)  # fmt: skip
MATH = frozenset({"comb", "factorial", "gcd", "isqrt", "lcm", "perm", "prod"})
CLOCK_READS = frozenset({"now", "utcnow", "today", "fromtimestamp", "utcfromtimestamp"})
BUILTINS_BANNED = {
    "float": "makes a float",
    "complex": "makes a float",
    "hash": "differs between processes",
    "id": "differs between processes",
    "open": "does I/O",
    "print": "does I/O",
    "input": "does I/O",
    "eval": "runs text",
    "exec": "runs text",
    "__import__": "hides an import",
}
SET_TYPES = frozenset({"set", "frozenset", "Set", "AbstractSet", "MutableSet"})
SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference"})
# Calls whose result does not depend on the order in which a set yields.
ORDER_FREE = frozenset({"sorted", "len", "min", "max", "sum", "any", "all", "set", "frozenset", "bool"})
# Calls that keep the order that the set happened to have.
ORDER_KEEPING = frozenset(
    {
        "list",
        "tuple",
        "iter",
        "next",
        "enumerate",
        "zip",
        "map",
        "filter",
        "reversed",
        "dict",
        "bytes",
        "join",
    }
)


@dataclass(frozen=True, order=True)
class Finding:
    """One line that breaks a rule."""

    line: int
    message: str


def is_set_annotation(node: ast.expr | None) -> bool:
    """Tell whether an annotation names a set type, alone or in a union with None."""
    match node:
        case ast.Name(name):
            return name in SET_TYPES
        case ast.Attribute(attr=name):
            return name in SET_TYPES
        case ast.Subscript(value=value):
            return is_set_annotation(value)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return is_set_annotation(left) or is_set_annotation(right)
        case _:
            return False


def get_set_fields(trees: Iterable[ast.Module]) -> frozenset[str]:
    """Return the names of class fields that are sets wherever they are declared."""
    sets: set[str] = set()
    others: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef):
                continue
            for statement in node.body:
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    (sets if is_set_annotation(statement.annotation) else others).add(statement.target.id)
    return frozenset(sets - others)


@dataclass
class Reader(ast.NodeVisitor):
    """Reads one module and collects what breaks the rules.

    `set_fields` are the attributes known to be sets in the whole zone.
    """

    set_fields: frozenset[str] = frozenset()
    findings: list[Finding] = field(default_factory=list)
    scopes: list[frozenset[str]] = field(default_factory=lambda: [frozenset()])

    def add(self, node: ast.expr | ast.stmt, message: str) -> None:
        """Note one finding at the line of `node`."""
        self.findings.append(Finding(node.lineno, message))

    # --- sets ---

    def is_set(self, node: ast.expr) -> bool:
        """Tell whether an expression is seen to be a set."""
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Call(func=ast.Name("set" | "frozenset")):
                return True
            case ast.Call(func=ast.Attribute(value=value, attr=attr)):
                return attr in SET_METHODS and self.is_set(value)
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
                return self.is_set(left) or self.is_set(right)
            case ast.IfExp(body=body, orelse=orelse):
                return self.is_set(body) or self.is_set(orelse)
            case ast.Name(name):
                return any(name in scope for scope in self.scopes)
            case ast.Attribute(attr=attr):
                return attr in self.set_fields
            case _:
                return False

    def check_order(self, node: ast.expr, where: str) -> None:
        """Refuse a set at a place that takes its elements one after another."""
        if self.is_set(node):
            self.add(node, f"{where} takes a set in its accidental order: sort it first")

    def get_set_names(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Module) -> frozenset[str]:
        """Return the local names that are annotated as sets or bound to one."""
        names: set[str] = set()
        if not isinstance(node, ast.Module):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names |= {arg.arg for arg in every if is_set_annotation(arg.annotation)}
        for inner in ast.walk(node):
            match inner:
                case ast.AnnAssign(target=ast.Name(name), annotation=annotation):
                    if is_set_annotation(annotation):
                        names.add(name)
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    if self.is_set(value):
                        names.add(name)
                case _:
                    pass
        return frozenset(names)

    def visit_scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Module) -> None:
        """Read a module or function with the sets that are bound in it."""
        self.scopes.append(self.get_set_names(node))
        self.generic_visit(node)
        self.scopes.pop()

    def visit_Module(self, node: ast.Module) -> None:
        self.visit_scope(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.visit_scope(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.add(node, "async belongs in p2p, node and explorer")
        self.visit_scope(node)

    def visit_For(self, node: ast.For) -> None:
        self.check_order(node.iter, "for")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.check_order(node.iter, "a comprehension")
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        if isinstance(node.ctx, ast.Load):
            self.check_order(node.value, "*")
        self.generic_visit(node)

    # --- calls, numbers, names ---

    def visit_Call(self, node: ast.Call) -> None:
        match node.func:
            case ast.Name(name) if name in BUILTINS_BANNED:
                self.add(node, f"{name}() {BUILTINS_BANNED[name]}")
            case ast.Attribute(value=value, attr="pop") if not node.args and self.is_set(value):
                self.add(node, ".pop() of a set takes an accidental element")
            case ast.Attribute(value=value, attr=attr) if attr in CLOCK_READS and get_last_name(value) in {
                "datetime",
                "date",
            }:
                self.add(node, f"{attr}() reads the clock or the local zone: time is block time")
            case ast.Attribute(value=ast.Name("math"), attr=attr) if attr not in MATH:
                self.add(node, f"math.{attr}() computes floats")
        if (name := get_last_name(node.func)) in ORDER_KEEPING and name not in ORDER_FREE:
            for argument in node.args:
                self.check_order(argument, f"{name}()")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in {"float", "complex"}:
            self.add(node, f"{node.id} has no place among integers")

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float | complex):
            self.add(node, f"the literal {node.value!r} is a float")

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            self.add(node, "/ makes a float: use //")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Div):
            self.add(node, "/= makes a float: use //=")
        self.generic_visit(node)

    def visit_Await(self, node: ast.Await) -> None:
        self.add(node, "async belongs in p2p, node and explorer")
        self.generic_visit(node)


def get_last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name, or the empty string."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(attr=attr):
            return attr
        case _:
            return ""


def get_imports(tree: ast.AST) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield the line, module and names of each import, wherever it stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node.lineno, alias.name, ()
            case ast.ImportFrom(module=module, names=names):
                yield node.lineno, module or "", tuple(alias.name for alias in names)
            case _:
                pass


def is_listed(module: str, allowed: Iterable[str]) -> bool:
    """Tell whether a module or a package above it is listed."""
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def find_impurities(tree: ast.Module, *, set_fields: frozenset[str], packages: Iterable[str]) -> list[Finding]:
    """Return what breaks the rules in one pure module, in order of lines.

    `packages` are the modules from outside the standard library that it may import.
    """
    reader = Reader(set_fields=set_fields)
    reader.visit(tree)
    findings = set(reader.findings)
    allowed = STANDARD_LIBRARY | frozenset(packages)
    for line, module, names in get_imports(tree):
        full = {f"{module}.{name}" for name in names}
        if not is_listed(module, allowed) and not (full and all(is_listed(name, allowed) for name in full)):
            findings.add(Finding(line, f"import of {module} is not on the list of the pure zone"))
        if module == "math":
            findings |= {Finding(line, f"math.{name} computes floats") for name in names if name not in MATH}
    return sorted(findings)
