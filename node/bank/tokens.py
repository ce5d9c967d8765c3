"""Keyed tokens: what the chain sees in place of references and account numbers (contract 6).

    token = HMAC-SHA256(key, "gongji/bank-token/v1\\n" || kind || "\\n" || value)

Account numbers can be guessed; without the key a guess cannot be checked. Losing the key makes every file count as new,
so it belongs into the bank's backup. Each kind of value has tokens of its own: an account as payer and the same account
as payee are not seen to be one.
"""

import enum
import hashlib
import hmac
import unicodedata
from typing import Final

_TAG: Final = b"gongji/bank-token/v1\n"


class TokenKind(enum.Enum):
    """What a token stands for."""

    REFERENCE = "reference"
    """The bank's reference of a booking."""
    PAYER = "payer"
    """Account from which money came."""
    ACCOUNT = "account"
    """Verified account to which money goes."""


def build_token(key: bytes, kind: TokenKind, *parts: str) -> bytes:
    """Return the token of a value; blanks and the case of letters do not matter."""
    value = "\n".join(normalise(part) for part in parts)
    return hmac.new(key, _TAG + kind.value.encode() + b"\n" + value.encode(), hashlib.sha256).digest()


def normalise(value: str) -> str:
    """Return an account number or reference without blanks, in upper case and half-width signs."""
    return "".join(unicodedata.normalize("NFKC", value).split()).upper()
