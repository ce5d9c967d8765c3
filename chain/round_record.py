"""What the state holds for consensus: the sets and the skip table (consensus 1 and 3)."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.genesis import Parameters
from chain.state import Table
from chain.types import INT_MAX
from chain.validators import SkipTable, ValidatorSet


class RoundRecord(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """["round"]: who leads next, computed from embedded certificates alone."""

    skips: SkipTable
    """Holds at the next height."""
    skips_before: SkipTable
    """Held at this height."""
    parent_view: Annotated[int, Meta(ge=0, le=INT_MAX)]
    """View of the certificate embedded in this block."""


class ValidatorsRecord(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """["validators"]: set of the next height and of this one."""

    next_set: ValidatorSet
    this_set: ValidatorSet


ROUND = Table("round", RoundRecord)
VALIDATORS = Table("validators", ValidatorsRecord)
PARAMETERS = Table("parameters", Parameters)
