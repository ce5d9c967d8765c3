"""Orders: what actors want to have on the chain, and how they remember what they asked for."""

from collections.abc import Callable

from msgspec import Struct

from chain.contract.calls import Call
from chain.crypto import SigningKey

ErrandName = tuple[str, bytes | int]
"""(act, id of its subject)."""
ATTEMPTS_MAX = 30
"""How often one errand is tried; then it is given up and counted."""


class Outcome(Struct, frozen=True):
    """What became of one order, final."""

    code: str
    """Catalogue code: success, already, a refusal of the contract, or expired / a refusal of the node."""
    tx_id: bytes
    items: tuple[str, ...] = ()
    """Codes of the items of a batch."""
    deposit_code: int = 0
    """From the receipt of a member_apply."""

    @property
    def is_done(self) -> bool:
        """Tell whether the chain now says what was asked for."""
        return self.code in {"success", "already"}


class Order(Struct, frozen=True, eq=False):
    """One transaction to be signed and sent."""

    call: Call
    key: SigningKey
    on_outcome: Callable[[Outcome], None]
    """Told once, when the outcome is final."""
    blob: bytes | None = None
    """Detached ciphertext that the call names."""


class Errands:
    """Acts of one actor: each is on its way at most once at a time, and done once."""

    def __init__(self) -> None:
        self._attempts: dict[ErrandName, int] = {}
        self._resting_until: dict[ErrandName, int] = {}
        self._under_way: set[ErrandName] = set()
        self._done: set[ErrandName] = set()
        self.abandoned: dict[ErrandName, str] = {}
        """Errands given up, with the last code."""
        self.refusals: dict[str, int] = {}
        """How often each code came back."""

    def begin(self, name: ErrandName, today: int) -> bool:
        """Start an errand unless it is under way, done, given up, or resting until another day."""
        if name in self._under_way or name in self._done or name in self.abandoned:
            return False
        if self._resting_until.get(name, today) > today:
            return False
        self._under_way.add(name)
        return True

    def finish(self, name: ErrandName, code: str, today: int) -> bool:
        """Note the result of an errand; return whether it is done. A refused one rests until tomorrow."""
        self._under_way.discard(name)
        if code in {"success", "already"}:
            self._done.add(name)
            return True
        self.refusals[code] = self.refusals.get(code, 0) + 1
        self._attempts[name] = self._attempts.get(name, 0) + 1
        if self._attempts[name] >= ATTEMPTS_MAX:
            self.abandoned[name] = code
        # What never reached the chain is sent again at once; what the contract refused, not before tomorrow.
        self._resting_until[name] = today if code in NOT_EXECUTED else today + 1
        return False

    def abandon(self, name: ErrandName, code: str) -> None:
        """Give an errand up for good."""
        self._under_way.discard(name)
        self.abandoned[name] = code

    @property
    def under_way(self) -> int:
        """Return how many errands wait for their outcome."""
        return len(self._under_way)


NOT_EXECUTED = frozenset(
    {
        "expired",
        "pool_full",
        "quota_exceeded",
        "unreachable",
        "timeout",
        "blob_missing",
        "node_starting",
        "internal",
    }
)
"""Codes under which a transaction never ran: sending anew is safe, as ids differ and bank references are
unique."""
