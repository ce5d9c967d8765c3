"""The name of an instruction inside a payment message: EndToEndId has 35 characters, an instruction id 64.

    EndToEndId = "GJ" + base32(first 20 bytes of the instruction id), 32 characters + check character

The check character is that of the RFC 4648 alphabet at the first five bits of SHA-256 over the 34 before it. Letters
are upper case and only A-Z and 2-7 occur, so the name survives systems that change case or forbid signs. 160 bits name
one instruction among any number that a plan will ever have; what belongs to a name is looked up among those that were
exported (register.py), never computed back.
"""

import base64
import binascii
from typing import Final

from chain.crypto import sha256

PREFIX_BYTES: Final = 20
"""Bytes of the instruction id that the name holds."""
LENGTH: Final = 35
_MARK: Final = "GJ"
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def build_end_to_end_id(instruction: bytes) -> str:
    """Return the EndToEndId of an instruction."""
    body = _MARK + base64.b32encode(instruction[:PREFIX_BYTES]).decode()
    return body + _compute_check(body)


def parse_end_to_end_id(text: str) -> bytes | None:
    """Return the first 20 bytes of the instruction that a name stands for; None where it is no such name."""
    name = text.strip().upper()
    if len(name) != LENGTH or not name.startswith(_MARK) or name[-1] != _compute_check(name[:-1]):
        return None
    try:
        return base64.b32decode(name[len(_MARK) : -1])
    except binascii.Error:
        return None


def _compute_check(body: str) -> str:
    return _ALPHABET[sha256(body.encode())[0] >> 3]
