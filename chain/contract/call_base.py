"""What all calls share: their base and the types of their fields (contract 5).

Each call is an array whose first element is its name. Batches (`items`) carry up to 500 independent items, each
with an outcome of its own in the receipt. Limits are those of decoding; guards live with their life cycle.
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import FEN_MAX, INT_MAX

ITEMS_MAX = 500
CLAUSES_MAX = 16

Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
"""A hash, a key or a token."""
OptionalBytes32 = Bytes32 | None
AmountFen = Annotated[int, Meta(ge=1, le=FEN_MAX)]
"""Money that moves: never 0, never negative."""
BalanceFen = Annotated[int, Meta(ge=0, le=FEN_MAX)]
Number = Annotated[int, Meta(ge=0, le=INT_MAX)]
DayNumber = Annotated[int, Meta(ge=0, le=1_000_000)]
"""Plan day: days since 1970-01-01 at the plan's UTC offset."""
PoolNumber = Annotated[int, Meta(ge=0, le=65_535)]
"""Number of a pool within its plan."""
Reason = Annotated[int, Meta(ge=0, le=999)]
"""Published reason number; 0: none."""
Row = Annotated[int, Meta(ge=0, le=255)]
"""Row of the pinned benefit table: 2 * band + 0 severe | 1 mild."""
Name = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9-]+\Z")]
"""Lower-case ASCII name of a plan, account or organisation."""
Clauses = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=16)], ...], Meta(max_length=CLAUSES_MAX)]
"""Numbers of the clauses of the pinned rules that a decision or report rests on."""


class CallPart(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of everything inside a transaction."""
