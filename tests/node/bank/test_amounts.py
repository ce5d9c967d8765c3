"""Amounts, exactly (pitfalls L6: integers in minor units)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.errors import ConfigError
from chain.types import FEN_MAX
from node.bank.amounts import format_fen, parse_fen, read_amount, read_count, read_is_credit
from tests.node.bank.messages import build_entry, build_statement, parse


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("1", 100),
        ("1.5", 150),
        ("1.05", 105),
        ("0.01", 1),
        ("00012.30", 1_230),
        ("123456789012.34", 12345678901234),
    ],
)
def test_decimal_yuan_are_integer_fen(text: str, fen: int) -> None:
    assert parse_fen(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "1.005",
        "1.",
        ".5",
        "",
        "-1",
        "+1",
        "1,00",
        "1e3",
        "1 000",
        "NaN",
        "１",
        "1_0",
        "0x10",
        "1.00 ",
        "9" * 17,
        "99999999999999.99",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    assert parse_fen(text) is None


@given(st.integers(0, FEN_MAX))
def test_amounts_survive_the_way_there_and_back(fen: int) -> None:
    assert parse_fen(format_fen(fen)) == fen


def test_another_currency_is_refused_with_its_line() -> None:
    content = build_statement(build_entry()).replace(b'<Ntry><Amt Ccy="CNY">', b'<Ntry><Amt Ccy="USD">')
    entry = parse(content).list("Stmt")[0].list("Ntry")[0]
    with pytest.raises(ConfigError, match=r"bank.xml:\d+ .*Ntry/Amt.*'USD', not in CNY"):
        read_amount(entry.require("Amt"))
    missing = build_statement(build_entry()).replace(b'<Ntry><Amt Ccy="CNY">', b"<Ntry><Amt>")
    with pytest.raises(ConfigError, match="is in None"):
        read_amount(parse(missing).list("Stmt")[0].list("Ntry")[0].require("Amt"))


def test_counts_and_indicators_are_read_strictly() -> None:
    node = parse(build_statement(more="<A>12</A><B>1.5</B><C><CdtDbtInd>CREDIT</CdtDbtInd></C>")).list("Stmt")[0]
    assert read_count(node.require("A")) == 12
    with pytest.raises(ConfigError, match="is no number"):
        read_count(node.require("B"))
    with pytest.raises(ConfigError, match="neither CRDT nor DBIT"):
        read_is_credit(node.require("C"))
