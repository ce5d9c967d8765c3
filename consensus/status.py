"""STATUS: what a node tells of itself, what it learns from others, and what it resends (E6, E8, consensus 7).

Nothing relies on a frame arriving the first time: every 500 ms each node says what it holds, and whoever holds more
sends what is lacking, at most once per peer and 200 ms.
"""

from msgspec.structs import replace

from chain.codec import encode
from chain.errors import DecodeError
from chain.types import ZERO_HASH, Signature
from consensus import checks, inbox, rules
from consensus.checks import MessageInvalid
from consensus.effects import CatchUp
from consensus.messages import (
    Commit,
    Held,
    Kind,
    OwnMessage,
    Prepare,
    Shown,
    SignedBody,
    Status,
    ViewChange,
    ViewChangeBody,
    decode_body,
    encode_bitmap,
    get_kind,
    get_signed_bytes,
    has_bit,
)
from consensus.messages import NewViewBody, VoteBody, signing_bytes
from consensus.state import Activity, Peer, State
from consensus.turn import Turn


def build_held(state: State) -> Held:
    """Return what I hold for (h, v)."""
    view = state.view
    proposal = state.proposal
    return Held(
        has_new_view=state.new_view is not None,
        has_proposal=proposal is not None and proposal.message is not None,
        view_changes=_bitmap(state.view_changes, view),
        prepares=_bitmap(state.prepares, view),
        commits=_bitmap(state.commits, view),
    )
