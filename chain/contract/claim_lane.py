"""Queues of claims: first come, first served, one record a place (tables.ClaimLaneRecord).

A claim enters a lane once and leaves it at its head; nothing is ever taken out of the middle, so a lane costs
the same whatever its length.
"""

from chain.contract.claim_tables import CLAIM_LANE, CLAIM_TICKET, ClaimLaneRecord, ClaimTicketRecord
from chain.state import Overlay

LANE_DRAW = 0
"""Claims that wait for firms, in the order in which they asked (so by rising draw_height)."""
LANE_NOTICE = 1
"""LANE_NOTICE + pool: approved claims that wait for the pool's next notice."""

_EMPTY = ClaimLaneRecord(head=0, tail=0)


def push(state: Overlay, plan: str, lane: int, claim_id: bytes) -> None:
    """Put a claim at the end of a lane."""
    record = state.get(CLAIM_LANE, plan, lane) or _EMPTY
    state.put(CLAIM_TICKET, ClaimTicketRecord(claim=claim_id), plan, lane, record.tail)
    state.put(CLAIM_LANE, ClaimLaneRecord(head=record.head, tail=record.tail + 1), plan, lane)


def get_first(state: Overlay, plan: str, lane: int) -> bytes | None:
    """Return the claim at the head of a lane, or None where the lane is empty."""
    record = state.get(CLAIM_LANE, plan, lane) or _EMPTY
    if record.head == record.tail:
        return None
    return state.require(CLAIM_TICKET, plan, lane, record.head).claim


def pop(state: Overlay, plan: str, lane: int) -> None:
    """Take away the head of a lane that is not empty."""
    record = state.require(CLAIM_LANE, plan, lane)
    state.delete(CLAIM_TICKET, plan, lane, record.head)
    state.put(CLAIM_LANE, ClaimLaneRecord(head=record.head + 1, tail=record.tail), plan, lane)
