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
from chain.contract.member_key_tables import DEATH
from chain.contract.person_tables import VERIFIED_EPOCH
from chain.contract.tables import PERSON, SIGNER

GROUP_READ_MAX = 100_000
"""Records of a group that are read back after a start; where there are more, the database is asked for each."""
_DEPOSIT_PREFIX = DEPOSIT.prefix(arity=3)
"""Asked for once to learn that there is none, then written, then hardly ever read. A group: an account's of a day."""
_FEW_PREFIXES = (PERSON.prefix(arity=2), VERIFIED_EPOCH.prefix(arity=1), DEATH.prefix(arity=1))
"""Asked for by all who apply, claim or leave, and almost never there. A group: a plan's persons, else a table's."""
_ID_BYTES = 34
"""End of such a key, behind what its group has in common: an id or a token of 32 bytes."""
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
        self._days = KeyGroups()
        """Deposits: old days make room for new ones."""
        self._tables = KeyGroups()
        """All others: as many groups as there are plans and tables."""
        self._signer_keys: frozenset[bytes] | None = None
        """Map keys of all signers and institutions' keys, None until they are read."""

    def is_absent(self, key: bytes) -> bool:
        """Tell whether memory shows that there is no record under this map key."""
        groups = self._find_groups(key)
        if groups is not None:
            group = key[:-_ID_BYTES]
            if not groups.has_group(group):
                keys = list(islice(self._read_keys(group), GROUP_READ_MAX + 1))
                groups.put_group(group, None if len(keys) > GROUP_READ_MAX else keys)
            return groups.is_absent(group, key)
        if not key.startswith(_SIGNER_PREFIXES):
            return False
        if self._signer_keys is None:
            self._signer_keys = frozenset(known for prefix in _SIGNER_PREFIXES for known in self._read_keys(prefix))
        return key not in self._signer_keys

    def _find_groups(self, key: bytes) -> KeyGroups | None:
        if key.startswith(_DEPOSIT_PREFIX):
            return self._days
        return self._tables if key.startswith(_FEW_PREFIXES) else None

    def _read_keys(self, prefix: bytes) -> Iterator[bytes]:
        start = layout.STATE + prefix
        for key, _ in self._store.iterate(start=start, stop=layout.prefix_end(start)):
            yield key[len(layout.STATE) :]

    def on_written(self, key: bytes) -> bool:
        """Note that a block changed this record; return whether it may be read again before long."""
        groups = self._find_groups(key)
        if groups is not None:
            groups.add(key[:-_ID_BYTES], key)
            return groups is not self._days
        if key.startswith(_SIGNER_PREFIXES):
            self._signer_keys = None
        return True
