"""Reading the documentation: its parts, tables, code and commands, for the tests that hold it against the program."""

import ast
import re
import shlex
from functools import cache

import typer.main
from typer.core import TyperArgument, TyperGroup, TyperOption

from node.cli import app as command_line
from tests.conftest import REPOSITORY


@cache
def read(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def cut(page: str, name: str) -> str:
    """Return what lies between <!-- name --> and <!-- /name -->."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", read(page), re.DOTALL)
    assert found, f"{page} has no part {name}"
    return found[1]


def read_rows(text: str) -> list[list[str]]:
    """Return the cells of all rows of tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {place - 1 for place, line in enumerate(lines) if re.fullmatch(r"[|\s:-]+", line)}
    rows = [line for place, line in enumerate(lines) if place not in heads and place - 1 not in heads]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", _hide(row))[1:-1]] for row in rows]


def _hide(row: str) -> str:
    """Write the bars inside code spans in another way: they part no cells."""
    return re.sub(r"`[^`]*`", lambda span: span[0].replace("|", "\u2016"), row)


def find_section(page: str, title: str) -> str:
    """Return the text under a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", read(page), re.MULTILINE)
    assert found, f"{page} has no section {title}"
    rest = read(page)[found.end() :]
    following = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def list_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


@cache
def list_tests() -> frozenset[str]:
    """Return the names of all test functions."""
    names: list[str] = []
    for path in (REPOSITORY / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                names.append(node.name)
    return frozenset(names)


def list_commands(page: str) -> list[list[str]]:
    """Return the words of each command line in the fenced blocks of a page."""
    blocks = re.findall(r"^ *```(?:sh|bash|console)\n(.*?)^ *```", read(page), re.DOTALL | re.MULTILINE)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line and not line.startswith("#")]


def check_command(words: list[str]) -> None:
    """Walk the command line's tree of commands; raise where a command or an option is not there."""
    command = typer.main.get_command(command_line)
    rest = words[1:]
    while rest and not rest[0].startswith("-") and isinstance(command, TyperGroup):
        assert rest[0] in command.commands, words
        command = command.commands[rest[0]]
        rest = rest[1:]
    options = {name: item for item in command.params if isinstance(item, TyperOption) for name in item.opts}
    arguments = [item for item in command.params if isinstance(item, TyperArgument)]
    values = 0
    while rest:
        word = rest.pop(0)
        name, given, _ = word.partition("=")
        if not word.startswith("--"):
            values += 1
        elif word != "--help":
            assert name in options, f"{word} in {words}"
            if not options[name].is_flag and not given:
                rest.pop(0)
    places = sum(item.nargs for item in arguments)
    assert values <= places or any(item.nargs < 0 for item in arguments), f"too many arguments: {words}"
