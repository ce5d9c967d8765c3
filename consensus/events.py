"""What the runtime tells the core.

Every event carries `now_ms`, a monotonic clock of the process, and those that need it `wall_ms`, wall time
since 1970; the core has no clock of its own. A peer is named by its index in `state.validators`, the set
of the height that is being decided, as of the call. Who is connected and no member of that set is a
*guest* (a candidate that follows, a validator that was removed, one that is ahead by a change of the
set): it is named by n and more, which the runtime assigns, and only its STATUS means anything.
"""

import enum

from msgspec import Struct

from chain.block import Header
from chain.certificate import GENESIS_VERSION, Certificate
from chain.types import Hash, Height, View
from chain.validators import SkipTable, ValidatorSet
from consensus.config import Pace
from consensus.messages import Item, Message, NewView, OwnMessage, Prepared


class TimerId(enum.Enum):
    """The timers that a core has; each exists at most once."""

    VIEW = "view"
    IDLE = "idle"
    """The head is as old as the idle interval."""
    LEADER_LOST = "leader_lost"
    STATUS = "status"


class Verdict(enum.Enum):
    """What the runtime found out about a block."""

    VALID = "valid"
    """Every line of consensus 4 that was asked for holds; the executed result is kept."""
    INVALID = "invalid"
    """The transactions match the root, and a rule is broken: no vote for it in this view."""
    UNAVAILABLE = "unavailable"
    """Bodies could not be had, or the items do not match the transactions root (a relayer may have changed
    them): nothing is known about the block, and another copy is welcome."""


class BlockContent(Struct, frozen=True):
    """A block without the bodies of its transactions."""

    block_hash: Hash
    """Hash of the header."""
    header: Header
    parent_certificate: Certificate
    items: tuple[Item, ...]


class HeadInfo(Struct, frozen=True, kw_only=True):
    """The durable head, and what follows from the state after it."""

    certificate: Certificate
    """The C(head) by which it was committed; its height and hash are the head's. Genesis has its own,
    empty one."""
    embedded_view: View
    """View of the certificate embedded in the head block; 0 for genesis and block 1."""
    wall_ms: int
    """wall(timestamp of the head): the inverse of the genesis clock."""
    validators_head: ValidatorSet
    """set(head), which C(head) is checked by; for genesis, set(1)."""
    validators: ValidatorSet
    """set(head + 1), which votes now."""
    skips: SkipTable
    """The skip table that holds at head + 1."""
    pace: Pace
    """The durations that hold at head + 1."""
    version: int
    """Protocol version of height head + 1, as scheduled."""
    version_head: int = GENESIS_VERSION
    """Protocol version of the head, whose certificate is checked by it."""


class Restored(Struct, frozen=True, kw_only=True):
    """What the journal gave back; records of heights <= head may be among them and are ignored but for
    their view."""

    own: tuple[OwnMessage, ...] = ()
    """Own signed messages in the order of signing."""
    blocks: tuple[BlockContent, ...] = ()
    prepared: tuple[Prepared, ...] = ()
    new_views: tuple[NewView, ...] = ()
    """Those that were installed."""
    mark: tuple[int, int, int] | None = None
    """`guard_rules.get_mark` of the guard: (height, view, step); None if it never signed or there is
    none."""


class Start(Struct, frozen=True, kw_only=True):
    """The first event: given to `core.begin`, which makes the state."""

    head: HeadInfo
    restored: Restored
    boot_id: bytes
    """16 random bytes of this process."""
    nonce: bytes
    """16 fresh random bytes."""
    quarantine: str | None
    """Why nothing may be signed, as `start.compute_start` found it; None to resume."""
    has_transactions: bool
    """Whether the pool holds anything to include."""
    now_ms: int
    wall_ms: int


class Received(Struct, frozen=True):
    """A decoded message from an authenticated peer, which need not be its signer."""

    peer: int
    message: Message
    now_ms: int
    wall_ms: int


class Checked(Struct, frozen=True, kw_only=True):
    """The answer to effect `CheckBlock`, whose first four fields it repeats."""

    height: Height
    view: View
    block_hash: Hash
    is_fresh: bool
    verdict: Verdict
    reason: str
    """For people, "" when valid."""
    now_ms: int
    wall_ms: int


class Built(Struct, frozen=True, kw_only=True):
    """A fresh block made for effect `BuildBlock`, executed and kept."""

    height: Height
    view: View
    content: BlockContent
    now_ms: int
    wall_ms: int


class NothingToBuild(Struct, frozen=True, kw_only=True):
    """The pool held nothing includable and an empty block was not allowed; answers `BuildBlock`."""

    height: Height
    view: View
    now_ms: int
    wall_ms: int


class Signed(Struct, frozen=True):
    """An own message that the guard has signed and that is durable; answers `SignRequest`."""

    message: OwnMessage
    now_ms: int
    wall_ms: int


class Committed(Struct, frozen=True, kw_only=True):
    """The batch of a block is durable: after `CommitBlock`, or block by block from the sync client."""

    head: HeadInfo
    has_transactions: bool
    """Whether the pool still holds anything to include."""
    now_ms: int
    wall_ms: int


class BlockFetched(Struct, frozen=True):
    """The block that `FetchBlock` asked for; its hash was checked."""

    content: BlockContent
    now_ms: int
    wall_ms: int


class TimerExpired(Struct, frozen=True):
    """A timer ran out; one whose token is not the latest is ignored (pitfalls C7)."""

    timer: TimerId
    token: int
    now_ms: int
    wall_ms: int


class PeerUp(Struct, frozen=True):
    """The session with a validator or a guest stands.

    After a change of the set it is said again of each guest, and of each new member that was a guest.
    """

    peer: int
    now_ms: int
    wall_ms: int


class PeerDown(Struct, frozen=True):
    """The session with a validator or a guest is lost."""

    peer: int
    now_ms: int
    wall_ms: int


class PoolChanged(Struct, frozen=True):
    """The pool became empty or non-empty."""

    has_transactions: bool
    now_ms: int
    wall_ms: int


class RejoinDeclared(Struct, frozen=True, kw_only=True):
    """The operator declares on chain that no other validator lies or lost data: the quarantine may end at
    once (consensus 7)."""

    now_ms: int
    wall_ms: int


class RequestOverdue(Struct, frozen=True, kw_only=True):
    """Transactions handed to this leader T_req ago, still includable, were passed over with room
    (consensus 6)."""

    leader: int
    tx_ids: tuple[bytes, ...]
    now_ms: int
    wall_ms: int


Event = (
    Received
    | Checked
    | Built
    | NothingToBuild
    | Signed
    | Committed
    | BlockFetched
    | TimerExpired
    | PeerUp
    | PeerDown
    | PoolChanged
    | RequestOverdue
    | RejoinDeclared
)
