"""The rules of the house that no type checker sees: imports, purity, sizes, docstrings (conventions 5-10)."""

import ast
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.pure_zone import Finding, find_impurities, get_imports, get_set_fields, is_listed

PACKAGES = ("chain", "consensus", "p2p", "explorer", "node")
FILE_LINES_MAX = 420
FUNCTION_LINES_MAX = 75
VAGUE_NAMES = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "service", "misc"})

# What a package may import from outside the standard library, and of ours (design 1).
IMPORTS_ALLOWED = {
    "chain": ("msgspec", "nacl", "chain"),
    "consensus": ("msgspec", "chain", "consensus"),
    "p2p": ("msgspec", "chain", "p2p"),
    "explorer": ("msgspec", "fastapi", "starlette", "pydantic", "jinja2", "chain", "explorer"),
    "node": (
        "msgspec", "nacl", "fastapi", "starlette", "pydantic", "cryptography", "uvicorn", "uvloop", "httpx",
        "typer", "click", "rich", "structlog", "prometheus_client", "lxml", *PACKAGES,
    ),
}  # fmt: skip


def is_store(path: Path) -> bool:
    """Tell whether a file is the store, the one part of chain that does I/O."""
    return path.relative_to(REPOSITORY).as_posix().startswith(("chain/store.py", "chain/store/"))


@cache
def get_modules() -> dict[Path, ast.Module]:
    """Return the syntax tree of every product module."""
    paths = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8"), filename=str(path)) for path in paths}


def get_package(path: Path) -> str:
    """Return the top-level package of a file."""
    return path.relative_to(REPOSITORY).parts[0]


def get_pure_modules() -> dict[Path, ast.Module]:
    """Return the modules of the pure zone."""
    return {
        path: tree
        for path, tree in get_modules().items()
        if get_package(path) in {"chain", "consensus"} and not is_store(path)
    }


def render(offenders: list[tuple[Path, int, str]]) -> str:
    """Write offenders as lines that an editor can open."""
    lines = (f"{path.relative_to(REPOSITORY)}:{line}: {message}" for path, line, message in offenders)
    return "\n" + "\n".join(lines)


def find_in_text(source: str) -> list[Finding]:
    tree = ast.parse(source)
    return find_impurities(tree, set_fields=get_set_fields([tree]), packages=("msgspec",))


def test_every_package_of_the_house_has_modules() -> None:
    packages = {get_package(path) for path in get_modules()}
    assert packages == set(PACKAGES)


def test_every_folder_of_modules_is_a_package() -> None:
    """Setuptools ships only folders with an `__init__.py`, and import-linter reads only those."""
    folders = {path.parent for path in get_modules()}
    missing = sorted(str(folder.relative_to(REPOSITORY)) for folder in folders if not (folder / "__init__.py").exists())
    assert not missing, f"no __init__.py with a docstring in: {', '.join(missing)}"


def test_import_direction_holds() -> None:
    tool = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert tool is not None, "lint-imports is not installed beside this interpreter"
    result = subprocess.run([tool, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_packages_import_only_what_the_design_lists() -> None:
    offenders = []
    for path, tree in get_modules().items():
        allowed = IMPORTS_ALLOWED[get_package(path)] + (("plyvel",) if is_store(path) else ())
        for line, module, _ in get_imports(tree):
            if module.partition(".")[0] in sys.stdlib_module_names or is_listed(module, allowed):
                continue
            offenders.append((path, line, f"imports {module}"))
    assert not offenders, render(offenders)


def test_l9_pure_zone_has_no_clock_randomness_io_float_or_set_order() -> None:
    pure = get_pure_modules()
    assert pure
    set_fields = get_set_fields(pure.values())
    offenders = [
        (path, finding.line, finding.message)
        for path, tree in pure.items()
        for finding in find_impurities(tree, set_fields=set_fields, packages=IMPORTS_ALLOWED[get_package(path)])
    ]
    assert not offenders, render(offenders)


def test_files_fit_in_one_reading() -> None:
    offenders = []
    for path in get_modules():
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > FILE_LINES_MAX:
            offenders.append((path, count, f"{count} lines, at most {FILE_LINES_MAX}: two nouns in one file?"))
    assert not offenders, render(offenders)


def test_functions_fit_on_a_screen() -> None:
    offenders = []
    for path, tree in get_modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = (node.end_lineno or node.lineno) - node.lineno + 1
                if count > FUNCTION_LINES_MAX:
                    offenders.append((path, node.lineno, f"{node.name}: {count} lines, at most {FUNCTION_LINES_MAX}"))
    assert not offenders, render(offenders)


def test_every_module_says_what_lives_in_it() -> None:
    offenders = [(path, 1, "no docstring") for path, tree in get_modules().items() if not ast.get_docstring(tree)]
    assert not offenders, render(offenders)


def test_modules_are_named_by_their_noun() -> None:
    offenders = [
        (path, 1, f"{part!r} names no noun of the glossary")
        for path in get_modules()
        for part in path.relative_to(REPOSITORY).with_suffix("").parts
        if VAGUE_NAMES & set(part.split("_"))
    ]
    assert not offenders, render(offenders)


def test_package_files_hold_a_docstring_and_reexports_only() -> None:
    offenders = []
    for path, tree in get_modules().items():
        if path.name != "__init__.py":
            continue
        for node in tree.body:
            match node:
                case ast.Expr(ast.Constant(str())) | ast.Import() | ast.ImportFrom():
                    continue
                case ast.Assign(targets=[ast.Name("__all__")]):
                    continue
                case _:
                    pass
            offenders.append((path, node.lineno, "conventions 6: a docstring and re-exports"))
    assert not offenders, render(offenders)


def test_product_code_names_no_any() -> None:
    offenders = [
        (path, line, "imports Any: name the type")
        for path, tree in get_modules().items()
        for line, module, names in get_imports(tree)
        if module == "typing" and "Any" in names
    ]
    assert not offenders, render(offenders)


def test_no_pattern_of_a_field_lets_a_line_feed_through_at_its_end() -> None:
    found, offenders = 0, []
    for path, tree in get_modules().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "Meta":
                continue
            for keyword in node.keywords:
                if keyword.arg == "pattern":
                    found += 1
                    parts = keyword.value.values if isinstance(keyword.value, ast.JoinedStr) else [keyword.value]
                    if not str(ast.literal_eval(parts[-1])).endswith(r"\Z"):
                        offenders.append((path, node.lineno, r"$ matches before a final line feed: end it with \Z"))
    assert found > 10
    assert not offenders, render(offenders)


def test_every_task_belongs_to_a_group() -> None:
    offenders = []
    for path, tree in get_modules().items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("asyncio"), attr="create_task" | "ensure_future")):
                    offenders.append((path, node.lineno, "conventions 14: a TaskGroup owns every task"))
                case _:
                    pass
    assert not offenders, render(offenders)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import random as r",
        "from os import urandom",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now(datetime.UTC)",
        "from datetime import date\nx = date.today()",
        "import asyncio",
        "import fastapi",
        "import importlib",
        "def f() -> None:\n    import secrets",
        "from math import sqrt",
        "import math\nx = math.floor(2)",
        "x = 1 / 2",
        "x = 4\nx /= 2",
        "x = 0.5",
        "x = 1e9",
        "def f(x: float) -> None: ...",
        "x = hash('a')",
        "x = id(1)",
        "x = open('a')",
        "for x in {1, 2}: pass",
        "for x in set([1]): pass",
        "x = [y for y in {z for z in (1, 2)}]",
        "def f(a: set[int]) -> list[int]:\n    return [x for x in a]",
        "def f(a: frozenset[int] | None) -> None:\n    for x in a or (): pass\n    y = tuple(a)",
        "def f(a: set[int], b: set[int]) -> None:\n    for x in a & b: pass",
        "def f() -> None:\n    a = set()\n    b = [*a]",
        "def f() -> None:\n    a = set()\n    a.pop()",
        "def f(a: set[str]) -> str:\n    return ','.join(a)",
        "class A:\n    seen: frozenset[int]\ndef f(a: A) -> list[int]:\n    return list(a.seen)",
        "async def f() -> None: ...",
    ],
)
def test_purity_reader_refuses(source: str) -> None:
    assert find_in_text(source)


@pytest.mark.parametrize(
    "source",
    [
        "import hashlib\nfrom importlib import resources\nx = hashlib.sha256(b'').digest()",
        "import msgspec\nfrom collections.abc import Iterator",
        "from math import isqrt\nimport math\nx = math.gcd(4, 6) // 2",
        "from datetime import UTC, date, datetime\nx = date(2024, 2, 29).toordinal()",
        "def f(a: set[int]) -> list[int]:\n    return [x for x in sorted(a)]",
        "def f(a: frozenset[int]) -> bool:\n    return 1 in a and len(a) > 2 and max(a) < 9",
        "def f(a: dict[int, int]) -> list[int]:\n    return [x for x in a]",
        "def f() -> frozenset[int]:\n    return frozenset(x + 1 for x in (1, 2))",
        "class A:\n    def id(self) -> int:\n        return 1\nx = A().id()",
    ],
)
def test_purity_reader_accepts(source: str) -> None:
    assert find_in_text(source) == []
