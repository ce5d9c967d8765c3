"""STATUS: what a node tells of itself, what it learns from others, and what it resends (E6, E8, consensus
7).

Nothing relies on a frame arriving the first time: every 500 ms each node says what it holds, and whoever
holds more sends what is lacking, at most once per peer and 200 ms.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from chain.codec import encode
from chain.crypto import signing_bytes
from chain.errors import DecodeError
from chain.types import INT_MAX
from consensus import checks, inbox, rules
from consensus.checks import MessageInvalid
from consensus.effects import CatchUp
from consensus.messages import (
    TAGS,
    Commit,
    Held,
    Kind,
    Message,
    Prepare,
    Shown,
    Status,
    ViewChange,
    decode_body,
    encode_bitmap,
    get_kind,
    has_bit,
)
from consensus.patience import is_shunned, shun
from consensus.state import Check, Peer, State
from consensus.turn import Turn


def build_held(state: State) -> Held:
    """Return what I hold for (h, v)."""
    proposal = state.proposal
    return Held(
        has_new_view=state.new_view is not None,
        has_proposal=proposal is not None or state.refused == state.view,
        view_changes=_encode_slots(state.view_changes, state.view),
        prepares=_encode_slots(state.prepares, state.view),
        commits=_encode_slots(state.commits, state.view),
    )


def build_status(state: State, held: Held, peer: Peer, wall_ms: int) -> Status:
    """Return the STATUS for one receiver."""
    newest = peer.newest
    shown = None
    if newest is not None:
        shown = Shown(kind=int(get_kind(newest)), body=encode(newest.body), signature=newest.signature)
    return Status(
        version=state.head.version,
        certificate=state.head_certificate,
        view=state.view,
        is_normal=state.is_normal,
        wants=state.wants,
        activity=state.activity,
        held=held,
        wall_ms=min(max(wall_ms, 0), INT_MAX),
        boot_id=state.boot_id,
        nonce=state.nonce,
        echo=peer.nonce,
        shown=shown,
    )


def send_status(turn: Turn, to: int) -> None:
    """Tell one peer where I stand."""
    state = turn.state
    turn.send_one(to, build_status(state, build_held(state), state.peers[to], turn.wall_ms))


def broadcast_status(turn: Turn) -> None:
    """Tell every connected peer where I stand."""
    state = turn.state
    held = build_held(state)
    for index, peer in enumerate(state.peers):
        if peer.is_connected and index != state.own_index:
            turn.send_one(index, build_status(state, held, peer, turn.wall_ms))
    if state.own_index is None:
        # Who only follows may know nobody but guests: it is behind by every change of the set.
        for number in state.guests:
            send_guest_status(turn, state.n + number, bytes(16))
    turn.state = replace(state, status_ms=turn.now_ms, is_status_due=False)


def send_guest_status(turn: Turn, to: int, nonce: bytes) -> None:
    """Tell a guest where I stand; `nonce` is the one that it showed, zero if none."""
    state = turn.state
    turn.send_one(to, build_status(state, build_held(state), Peer(nonce=nonce), turn.wall_ms))


def on_guest_status(turn: Turn, index: int, status: Status) -> None:
    """Learn from the STATUS of somebody who is no member of set(h): whether it is ahead, and what it holds of
    mine.

    One that is behind, or that has not met me since I started, is told where I stand; two guests of each other
    therefore come to rest. Nothing is remembered of it.
    """
    state = turn.state
    if status.shown is not None:
        _on_shown(turn, index, status.shown)
    if status.certificate.height >= state.height:
        if state.is_version_known:
            turn.sync.append(CatchUp(height=state.height, peer=index))
    elif status.certificate.height < state.head.certificate.height or status.echo != state.nonce:
        send_guest_status(turn, index, status.nonce)


def on_status(turn: Turn, index: int, status: Status) -> None:
    """Learn from a STATUS, and answer with what its sender lacks."""
    state = turn.state
    if index >= state.n or index == state.own_index:
        return
    before = state.peers[index]
    has_answered = before.has_answered or status.echo == state.nonce
    peer = replace(
        before,
        head=status.certificate.height,
        view=status.view,
        is_normal=status.is_normal,
        wants=status.wants,
        activity=status.activity,
        nonce=status.nonce,
        has_answered=has_answered,
    )
    turn.keep_peer(index, peer)
    is_checked = False
    if not is_shunned(turn, index):
        if status.shown is not None:
            _on_shown(turn, index, status.shown)
        is_checked = _on_certificate(turn, index, status)
    if turn.state.quarantine is not None and status.echo == state.nonce and is_checked:
        _note_answered_head(turn, index, status.certificate.height)
    if turn.now_ms - before.answer_ms < state.config.answer_gap_ms and before.answer_ms >= 0:
        return
    _answer(turn, index, status, is_new=before.nonce != status.nonce)


def _answer(turn: Turn, index: int, status: Status, *, is_new: bool) -> None:
    """Send what a peer lacks: where I stand if it is lower or has just started, else messages of (h, v)
    (E8)."""
    state = turn.state
    height = status.certificate.height + 1
    lacking: list[Message] = []
    if height == state.height and state.own_index is not None:
        lacking = compute_lacking(state, status)
    if not lacking and height >= state.height and not is_new:
        return
    turn.keep_peer(index, replace(state.peers[index], answer_ms=turn.now_ms))
    if is_new or height < state.height:
        send_status(turn, index)
    for message in lacking:
        turn.send_one(index, message)


def compute_lacking(state: State, status: Status) -> list[Message]:
    """Return what I hold for (h, v) and the sender of a STATUS at h does not, in the order in which it can
    be used."""
    if status.view > state.view:
        return []
    is_same = status.view == state.view
    held = status.held if is_same else _EMPTY
    is_installed = is_same and status.is_normal
    lacking: list[Message] = []
    if not is_installed:
        if state.new_view is not None and not held.has_new_view:
            lacking.append(state.new_view)
        if state.new_view is None:
            lacking.extend(_compute_missing(state.view_changes, state, held.view_changes))
    proposal = state.proposal
    if proposal is not None and not held.has_proposal:
        is_mine = proposal.message.signer == state.own_index
        # Items are under no signature: whoever passed on a false copy would not be believed again.
        lacking.extend((proposal.message,) if is_mine or proposal.check is Check.VALID else ())
    lacking.extend(_compute_missing(state.prepares, state, held.prepares))
    lacking.extend(_compute_missing(state.commits, state, held.commits))
    return lacking


def _on_certificate(turn: Turn, index: int, status: Status) -> bool:
    """Use the C(head) of a peer: a better one of my head, C(h) itself, or a hint that it is ahead.

    Returns whether the claimed head is known to be certified.
    """
    state = turn.state
    certificate = status.certificate
    try:
        if certificate.height >= state.height and not state.is_version_known:
            return False  # a block that I cannot execute
        if certificate.height > state.height:
            turn.sync.append(CatchUp(height=state.height, peer=index))
            return False
        if certificate.height == state.height:
            if state.certified is not None:
                return state.certified.block_hash == certificate.block_hash
            checks.require_certificate(state, certificate)
            inbox.certify(turn, certificate, [index, *(signer for signer, _ in certificate.votes)])
            return True
        if 0 < certificate.height == state.head.certificate.height:
            if not rules.is_head_certificate(state, certificate):
                checks.require_fork(state, certificate)
                inbox.stop(turn, f"two blocks are certified at height {certificate.height}")
                return False
            if certificate.view <= state.head_certificate.view:
                return True
            checks.require_head_certificate(state, certificate)
            if state.certified is None:
                inbox.adopt_head_certificate(turn, certificate)
        return True
    except MessageInvalid as error:
        shun(turn, index, "status_invalid", str(error))
        return False


def _on_shown(turn: Turn, index: int, shown: Shown) -> None:
    """Look at the newest signature of mine that a peer holds: above my mark, my votes are lost (consensus
    7)."""
    state = turn.state
    if state.quarantine is not None:
        return
    kind = Kind(shown.kind)
    try:
        body = decode_body(kind, shown.body)
    except DecodeError as error:
        shun(turn, index, "status_invalid", str(error))
        return
    position = (body.height, body.view, int(kind))
    if position <= state.mark:
        return
    signed = signing_bytes(kind=TAGS[kind], chain_id=state.config.chain_id, body=shown.body)
    if not state.config.verify(public_key=state.config.key, message=signed, signature=shown.signature):
        shun(turn, index, "status_invalid", "shows a signature as mine that is not")
        return
    inbox.enter_quarantine(turn, f"a peer shows my signature at {position}, above my mark {state.mark}")


def _note_answered_head(turn: Turn, index: int, height: int) -> None:
    """Keep the certified head of the first nonce-fresh STATUS of a peer (consensus 7, Quarantine)."""
    peer = turn.state.peers[index]
    if peer.answered_head < 0:
        turn.keep_peer(index, replace(peer, answered_head=height))


def _compute_missing(
    slots: Sequence[ViewChange | Prepare | Commit | None], state: State, bitmap: bytes
) -> list[Message]:
    return [
        message
        for message in slots
        if message is not None and message.body.view == state.view and not has_bit(bitmap, message.signer)
    ]


def _encode_slots(slots: Sequence[ViewChange | Prepare | Commit | None], view: int) -> bytes:
    indexes = tuple(message.signer for message in slots if message is not None and message.body.view == view)
    return encode_bitmap(indexes)


_EMPTY = Held(has_new_view=False, has_proposal=False, view_changes=b"", prepares=b"", commits=b"")
