"""What a call knows about its surroundings, and how it reports what it did."""

from collections.abc import Callable

from msgspec import Struct

from chain.contract.events import Event
from chain.errors import Refusal
from chain.genesis import Parameters
from chain.state import Overlay
from chain.types import Hash, Height, Millis, PublicKey, TxId

DAY_MS = 86_400_000


class Context(Struct):
    """The surroundings of one transaction, or of the automatic events of one block (`tx_id` zero, no signer)."""

    height: Height
    timestamp_ms: Millis
    """Block time; days follow from it (contract 3.1)."""
    parameters: Parameters
    tx_id: TxId
    signer: PublicKey
    faults_max: int
    """f of the set that votes on this height: f + 1 reveals precede a draw."""
    parent_hash: Hash
    events: list[Event]
    """Events so far, in order."""

    def emit(self, event: Event) -> None:
        """Add an event to the receipt."""
        self.events.append(event)


def apply_items(state: Overlay, context: Context, count: int, apply_one: Callable[[int], int]) -> tuple[int, ...]:
    """Apply the items of a batch independently; return the outcome number of each.

    An item that is refused leaves neither a change nor an event behind; `apply_one` returns success or
    `already`.
    """
    outcomes: list[int] = []
    for position in range(count):
        mark = state.savepoint()
        events = len(context.events)
        try:
            outcomes.append(apply_one(position))
        except Refusal as refusal:
            state.rollback(mark)
            del context.events[events:]
            outcomes.append(refusal.entry.number)
    return tuple(outcomes)


def compute_day(timestamp_ms: int, utc_offset_minutes: int) -> int:
    """Return the plan day of a block time (contract 3.1)."""
    return (timestamp_ms + utc_offset_minutes * 60_000) // DAY_MS


def compute_day_start_ms(day: int, utc_offset_minutes: int) -> int:
    """Return the block time at 0:00 of a plan day."""
    return day * DAY_MS - utc_offset_minutes * 60_000
