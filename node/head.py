"""The durable head as the consensus core wants to know it."""

from chain.clock import to_wall_ms
from chain.ledger import Ledger
from chain.types import View
from consensus.events import HeadInfo


def build_head(ledger: Ledger) -> HeadInfo:
    """Return the head, and what follows from the state after it."""
    sets = ledger.validators_record
    round_record = ledger.round
    return HeadInfo(
        certificate=ledger.certificate,
        embedded_view=View(round_record.parent_view),
        wall_ms=to_wall_ms(ledger.genesis.clock, ledger.header.timestamp_ms),
        validators_head=sets.this_set,
        validators=sets.next_set,
        skips=round_record.skips,
        version=ledger.header.version,
    )
