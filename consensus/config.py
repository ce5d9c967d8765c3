"""What a core is told once, when it begins: its chain, its key and the durations of its own; and those of a height."""

from typing import Protocol

from msgspec import Struct

from chain.crypto import verify as verify_ed25519
from chain.types import ChainId, Hash, PublicKey


class VerifySignature(Protocol):
    """Tell whether a signature is valid; pure."""

    def __call__(self, *, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Answer for one signature over one message under one key."""
        ...


class Pace(Struct, frozen=True, kw_only=True):
    """Durations of one height, as the state says them: governance may change them from block to block."""

    idle_interval_ms: int
    """An empty block is due when the head is this old by wall time (consensus 4)."""
    view_base_ms: int = 1_500
    """View timer at v = u; must exceed the time to execute a full block (consensus 6)."""
    view_cap_ms: int = 8_000
    """Its largest value."""


class Config(Struct, frozen=True, kw_only=True):
    """Fixed for the life of one process."""

    chain_id: ChainId
    genesis_hash: Hash
    """Hash of block 0: what C(0) certifies."""
    key: PublicKey
    """This node's validator key; where it is not in set(h), the core follows and signs nothing."""
    tenure: int
    """Blocks that one leader serves (genesis, consensus 3)."""
    versions: tuple[int, ...] = (1,)
    """Protocol versions that this build implements; it takes no part in a height of another version."""
    leader_lost_ms: int = 300
    """How long the connection to the leader may be down before this node wants another."""
    status_interval_ms: int = 500
    status_gap_ms: int = 100
    """STATUS on change of position is coalesced to one per this gap; on change of view, mode or wants it
    is not."""
    answer_gap_ms: int = 200
    """At most one resend per peer and this gap (E8); and for as long nothing more is verified that comes
    from a peer who has just handed over something invalid."""
    verify: VerifySignature = verify_ed25519
    """Ed25519; a simulator may put a cheap keyed hash in its place."""
