"""Deposit codes as people write them into a remittance text: `GJ` + code + check digit, e.g. GJ10429 for 1042.

The check digit is Damm's: it finds every wrong digit and every two neighbours that were swapped, so that a slip sends
money back to its payer and not to another member. A blank or hyphen may follow the letters, full-width signs are read.
"""

import re
from typing import Final

from chain.types import INT_MAX

_MARK: Final = "GJ"
_PATTERN: Final = re.compile(r"(?<![A-Z0-9])GJ[ -]?([0-9]{2,17})(?![A-Z0-9])", re.ASCII)
_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Full-width signs by the ASCII ones that they stand for."""
_DAMM: Final = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
"""The quasigroup of order 10 of Damm (2004): row = digit so far, column = next digit."""


def format_deposit_code(code: int) -> str:
    """Return what a member writes into the remittance text."""
    return f"{_MARK}{code}{_compute_check(str(code))}"


def find_deposit_code(text: str) -> int | None:
    """Return the deposit code in a remittance text; None where there is none, a garbled one, or different ones."""
    plain = text.translate(_FULL_WIDTH).upper()
    codes = [_read(digits) for digits in _PATTERN.findall(plain)]
    return codes[0] if codes and codes.count(codes[0]) == len(codes) else None


def _read(digits: str) -> int | None:
    if _compute_check(digits[:-1]) != digits[-1]:
        return None
    code = int(digits[:-1])
    return code if 1 <= code <= INT_MAX else None


def _compute_check(digits: str) -> str:
    interim = 0
    for digit in digits:
        interim = int(_DAMM[interim][int(digit)])
    return str(interim)
