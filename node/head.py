"""The durable head as the consensus core wants to know it."""

from chain.clock import to_wall_ms
from chain.ledger import Ledger
from chain.round_record import get_protocol_version
from chain.types import View
from consensus.config import Pace
from consensus.events import HeadInfo


def build_head(ledger: Ledger) -> HeadInfo:
    """Return the head, and what follows from the state after it."""
    sets = ledger.validators_record
    round_record = ledger.round
    parameters = ledger.parameters
    return HeadInfo(
        certificate=ledger.certificate,
        embedded_view=View(round_record.parent_view),
        wall_ms=to_wall_ms(ledger.genesis.clock, ledger.header.timestamp_ms),
        validators_head=sets.this_set,
        validators=sets.next_set,
        skips=round_record.skips,
        pace=Pace(
            idle_interval_ms=parameters.idle_interval_ms,
            view_base_ms=parameters.view_timeout_base_ms,
            view_cap_ms=parameters.view_timeout_cap_ms,
        ),
        version=get_protocol_version(ledger.protocol, ledger.height + 1),
        version_head=ledger.header.version,
    )
