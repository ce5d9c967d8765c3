"""The fields that the tables of the contract share: numbers with their ranges, and the base of every record."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import FEN_MAX, INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]
FenField = Annotated[int, Meta(ge=0, le=FEN_MAX)]
DayField = Annotated[int, Meta(ge=0, le=1_000_000)]
"""Plan day (contract 3.1)."""
Code = Annotated[int, Meta(ge=0, le=255)]
"""One of a few numbered states or kinds."""
Index = Annotated[int, Meta(ge=0, lt=2**31)]
"""Share index, X or I, in fen for a unit of weight (contract 3.2)."""
StoppedDays = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
"""Days from which stopped days are counted: below 0 where a deadline is moved."""
SignedFen = Annotated[int, Meta(ge=-(2**62), le=2**62)]
"""A balance by the chain's own books, which a bank's wrong booking days can take below 0."""


class Record(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every record of the state."""
