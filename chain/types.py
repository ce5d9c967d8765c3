"""The identifier types of the ledger.

Every id has a type of its own, so that a checker notices when a height is passed for a view or one
hash for another. Nothing but type names lives here (conventions 4).
"""

from typing import NewType

Height = NewType("Height", int)
"""Number of a block; genesis is block 0."""

View = NewType("View", int)
"""Consensus view: one number across heights that never falls at a node (consensus 0)."""

Hash = NewType("Hash", bytes)
"""SHA-256 digest, 32 bytes."""

TxId = NewType("TxId", bytes)
"""SHA-256 of a transaction's canonical body, 32 bytes."""

PublicKey = NewType("PublicKey", bytes)
"""Ed25519 public key, 32 bytes."""

Signature = NewType("Signature", bytes)
"""Ed25519 signature, 64 bytes."""

ChainId = NewType("ChainId", bytes)
"""SHA-256 of the canonical genesis, 32 bytes."""

InstructionId = NewType("InstructionId", bytes)
"""Id of an order to the custodian to move money, 32 bytes."""

Fen = NewType("Fen", int)
"""Money in integer fen (1/100 CNY), 0 <= amount < 2^53."""

Day = NewType("Day", int)
"""Plan day: whole days since 1970-01-01 at the plan's fixed UTC offset (contract 3.1)."""

Millis = NewType("Millis", int)
"""Block time in integer milliseconds since 1970-01-01T00:00:00Z."""

FEN_MAX = 2**53 - 1
"""Largest amount that any field may hold (exact in every language's double as well)."""

INT_MAX = 2**53 - 1
"""Largest integer of any other field: heights, views, times."""

ZERO_HASH = Hash(bytes(32))
"""32 zero bytes: "none" wherever a hash is expected."""
