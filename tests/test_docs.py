"""Documentation that is true: every command, field, route, number, test and path that a page names is there."""

import ast
import importlib
import pkgutil
import re
import shlex
import tomllib
import typing
from pathlib import Path

import msgspec
import pytest

import chain
from chain.catalogue import get_entries
from chain.contract.calls import Call
from chain.contract.events import Event
from chain.contract.settlement_math import Caps, Charge, CostItem, compute_charge
from chain.genesis import Parameters
from chain.state import Table
from chain.transaction import get_call_name
from chain.trie import Sums
from chain.validators import compute_faults_max, compute_quorum
from consensus.describe import Description
from explorer.app import build_app
from explorer.privacy import WITHHELD_CALLS
from explorer.settings import PAGE_LIMIT_DEFAULT, SCAN_ROWS_MAX, ExplorerSettings, HttpLimits
from node import genesis_files
from node.config import NodeConfig
from node.metrics import NodeMetrics
from node.prepare_api import build_prepare_router
from node.submit_api import build_submit_router
from node.wire import build_frame_kinds
from tests.conftest import REPOSITORY
from tests.doc_pages import (
    check_command,
    cut,
    find_section,
    list_code,
    list_commands,
    list_tests,
    read,
    read_rows,
)
from tests.explorer.world import Condition, World
from tests.node.test_submit_api import Desk

PAGES = ("README.md", "CHANGELOG.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")))
RECORDS = sorted((REPOSITORY / "docs" / "adr").glob("*.md"))
REFERENCES = (*PAGES, *(f"docs/adr/{path.name}" for path in RECORDS))
PITFALLS = (
    *(f"P{number}" for number in range(1, 33)),
    *(f"C{number}" for number in range(1, 39)),
    *(f"L{number}" for number in range(1, 21)),
    *(f"S{number}" for number in range(1, 14)),
    *(f"A{number}" for number in range(1, 18)),
)
NOT_COVERED = ("Cannot happen: ", "Not in this version: ")
"""How the row of a pitfall without a test begins."""
ADR_LINES_MAX = 40


# --- all pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", REFERENCES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", read(page)))
    assert named <= list_tests(), sorted(named - list_tests())


@pytest.mark.parametrize("page", REFERENCES)
def test_every_path_and_link_of_a_page_leads_somewhere(page: str) -> None:
    folder = (REPOSITORY / page).parent
    links = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", read(page))
    missing = [link for link in links if ":" not in link and not (folder / link).exists()]
    paths = re.findall(
        r"`((?:chain|consensus|p2p|explorer|node|tests|docs|bench|deploy|requirements)/[^`\s]*)`", read(page)
    )
    missing += [path for path in paths if not list(REPOSITORY.glob(path.rstrip("/")))]
    assert not missing


@pytest.mark.parametrize("page", REFERENCES)
def test_every_anchor_that_a_page_links_to_is_a_heading(page: str) -> None:
    folder = (REPOSITORY / page).parent
    for target, anchor in re.findall(r"\]\(([^)\s#:]*)#([^)]+)\)", read(page)):
        path = (folder / target).resolve() if target else REPOSITORY / page
        headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert anchor in slugs, f"{page}: {target}#{anchor}"


@pytest.mark.parametrize("page", REFERENCES)
def test_page_names_no_place_of_one_machine(page: str) -> None:
    assert not re.search(r"(?<![\w.])/(work|home|root|tmp/[a-z0-9])", read(page).replace("--tmpfs /tmp", ""))


@pytest.mark.parametrize("page", REFERENCES)
def test_every_command_of_a_page_exists(page: str) -> None:
    targets = re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE)
    for words in list_commands(page):
        if Path(words[0]).name == "gongji":
            check_command(words)
        elif words[0] == "make":
            assert all(word in targets or "=" in word for word in words[1:]), words


@pytest.mark.parametrize(
    "page",
    ["README.md", "CHANGELOG.md", *(f"docs/{name}.md" for name in ("contract", "operations", "api", "reliability"))],
)
def test_every_command_in_the_text_of_a_page_exists(page: str) -> None:
    for code in list_code(read(page)):
        if code.startswith("gongji ") and "..." not in code:
            check_command(shlex.split(code))
        elif code.startswith("make "):
            assert code.split()[1] in re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE), code


@pytest.mark.parametrize("page", REFERENCES)
def test_python_of_a_page_compiles_and_imports_what_exists(page: str) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", read(page), re.DOTALL | re.MULTILINE):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, item.name) for item in node.names), node.module


def test_command_of_the_image_exists() -> None:
    found = re.search(r"^CMD (\[.*\])$", read("Dockerfile"), re.MULTILINE)
    assert found
    words = ["gongji", *msgspec.json.decode(found[1], type=list[str])]
    check_command(words)
    assert " ".join(words) in read("docs/operations.md")


# --- operations -------------------------------------------------------------------------------------------------------


def list_fields(struct: type[msgspec.Struct], prefix: str = "") -> dict[str, object]:
    """Return the dotted names of all fields with their defaults."""
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(struct):
        nested = field.type
        if isinstance(nested, type) and issubclass(nested, msgspec.Struct):
            found.update(list_fields(nested, f"{prefix}{field.name}."))
        else:
            found[prefix + field.name] = field.default
    return found


def show_default(value: object) -> str:
    match value:
        case int():
            return f"{value:,}"
        case "":
            return "empty"
        case str():
            return f"`{value}`"
        case tuple():
            return ", ".join(f"`{item}`" for item in value)
        case _:
            return "required"


def test_genesis_file_of_the_page_has_the_fields_that_are_read() -> None:
    found = re.search(r"^ *```toml\n(.*?)^ *```", read("docs/operations.md"), re.DOTALL | re.MULTILINE)
    assert found
    parts = tomllib.loads(found[1])
    plans = parts.pop("plans")
    assert set(parts) <= {field.name for field in msgspec.structs.fields(genesis_files._Parts)}
    assert set(parts["parameters"]) <= {field.name for field in msgspec.structs.fields(Parameters)}
    assert [set(plan) for plan in plans] == [{field.name for field in msgspec.structs.fields(genesis_files._PlanPart)}]


def test_configuration_table_is_that_of_the_node() -> None:
    text = read("docs/operations.md").partition("<!-- config -->")[2].partition("\n## ")[0]
    shown = {row[0].strip("`"): row[1] for row in read_rows(text)}
    assert shown == {name: show_default(default) for name, default in list_fields(NodeConfig).items()}


def test_parameter_table_is_that_of_genesis() -> None:
    rows = read_rows(find_section("docs/operations.md", "Shared parameters (genesis)"))
    expected = {field.name: show_default(field.default) for field in msgspec.structs.fields(Parameters)}
    assert {row[0].strip("`"): row[1] for row in rows} == expected


def test_metrics_table_is_that_of_the_node() -> None:
    text, _ = NodeMetrics(version="0", chain_id="", validator="").render()
    names = re.findall(r"^# HELP (gongji_\S+)", text.decode(), re.MULTILINE)
    expected = {name for name in names if not name.endswith("_created")}
    assert {row[0].strip("`") for row in read_rows(cut("docs/operations.md", "metrics"))} == expected


def test_metric_that_nothing_fills_is_shown_as_such() -> None:
    used = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "node").glob("*.py"))
    metrics = NodeMetrics(version="0", chain_id="", validator="")
    attributes = {name: getattr(value, "_name", None) for name, value in vars(metrics).items()}
    rows = {row[0].strip("`").removesuffix("_total"): row[1] for row in read_rows(cut("docs/operations.md", "metrics"))}
    for attribute, name in attributes.items():
        if isinstance(name, str) and name in rows and not attribute.startswith("_"):
            is_filled = re.search(rf"\.{attribute}\.(?:set|inc|observe|labels)\(", used) is not None
            assert is_filled != ("not filled" in rows[name]), name


def test_conditions_of_readiness_are_those_of_the_node() -> None:
    named = re.findall(r'ReadyCondition\(\s*name="(\w+)"', read("node/condition.py"))
    shown = [row[0].strip("`") for row in read_rows(find_section("docs/operations.md", "Is it well?"))]
    assert named
    assert shown[: len(named)] == named


def test_modes_of_consensus_are_those_of_the_node() -> None:
    text = find_section("docs/operations.md", "Is it well?")
    source = read("node/condition.py").partition("def _get_mode")[2].partition("\ndef ")[0]
    assert "mode" in Description.__struct_fields__
    for mode in (*re.findall(r'return "(\w+)"', source), "normal", "changing"):
        assert f"`{mode}`" in text


def test_reasons_of_quarantine_are_explained() -> None:
    rows = read_rows(find_section("docs/operations.md", "Quarantine"))
    shown = {reason for row in rows for reason in re.split(r", (?=of )", row[0])}
    reasons = re.findall(r'Quarantine\(f?"([^":]+)', read("consensus/start.py"))
    assert len(reasons) > 4
    for reason in reasons:
        head, of, tail = reason.rpartition(" of ")
        assert reason in shown or of.lstrip() + tail in shown, (reason, head)


# --- the interface ----------------------------------------------------------------------------------------------------


def test_routes_are_those_of_the_openapi_document(tmp_path: Path) -> None:
    world = World(tmp_path / "db")
    settings = ExplorerSettings(software_version="0", cursor_key=bytes(32))
    router = build_submit_router(Desk(world), settings.limits)
    prepare = build_prepare_router(world.reader)
    paths = build_app(world.reader, Condition(), settings=settings, submit_routers=(router, prepare)).openapi()["paths"]
    world.close()
    expected = {
        (method.upper(), path, operation["operationId"])
        for path, methods in paths.items()
        for method, operation in methods.items()
        if operation["operationId"][0].islower() and "_" not in operation["operationId"]
    }
    shown = {(row[0], row[1].strip("`"), row[2]) for row in read_rows(cut("docs/api.md", "routes"))}
    assert shown == expected


def test_numbers_of_the_interface_are_those_of_the_code() -> None:
    page, limits = read("docs/api.md"), HttpLimits()
    for number in (f"{SCAN_ROWS_MAX:,} rows", f"{limits.batch_items_max:,} transactions", f"{PAGE_LIMIT_DEFAULT} by"):
        assert number in page


def render_catalogue() -> str:
    lines = ["| number | code | status | retryable | meaning | 含义 |", "|---|---|---|---|---|---|"]
    for entry in get_entries():
        again = "yes" if entry.retryable else "no"
        lines.append(
            f"| {entry.number} | `{entry.code}` | {entry.status} | {again} | {entry.title_en} | {entry.title_zh} |"
        )
    return "\n".join(lines) + "\n"


def test_catalogue_table_is_the_catalogue() -> None:
    assert cut("docs/api.md", "catalogue") == render_catalogue()


def test_kinds_of_tasks_are_those_of_the_interface() -> None:
    names = {str(call.__struct_config__.tag) for call in typing.get_args(Call)} | {"verify_application"}
    sources = [ast.parse(path.read_text(encoding="utf-8")) for path in (REPOSITORY / "explorer").glob("tasks*.py")]
    found = {node.value for tree in sources for node in ast.walk(tree) if isinstance(node, ast.Constant)} & names
    shown = {row[0].strip("`") for row in read_rows(cut("docs/api.md", "tasks"))}
    assert shown == found | {"sign_<call>"}


def test_withheld_calls_are_those_of_the_interface() -> None:
    assert list_code(cut("docs/api.md", "withheld")) == sorted(WITHHELD_CALLS)


# --- specification ----------------------------------------------------------------------------------------------------


def test_tables_of_the_specification_are_those_of_the_state() -> None:
    expected: dict[str, str] = {}
    for found in pkgutil.walk_packages(chain.__path__, "chain."):
        for table in vars(importlib.import_module(found.name)).values():
            if isinstance(table, Table):
                note = " ".join((table.value_type.__doc__ or "").split())
                key = re.match(rf'\["{table.name}"[^\]]*\]', note)
                expected[table.name] = key[0] if key else f'["{table.name}"]'
    rows = read_rows(find_section("docs/spec.md", "8. State"))
    shown = {row[0].strip("`"): row[1].strip("`") for row in rows}
    assert shown.pop("members") == '["members", plan, pool]'
    assert shown == expected


def test_events_of_the_specification_are_those_of_the_contract() -> None:
    tags = [event.__struct_config__.tag for event in typing.get_args(Event)]
    assert list_code(cut("docs/spec.md", "events")) == tags


def test_frames_of_the_specification_are_those_on_the_wire() -> None:
    shown = read_rows(find_section("docs/spec.md", "9. Frames"))
    assert shown == [
        [str(kind.number), f"`{kind.name}`", f"{kind.bytes_max:,}", kind.lane.name.lower()]
        for kind in build_frame_kinds()
    ]


def test_every_numbered_rule_points_at_a_module_or_a_test() -> None:
    text = read("docs/spec.md")
    formats = re.findall(r"^\*\*(F-\d+) .*?(?=^\*\*F-|^## )", text, re.DOTALL | re.MULTILINE)
    assert formats == [f"F-{number}" for number in range(1, 19)]
    for match in re.finditer(r"^\*\*(F-\d+) .*?(?=^\*\*F-|^## )", text, re.DOTALL | re.MULTILINE):
        assert re.search(r"`\w+/[\w./]+\.py`|section \d+", match[0]), match[1]
    rules = [row for row in read_rows(text) if re.fullmatch(r"[EJKRG]-?\d+", row[0])]
    assert len(rules) > 30
    assert all(re.search(r"`test_\w+`", row[-1]) for row in rules), [row[0] for row in rules]
    choices = re.findall(r"^- \*\*(C-\d+)\*\*.*?(?=^- |^## )", text, re.DOTALL | re.MULTILINE)
    for match in re.finditer(r"^- \*\*(C-\d+)\*\*.*?(?=^- |^## )", text, re.DOTALL | re.MULTILINE):
        assert re.search(r"`\w+/[\w./]+\.py`|`test_\w+`", match[0]), match[1]
    assert choices == [f"C-{number}" for number in range(1, len(choices) + 1)]


def test_quorum_table_is_that_of_the_code() -> None:
    section = find_section("docs/spec.md", "4. Why this quorum")
    table = {
        line[1:-1].split("|")[0].strip(): line[1:-1].split("|")[1:] for line in section.splitlines() if line[:1] == "|"
    }
    sizes = [int(cell) for cell in table["n"]]
    assert [int(cell) for cell in table["f"]] == [compute_faults_max(n) for n in sizes]
    assert [int(cell) for cell in table["Q"]] == [compute_quorum(n) for n in sizes]


# --- contract ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["calls", "calls-zh"])
def test_calls_of_the_contract_page_are_those_that_exist(part: str) -> None:
    names = [str(call.__struct_config__.tag) for call in typing.get_args(Call)]
    assert list_code(cut("docs/contract.md", part)) == names
    assert get_call_name(typing.get_args(Call)[6](member=bytes(32))) in names


@pytest.mark.parametrize("name", ["cliff", "published"])
def test_worked_examples_of_the_contract_page_are_computed_by_the_contract(name: str) -> None:
    text = read("docs/contract.md").partition(f"<!-- example: {name} -->")[2].partition("\n\n")[0]
    figures = {row[0]: int(row[1].replace(",", "")) for row in read_rows(text)}
    balances = {
        int(label.split()[2].replace(",", "")): count
        for label, count in figures.items()
        if label.startswith("members with")
    }

    def sums_from(x: int) -> Sums:
        above = {balance: count for balance, count in balances.items() if balance >= x}
        count = sum(above.values())
        total = sum(balance * count for balance, count in above.items())
        return Sums(count=count, weight=count, weight_x=total, rem=0)

    charge: Charge = compute_charge(
        sums_from=sums_from,
        items=[CostItem(amount=figures["aid"], fee_bp=figures["fee in basis points"], is_carried=False)],
        carry=0,
        index=0,
        year_index=0,
        caps=Caps(per_case=None, per_period=None, per_year=None),
    )
    assert charge.cost == figures["cost"]
    assert charge.per == figures["charge for each unit"]
    assert charge.collected == figures["collected"]
    assert charge.carry == figures["carry afterwards"]
    if "paid by those who ran out" in figures:
        assert charge.part_paid == figures["paid by those who ran out"]
        assert charge.per - min(balances) == figures["arrears of each who ran out"]
    chinese = find_section("docs/contract.md", "中文")
    for value in (charge.per, charge.collected, charge.carry):
        assert f"{value:,}" in chinese


# --- pitfalls and decisions -------------------------------------------------------------------------------------------


def test_every_pitfall_has_one_row() -> None:
    assert [row[0] for row in read_rows(read("docs/pitfalls.md"))] == list(PITFALLS)


@pytest.mark.parametrize("row", read_rows(read("docs/pitfalls.md")), ids=lambda row: row[0])
def test_row_of_a_pitfall_names_its_tests_or_its_reason(row: list[str]) -> None:
    name, answer = row[0], row[-1]
    if answer.startswith(NOT_COVERED):
        assert len(answer.split()) > 6, row
        return
    named = re.findall(r"`(test_\w+)`", answer)
    assert any(f"_{name.lower()}_" in test for test in named), row


def test_every_pitfall_of_the_published_list_is_in_ours(shared_dir: Path) -> None:
    text = (shared_dir / "pitfalls.md").read_text(encoding="utf-8")
    published = re.findall(r"^(P\d+)\. |^\| ([CLSA]\d+) \|", text, re.MULTILINE)
    assert [first or second for first, second in published] == list(PITFALLS)


def test_decisions_are_numbered_and_short() -> None:
    assert [path.name[:4] for path in RECORDS] == [f"{number:04}" for number in range(len(RECORDS))]
    for path in RECORDS[1:]:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]}: "), path
        assert re.search(r"^Status: (proposed|accepted|superseded by \d{4}), \d{4}-\d\d-\d\d$", text, re.MULTILINE), (
            path
        )
        assert re.findall(r"^## (\w+)", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], path
        assert len(text.splitlines()) < ADR_LINES_MAX, path
