"""Access keys with scopes: who may read what is not public (api.md, Access; contract 6).

A key is 32 random bytes in hex and travels in the header `Authorization: Bearer <key>`, never in an address. The node
holds only its SHA-256. Without a key a caller sees what is public; with an unknown one he is refused, so that a
mistyped key is not taken for an empty answer. Each use is recorded.
"""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct
from starlette.requests import Request

from chain.crypto import sha256
from explorer.problems import ProblemError, get_header

SCOPE_PAYMENTS: Final = "payments"
"""Payees of instructions: account tokens, and the member of an aid instruction."""
SCOPES: Final = (SCOPE_PAYMENTS,)
_PREFIX: Final = "Bearer "
_KEY_CHARACTERS_MAX: Final = 200


class AccessKey(Struct, frozen=True):
    """One key of a node's configuration."""

    name: str
    """Whose it is, for the record."""
    scopes: frozenset[str]


class AccessKeys:
    """The keys of one node."""

    def __init__(self, keys: Mapping[bytes, AccessKey], record: Callable[[str, str], None] | None = None) -> None:
        """`keys` by the SHA-256 of their text; `record` is called with (name, path) for each use."""
        self._keys = dict(keys)
        self._record = record

    def get_scopes(self, request: Request) -> frozenset[str]:
        """Return what the caller may read beyond the public; raise `ProblemError` access_key_invalid."""
        given = get_header(request.scope, b"authorization")
        if not given:
            return frozenset()
        key = None
        if given.startswith(_PREFIX) and len(given) <= _KEY_CHARACTERS_MAX:
            # Looked up by hash: the time that it takes says nothing about any key.
            key = self._keys.get(sha256(given.removeprefix(_PREFIX).encode()))
        if key is None:
            raise ProblemError("access_key_invalid")
        if self._record is not None:
            self._record(key.name, request.scope["path"])
        return key.scopes


NO_ACCESS_KEYS: Final = AccessKeys({})
