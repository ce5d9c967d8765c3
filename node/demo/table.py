"""The demo's result as tables for a terminal."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from node.demo.checks import Check, format_counts, format_fen
from node.demo.report import Report

YEAR_DAYS = 365


def build_table(report: Report, *, days: int) -> Group:
    """Return the year as a table: one row for each settlement, then what a member and a year cost."""
    table = Table(
        title="Settlements: members counted, yuan charged per head, collected, paid",
        caption=_build_caption(report, days),
    )
    for name in (
        "charge day",
        "members",
        "cases",
        "cost",
        "per head",
        "collected",
        "short",
        "aid",
        "carry",
    ):
        table.add_column(name, justify="left" if name == "charge day" else "right")
    for record in report.settlements:
        table.add_row(
            record.day,
            f"{record.members:,}",
            str(record.cases),
            format_fen(record.cost),
            format_fen(record.per),
            format_fen(record.collected),
            str(record.units_part),
            format_fen(sum(item.granted for item in record.items)),
            format_fen(record.carry_after),
        )
    statuses: dict[str, int] = {}
    for member in report.members:
        statuses[member.status] = statuses.get(member.status, 0) + 1
    return Group(
        table,
        Text(f"Members at the end: {format_counts(statuses)}"),
        Text(f"Claims: {format_counts(report.claims)}"),
        Text(f"Rare acts, by signature: {format_counts({call: n for call, n in report.calls.items() if n})}"),
        Text(f"Charged for a unit that was there all the time: {_compute_index(report)} in {days} days"),
    )


def _build_caption(report: Report, days: int) -> str:
    charged = sum(record.collected for record in report.settlements)
    units = [record.units for record in report.settlements]
    if not units:
        return "no settlement in this time"
    mean_units = sum(units) / len(units)
    per_year = charged / mean_units * YEAR_DAYS / max(days, 1)
    return (
        f"collected {format_fen(charged)} yuan from {mean_units:,.0f} units on average: "
        f"{per_year / 100:.2f} yuan for a unit and year"
    )


def _compute_index(report: Report) -> str:
    return format_fen(sum(record.per for record in report.settlements))


def build_verdict(checks: list[Check]) -> Table:
    """Return the checks with their figures."""
    table = Table(title="Checks", show_lines=False)
    table.add_column("")
    table.add_column("what must be true")
    table.add_column("figures", overflow="fold")
    for check in checks:
        mark = Text("holds", style="green") if check.is_met else Text("FAILS", style="bold red")
        table.add_row(mark, check.name, check.detail)
    return table
