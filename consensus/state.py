"""What a node remembers of the protocol; every part is bounded by construction (consensus 8, Slots).

One slot per validator and kind for the height that is decided and for the next; a newer view takes the
place of an older one. Nothing here grows with time or with what a liar sends.
"""

import enum
from typing import TypeVar

from msgspec import Struct

from chain.certificate import Certificate
from chain.types import Hash, Height, View
from chain.validators import ValidatorSet, compute_faults_max, compute_quorum, find_index
from consensus.config import Config
from consensus.events import BlockContent, HeadInfo, TimerId
from consensus.messages import (
    Activity,
    Commit,
    NewView,
    OwnMessage,
    Prepare,
    Prepared,
    Proposal,
    ViewChange,
)

ValueT = TypeVar("ValueT")

NO_VIEW = View(-1)
"""Below every view: nothing was signed yet."""
NO_MARK = (-1, -1, -1)
"""Below every position: likewise."""
GUESTS_MAX = 64
"""Guests that a state remembers; a further one is told nothing of its own accord, and answered all the same."""


def put(slots: tuple[ValueT, ...], index: int, value: ValueT) -> tuple[ValueT, ...]:
    """Return the slots with one of them replaced."""
    return (*slots[:index], value, *slots[index + 1 :])


class Check(enum.Enum):
    """How far the runtime is with the block of a proposal."""

    NOT_ASKED = "not_asked"
    ASKED = "asked"
    VALID = "valid"


class Justification(enum.Enum):
    """Why a block may be PREPAREd (J1, J2); there is no third way."""

    SELECTED = "selected"
    """J1: the installed NEW-VIEW selected it."""
    NEW_VIEW_FREE = "new_view_free"
    """J1: the installed NEW-VIEW selected none, and it is fresh."""
    PARENT_VIEW = "parent_view"
    """J2: fresh, C(h-1) of exactly this view, and no COMMIT of mine at this height."""


class ProposalSlot(Struct, frozen=True):
    """The one proposal of the present view."""

    view: View
    content: BlockContent
    message: Proposal
    """As it is sent on."""
    check: Check
    is_fresh: bool
    """Whether the fresh line was or is checked; set when the check is asked for."""
    holders: tuple[int, ...]
    """Who has the block, the sender first."""


def build_proposal_slot(message: Proposal, *, holders: tuple[int, ...], is_checked: bool = False) -> ProposalSlot:
    """Return the slot of a PROPOSAL; `is_checked` for one that this node built and executed itself."""
    return ProposalSlot(
        view=View(message.body.view),
        content=BlockContent(
            block_hash=Hash(message.body.block_hash),
            header=message.header,
            parent_certificate=message.parent_certificate,
            items=message.items,
        ),
        message=message,
        check=Check.VALID if is_checked else Check.NOT_ASKED,
        is_fresh=True,
        holders=holders,
    )


class Waiting(Struct, frozen=True):
    """Unverified messages of one validator for the next height, received from itself."""

    view_change: ViewChange | None = None
    new_view: NewView | None = None
    proposal: Proposal | None = None
    prepare: Prepare | None = None
    commit: Commit | None = None


class Asked(Struct, frozen=True):
    """The newest view at this height in which I asked the guard for each kind: as binding as the
    signature."""

    view_change: View = NO_VIEW
    new_view: View = NO_VIEW
    proposal: View = NO_VIEW
    prepare: View = NO_VIEW
    commit: View = NO_VIEW


class Peer(Struct, frozen=True):
    """What is known of one validator; my own entry holds only what I signed."""

    is_connected: bool = False
    was_connected: bool = False
    """At any time since I started: only then its connection can be lost."""
    head: int = -1
    """Height of the head in its last STATUS; a claim."""
    view: int = 0
    is_normal: bool = True
    wants: int = 0
    """wants of its last STATUS; no promise, so it may fall."""
    signed_view: int = 0
    """Highest view of any message that it signed."""
    activity: Activity = Activity.STARTING
    nonce: bytes = bytes(16)
    has_answered: bool = False
    """It echoed my nonce, so it spoke after I started."""
    answered_head: int = -1
    """Certified head in its first nonce-fresh STATUS that I could check; -1 for none (quarantine)."""
    answer_ms: int = -1
    """When it was last answered (E8); -1 for never."""
    newest: OwnMessage | None = None
    """The newest message signed by it that I hold, of any height."""
    invalid_ms: int = -1
    """When it last handed me something that does not hold; honest peers never do. -1 for never."""
    checks_spent: int = 0
    """What it has cost me at this height to verify what it handed over, less what has grown again."""
    checks_ms: int = -1
    """When that was counted last."""
    has_evidence: bool = False
    """Evidence against it was recorded at this height; one is enough."""
    is_distrusted: bool = False
    """It signed an invalid NEW-VIEW at this height, so no other one of it is worth verifying."""


class Timer(Struct, frozen=True):
    """One timer; an expiry with another token is stale."""

    token: int = 0
    is_armed: bool = False
    due_ms: int = 0


class State(Struct, frozen=True, kw_only=True):
    """A node of the protocol between two events."""

    config: Config
    own_index: int | None
    """My index in set(h); None outside it, and where I do not know the protocol version of h."""
    boot_id: bytes
    nonce: bytes

    head: HeadInfo
    head_certificate: Certificate
    """The C(head) of the highest view met, with every COMMIT of it that I hold; my evidence, nobody's
    rule."""
    view: View
    """Never falls."""
    is_normal: bool
    """Mode: normal, or changing."""
    wants: View
    """The view I would like; at least `view`."""
    is_started: bool
    """Q-1 others have answered my nonce."""
    quarantine: str | None
    """Why I may not sign."""
    is_rejoining: bool
    """The operator declared that only this node is faulty: the quarantine ends at the head of the others."""
    mark: tuple[int, int, int]
    """Position of the newest message that I signed or asked to sign, at any height."""

    view_changes: tuple[ViewChange | None, ...]
    """Verified, at h, newest view of each validator; so are the next two."""
    prepares: tuple[Prepare | None, ...]
    commits: tuple[Commit | None, ...]
    waiting: tuple[Waiting, ...]
    """For h+1, unverified."""
    proposal: ProposalSlot | None
    refused: View
    """The view whose proposal was found invalid: its leader gets no second try; NO_VIEW for none."""
    bad_relays: tuple[int, ...]
    """Peers whose copy of the proposal of this view did not match its root or could not be completed."""
    new_view: NewView | None
    """The NEW-VIEW installed at h in `view`."""
    selected: Prepared | None
    """What it selected."""
    locked: Prepared | None
    """The P behind my newest COMMIT at h."""
    locked_content: BlockContent | None
    asked: Asked
    certified: Certificate | None
    """C(h): from here on nothing for h changes anything; the batch is being written."""
    fetching: Hash | None
    building: View
    """The view for which a block is being built; NO_VIEW for none."""
    is_build_paused: bool
    """The runtime found nothing to build; asked again when the pool or the idle interval says so, or at
    STATUS."""

    has_transactions: bool
    is_idle_over: bool
    peers: tuple[Peer, ...]
    guests: tuple[int, ...]
    """Connected guests by the runtime's numbers, ascending; index n + number names one."""
    timers: tuple[Timer, ...]
    """In the order of `TIMERS`."""
    is_view_timer_spent: bool
    """It ran out and nothing has reset it since."""
    lost_leader: int
    """The leader whose lost connection the timer is about; -1 for none."""
    status_ms: int
    """When STATUS last went to everybody."""
    is_status_due: bool
    """My position changed since."""

    @property
    def height(self) -> Height:
        """Return h, the only height that is voted on."""
        return Height(self.head.certificate.height + 1)

    @property
    def validators(self) -> ValidatorSet:
        """Return set(h)."""
        return self.head.validators

    @property
    def n(self) -> int:
        """Return |set(h)|."""
        return len(self.head.validators)

    @property
    def quorum(self) -> int:
        """Return Q of set(h)."""
        return compute_quorum(len(self.head.validators))

    @property
    def faults_max(self) -> int:
        """Return f of set(h)."""
        return compute_faults_max(len(self.head.validators))

    @property
    def activity(self) -> Activity:
        """Return whether this node votes; STATUS tells it."""
        if self.own_index is None or not self.is_version_known:
            return Activity.FOLLOWING
        if self.quarantine is not None:
            return Activity.QUARANTINED
        return Activity.VOTING if self.is_started else Activity.STARTING

    @property
    def is_version_known(self) -> bool:
        """Tell whether this build implements the protocol version of h (consensus 8, Version change)."""
        return self.head.version in self.config.versions

    @property
    def connected(self) -> tuple[int, ...]:
        """Return the indexes of the validators with a session."""
        return tuple(index for index, peer in enumerate(self.peers) if peer.is_connected)


TIMERS: tuple[TimerId, ...] = (TimerId.VIEW, TimerId.IDLE, TimerId.LEADER_LOST, TimerId.STATUS)


def build_empty_state(
    config: Config, head: HeadInfo, *, boot_id: bytes, nonce: bytes, has_transactions: bool, status_ms: int
) -> State:
    """Return the state of a node that knows the head and nothing else: at start, and of each new height (E5)."""
    n = len(head.validators)
    certified_view = View(head.certificate.view)
    return State(
        config=config,
        own_index=_find_own_index(head, config),
        boot_id=boot_id,
        nonce=nonce,
        head=head,
        head_certificate=head.certificate,
        view=certified_view,
        is_normal=True,
        wants=certified_view,
        is_started=False,
        quarantine=None,
        is_rejoining=False,
        mark=NO_MARK,
        view_changes=(None,) * n,
        prepares=(None,) * n,
        commits=(None,) * n,
        waiting=(Waiting(),) * n,
        proposal=None,
        refused=NO_VIEW,
        bad_relays=(),
        new_view=None,
        selected=None,
        locked=None,
        locked_content=None,
        asked=Asked(),
        certified=None,
        fetching=None,
        building=NO_VIEW,
        is_build_paused=False,
        has_transactions=has_transactions,
        is_idle_over=False,
        peers=(Peer(),) * n,
        guests=(),
        timers=(Timer(),) * len(TIMERS),
        is_view_timer_spent=False,
        lost_leader=-1,
        status_ms=status_ms,
        is_status_due=False,
    )


def _find_own_index(head: HeadInfo, config: Config) -> int | None:
    """Return my index in the set that votes now; None outside it, and where I do not know the version."""
    if head.version not in config.versions:
        return None
    return find_index(head.validators, config.key)
