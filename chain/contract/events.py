"""Events: what happened, in every receipt. Arrays whose first element is the event's name.

The fields `member`, `claim` and `instruction`, where present, are the subjects under which explorers find the event.
"""

from typing import Annotated

from msgspec import Meta, Struct

from chain.types import INT_MAX

Number = Annotated[int, Meta(ge=0, le=INT_MAX)]


class _Event(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event."""


class MemberStatusChanged(_Event, frozen=True, tag="member_status_changed"):
    """A member's written status changed."""

    member: bytes
    status: Number
    """See tables.MEMBER_STATUS_NAMES."""


Event = MemberStatusChanged
"""Every event that protocol version 1 knows."""
