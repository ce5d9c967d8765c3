"""One turn of the core: the state in work and the effects gathered so far.

Private to a call of `step`: it is made from a state, changed by the handlers, and closed into (state,
effects).
"""

from msgspec.structs import replace

from consensus.effects import (
    BuildBlock,
    CancelTimer,
    CatchUp,
    CheckBlock,
    CommitBlock,
    Effects,
    Fault,
    FetchBlock,
    Note,
    PersistRecord,
    Send,
    SetTimer,
)
from consensus.messages import Message
from consensus.state import Peer, State, put

NOTE_DETAIL_CHARS_MAX = 200


class Turn:
    """What the handlers of one event read and write."""

    __slots__ = (
        "build",
        "check",
        "commit",
        "faults",
        "is_view_timer_reset",
        "now_ms",
        "persist",
        "send",
        "state",
        "sync",
        "timers",
        "wall_ms",
    )

    def __init__(self, state: State, *, now_ms: int, wall_ms: int) -> None:
        self.state = state
        self.now_ms = now_ms
        self.wall_ms = wall_ms
        self.is_view_timer_reset = False
        self.persist: list[PersistRecord] = []
        self.send: list[Send] = []
        self.commit: CommitBlock | None = None
        self.check: list[CheckBlock] = []
        self.build: BuildBlock | None = None
        self.timers: list[SetTimer | CancelTimer] = []
        self.sync: list[FetchBlock | CatchUp] = []
        self.faults: list[Fault] = []

    def send_all(self, message: Message) -> None:
        """Send to every connected validator."""
        self.send.append(Send(to=None, message=message))

    def send_one(self, to: int, message: Message) -> None:
        """Send to one validator."""
        self.send.append(Send(to=to, message=message))

    def keep_peer(self, index: int, peer: Peer) -> None:
        """Remember what is known of one validator."""
        self.state = replace(self.state, peers=put(self.state.peers, index, peer))

    def note(self, code: str, peer: int | None, detail: str) -> None:
        """Leave a line for the log."""
        self.faults.append(Note(code=code, peer=peer, detail=detail[:NOTE_DETAIL_CHARS_MAX]))

    def close(self) -> tuple[State, Effects]:
        """Return the outcome of the turn."""
        effects = Effects(
            persist=tuple(self.persist),
            send=tuple(self.send),
            commit=self.commit,
            check=tuple(self.check),
            build=self.build,
            timers=tuple(self.timers),
            sync=tuple(self.sync),
            faults=tuple(self.faults),
        )
        return self.state, effects
