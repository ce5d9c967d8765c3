"""Amounts of ISO 20022 messages: decimal text to integer fen and back, exactly."""

import re
from typing import Final

from chain.types import FEN_MAX
from node.bank.document import Node

CURRENCY: Final = "CNY"
_AMOUNT: Final = re.compile(r"^(\d{1,16})(?:\.(\d{1,2}))?$", re.ASCII)
_CREDIT: Final = {"CRDT": True, "DBIT": False}


def parse_fen(text: str) -> int | None:
    """Return decimal yuan as fen; None for anything else, a third digit after the point included."""
    match = _AMOUNT.match(text)
    if match is None:
        return None
    fen = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    return fen if fen <= FEN_MAX else None


def format_fen(fen: int) -> str:
    """Return fen as decimal yuan with two digits."""
    return f"{fen // 100}.{fen % 100:02}"


def read_sum(node: Node) -> int:
    """Return a sum without a currency of its own in fen; raise `ConfigError` naming the element."""
    fen = parse_fen(node.text)
    if fen is None:
        raise node.refuse(f"{node.text!r:.40} is no amount in yuan with at most two decimals")
    return fen


def read_amount(node: Node) -> int:
    """Return an amount in fen; raise `ConfigError` where it is no exact amount or of another currency than CNY."""
    currency = node.get_attribute("Ccy")
    if currency != CURRENCY:
        raise node.refuse(f"is in {currency!r}, not in {CURRENCY}")
    return read_sum(node)


def read_count(node: Node) -> int:
    """Return a number of entries."""
    text = node.text
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise node.refuse(f"{text!r:.40} is no number")
    return int(text)


def read_is_credit(node: Node) -> bool:
    """Return whether the CdtDbtInd of an element says CRDT; raise where it is missing or says neither."""
    indicator = node.require("CdtDbtInd")
    is_credit = _CREDIT.get(indicator.text)
    if is_credit is None:
        raise indicator.refuse(f"{indicator.text!r:.20} is neither CRDT nor DBIT")
    return is_credit
