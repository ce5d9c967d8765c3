"""What the core asks of the runtime: one record, carried out from top to bottom.

The order of the fields is the safety argument (design 1): nothing is sent before what it rests on is
durable. An own vote passes through two steps: `SignRequest` in `persist` (guard, journal, fdatasync), then
the event `Signed`, and only that step counts it and puts it into `send`.
"""

from msgspec import Struct

from chain.certificate import Certificate
from chain.types import Hash, Height, View
from consensus.events import BlockContent, TimerId
from consensus.messages import Message, NewView, OwnMessage, Prepared


class SignRequest(Struct, frozen=True):
    """Ask the guard to sign; then append the signed message to the journal, sync, and answer `Signed`.

    A refusal by the guard means that the core broke a rule or another process uses the key: stop the node.
    """

    message: OwnMessage
    """Complete but for its signature, which is `UNSIGNED`."""


class KeepBlock(Struct, frozen=True):
    """Journal this block with the bodies of its transactions, and pin them: I am about to PREPARE it."""

    content: BlockContent


class KeepPrepared(Struct, frozen=True):
    """Journal P before the COMMIT that rests on it."""

    prepared: Prepared


class KeepNewView(Struct, frozen=True):
    """Journal a NEW-VIEW that I install."""

    new_view: NewView


class LeaveQuarantine(Struct, frozen=True):
    """Create or raise the guard so that it refuses heights below this one; votes begin here."""

    height: Height


PersistRecord = SignRequest | KeepBlock | KeepPrepared | KeepNewView | LeaveQuarantine


class Send(Struct, frozen=True):
    """Hand a message to the session with one validator, or with all that are connected."""

    to: int | None
    """Index in set(h), or n and more for a guest; None for all."""
    message: Message


class CommitBlock(Struct, frozen=True):
    """x is final: fetch and execute it if needed, write the batch, answer `Committed`."""

    block_hash: Hash
    certificate: Certificate
    """C(h, u, x), verified."""
    holders: tuple[int, ...]
    """Peers that signed for the block and can serve it."""


class CheckBlock(Struct, frozen=True, kw_only=True):
    """Validate the lines of consensus 4 that the core cannot decide, execute, keep the result, answer
    `Checked`.

    A block already executed is answered from what is kept (the fresh line is checked anew).
    """

    height: Height
    view: View
    block_hash: Hash
    is_fresh: bool
    """Whether the fresh line applies; a fresh block from the future is held until it is not."""
    content: BlockContent
    holders: tuple[int, ...]
    """Peers that have the block, the sender first."""


class BuildBlock(Struct, frozen=True, kw_only=True):
    """Build and execute a fresh block; answer `Built` or `NothingToBuild`. The runtime may pace."""

    height: Height
    view: View
    allow_empty: bool
    """The idle interval is over: an empty block is due when there is nothing to include."""
    parent_certificate: Certificate
    """C(head) with every COMMIT held now; after pacing take `core.compute_parent_certificate(state)`
    anew."""


class SetTimer(Struct, frozen=True):
    """Start a timer, in place of an older one of this id."""

    timer: TimerId
    token: int
    duration_ms: int


class CancelTimer(Struct, frozen=True):
    """Stop a timer; an expiry under way is ignored by its token."""

    timer: TimerId


class FetchBlock(Struct, frozen=True):
    """Get a block of the current height by its hash from one of these; answer `BlockFetched`, retry until
    then."""

    height: Height
    block_hash: Hash
    holders: tuple[int, ...]


class CatchUp(Struct, frozen=True):
    """A peer says that it is ahead: fetch blocks with certificates, verify, commit, answer `Committed` for
    each.

    The height is a claim, never a target to wait for (pitfalls P22, C30); repeated while it stands.
    """

    height: Height
    peer: int


class Evidence(Struct, frozen=True):
    """Two signatures of one key at one position on different bodies: proof of a fault, to be kept."""

    signer: int
    first: OwnMessage
    second: OwnMessage


class EnterQuarantine(Struct, frozen=True):
    """From now on nothing is signed; tell the operator."""

    reason: str


class Stop(Struct, frozen=True):
    """Stop the node: more than f validators are faulty, or this node broke a rule."""

    reason: str


class Note(Struct, frozen=True):
    """Something for the log and the metrics; `code` is one of a fixed set of words."""

    code: str
    peer: int | None
    detail: str


Fault = Evidence | EnterQuarantine | Stop | Note


class Effects(Struct, frozen=True, kw_only=True):
    """Carry out in the order of the fields."""

    persist: tuple[PersistRecord, ...] = ()
    """All in one append and one fdatasync; `Signed` follows for each SignRequest, in order, before other
    events."""
    send: tuple[Send, ...] = ()
    commit: CommitBlock | None = None
    check: tuple[CheckBlock, ...] = ()
    build: BuildBlock | None = None
    timers: tuple[SetTimer | CancelTimer, ...] = ()
    sync: tuple[FetchBlock | CatchUp, ...] = ()
    faults: tuple[Fault, ...] = ()
