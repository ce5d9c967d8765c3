"""Tables of rule versions, of what members pinned, of stops and of moves between pools; and how they are read.

VERSION (tables.py) holds the terms, which are large and never change; what happens to a version stands here.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from chain.contract.call_base import Bytes32, Name
from chain.contract.fields import Code, DayField, FenField, Number, Record
from chain.contract.tables import MemberRecord
from chain.errors import InvariantViolation
from chain.state import Overlay, Table

# Status of a version (contract 2 *Rules*)
VERSION_DISCLOSED, VERSION_ACTIVE, VERSION_CLOSED, VERSION_STOPPED = range(4)
VERSION_STATUS_NAMES = ("disclosed", "active", "closed", "stopped")
VERSIONS_MAX: Final = 1_000
"""Versions of one plan."""
NO_ACT: Final = 255


class VersionStateRecord(Record, frozen=True):
    """["version_state", plan, number]: what became of a version of the rules."""

    pool: Number
    """Pool that it enters or opens."""
    status: Code
    """Disclosed, active, closed (a newer one takes the new members) or stopped."""
    first: Number
    """First version of its pool: nothing that enters may be laxer."""
    account: Name | None
    """Custody account of the pool that it opens; null where it enters one."""
    disclosed_day: DayField
    text_hash: Bytes32 | None
    """SHA-256 of the full text as published; null for the version of genesis."""
    published_by: tuple[Name, ...]
    """Who signed it; empty for the version of genesis."""
    reason: Number
    """Catalogue number of why it was stopped at its activation; 0 otherwise."""
    superseded_by: Number | None
    """Newer version of the pool that is at least as good, clause by clause: whoever pinned this one has that one."""
    superseded_day: DayField
    """First day on which that holds; 0 while it does not."""


class VersionMembersRecord(Record, frozen=True):
    """["version_members", plan, number]: how many applicants and members pinned a version by their own signature."""

    pinned: Number


class PinRecord(Record, frozen=True):
    """["pin", member]: versions that the member accepted after joining; absent for all who never did."""

    pins: tuple[tuple[DayField, Number, Number], ...]
    """(first day, version, pool), ascending; what held before the first day of the second is the first."""


class PauseRecord(Record, frozen=True):
    """["pause", plan]: the pause that runs, also below a freeze."""

    by: Name
    """Organisation that paused; "vote" or "fault"."""
    reason_hash: Bytes32 | None
    since_day: DayField
    until_day: DayField
    """It ends at 0:00 of this day."""


class PauserRecord(Record, frozen=True):
    """["pauser", plan, organisation]: when an organisation last paused the plan."""

    day: DayField


class MoveRecord(Record, frozen=True):
    """["move", member]: a way from one pool of the plan to another; absent where none is under way (pool_move.py)."""

    version: Number
    """Version that the member accepted."""
    from_pool: Number
    to_pool: Number
    asked_day: DayField
    left_day: DayField
    """Day on which the leaf went; 0 while it waits for the end of the window."""
    has_cover: bool
    """Whether the last interval of `past` is the cover that must not break."""
    amount: FenField
    """What was transferred; 0 before."""
    is_here: bool
    """The money is on the account of the pool that the member is in; only the entry waits for the end of a window."""
    act: Annotated[int, Meta(ge=0, le=255)]
    """Exit that was asked for while the money was on its way: it runs when that has arrived. NO_ACT: none."""


class MovesRecord(Record, frozen=True):
    """["moves", plan]: how many members' money is on its way between two accounts."""

    under_way: Number


VERSION_STATE = Table("version_state", VersionStateRecord)
VERSION_MEMBERS = Table("version_members", VersionMembersRecord)
PIN = Table("pin", PinRecord)
PAUSE = Table("pause", PauseRecord)
PAUSER = Table("pauser", PauserRecord)
MOVE = Table("move", MoveRecord)
MOVES = Table("moves", MovesRecord)

FIRST_VERSION: Final = VersionStateRecord(
    pool=0,
    status=VERSION_ACTIVE,
    first=0,
    account=None,
    disclosed_day=0,
    text_hash=None,
    published_by=(),
    reason=0,
    superseded_by=None,
    superseded_day=0,
)
"""The version of genesis: its text is that of the genesis, which all signed by running it."""


class Pin(Struct, frozen=True):
    """What held for a member on one day."""

    version: int
    pool: int


def get_effective_version(state: Overlay, plan: str, version: int, day: int) -> int:
    """Return the version that holds on a day for those who pinned this one: it, or what superseded it by then."""
    for _ in range(VERSIONS_MAX):
        record = state.get(VERSION_STATE, plan, version)
        if record is None or record.superseded_by is None or record.superseded_day > day:
            return version
        version = record.superseded_by
    raise InvariantViolation(f"versions of {plan} supersede each other in a circle")


def get_pin(state: Overlay, member_id: bytes, member: MemberRecord, day: int) -> Pin:
    """Return version and pool that hold for a member on a day, past or ahead; before joining: as at joining."""
    version, pool = member.version, member.pool
    record = state.get(PIN, member_id)
    if record is not None:
        _, version, pool = record.pins[0]
        for from_day, later_version, later_pool in record.pins:
            if from_day <= day:
                version, pool = later_version, later_pool
    return Pin(version=get_effective_version(state, member.plan, version, day), pool=pool)


def list_versions(state: Overlay, member_id: bytes, member: MemberRecord, day: int) -> tuple[int, ...]:
    """Return the versions under which a member may still claim for some day up to this one."""
    record = state.get(PIN, member_id)
    pinned = [member.version] if record is None else [version for _, version, _ in record.pins]
    held = [get_effective_version(state, member.plan, version, day) for version in pinned]
    return tuple(dict.fromkeys((*pinned, *held)))


def count_pinned(state: Overlay, plan: str, version: int, change: int) -> None:
    """Add to the number of those who pinned a version."""
    record = state.get(VERSION_MEMBERS, plan, version)
    pinned = (0 if record is None else record.pinned) + change
    if pinned < 0:
        raise InvariantViolation(f"{plan}: fewer than none pinned version {version}")
    state.put(VERSION_MEMBERS, VersionMembersRecord(pinned=pinned), plan, version)
