"""What the state holds for consensus: the sets, the skip table, and the versions by height (consensus 1, 3 and 8)."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.genesis import Parameters
from chain.state import Table
from chain.types import INT_MAX
from chain.validators import SkipTable, ValidatorSet

ProtocolVersion = Annotated[int, Meta(ge=1, le=255)]
FromHeight = Annotated[int, Meta(ge=0, le=INT_MAX)]


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


class ProtocolRecord(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """["protocol"]: which protocol version runs from which height on; governance adds to it."""

    versions: Annotated[tuple[tuple[ProtocolVersion, FromHeight], ...], Meta(min_length=1, max_length=255)]
    """(version, its first height), both ascending; the first entry is (version of genesis, 0)."""


def get_protocol_version(record: ProtocolRecord, height: int) -> int:
    """Return the version that a block of this height carries, as scheduled by the state before it."""
    version, _ = record.versions[0]
    for number, from_height in record.versions:
        if from_height <= height:
            version = number
    return version


ROUND = Table("round", RoundRecord)
VALIDATORS = Table("validators", ValidatorsRecord)
PARAMETERS = Table("parameters", Parameters)
PROTOCOL = Table("protocol", ProtocolRecord)
