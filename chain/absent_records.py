"""Which records of the state are certainly not there, for the tables that are mostly asked in order to learn that.

Answers are exact: what memory cannot rule out, the ledger reads.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from chain import layout
from chain.absence import KeyGroups
from chain.contract.custody_tables import DEPOSIT
from chain.contract.governance_tables import KEY
from chain.contract.tables import SIGNER

DEPOSITS_READ_MAX = 100_000
"""Deposits of a day that are read back after a start; where there are more, the database is asked for each."""
_DEPOSIT_PREFIX = DEPOSIT.prefix(arity=3)
"""Asked for once to learn that there is none, then written, then hardly ever read."""
_REF_BYTES = 34
"""End of the key of a deposit, behind what those of one account and booking day have in common."""
_SIGNER_PREFIXES = (SIGNER.prefix(arity=1), KEY.prefix(arity=1))
"""Asked for by the key of every applicant, and almost never there; the few that are there are known."""


class RangeReader(Protocol):
    """Reads what lies side by side in a store."""

    def iterate(self, *, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with start <= key < stop."""


class AbsentRecords:
    """Follows the committed state of one ledger."""

    def __init__(self, store: RangeReader) -> None:
        """Know nothing yet: each group of keys is read when it is first asked for."""
        self._store = store
        self._deposits = KeyGroups()
        """By account and booking day."""
        self._signer_keys: frozenset[bytes] | None = None
        """Map keys of all signers and institutions' keys, None until they are read."""

    def is_absent(self, key: bytes) -> bool:
        """Tell whether memory shows that there is no record under this map key."""
        if key.startswith(_DEPOSIT_PREFIX):
            day = key[:-_REF_BYTES]
            if not self._deposits.has_group(day):
                keys = list(islice(self._read_keys(day), DEPOSITS_READ_MAX + 1))
                self._deposits.put_group(day, None if len(keys) > DEPOSITS_READ_MAX else keys)
            return self._deposits.is_absent(day, key)
        if not key.startswith(_SIGNER_PREFIXES):
            return False
        if self._signer_keys is None:
            self._signer_keys = frozenset(known for prefix in _SIGNER_PREFIXES for known in self._read_keys(prefix))
        return key not in self._signer_keys

    def _read_keys(self, prefix: bytes) -> Iterator[bytes]:
        start = layout.STATE + prefix
        for key, _ in self._store.iterate(start=start, stop=layout.prefix_end(start)):
            yield key[len(layout.STATE) :]

    def on_written(self, key: bytes) -> bool:
        """Note that a block changed this record; return whether it may be read again before long."""
        if key.startswith(_DEPOSIT_PREFIX):
            self._deposits.add(key[:-_REF_BYTES], key)
            return False
        if key.startswith(_SIGNER_PREFIXES):
            self._signer_keys = None
        return True
