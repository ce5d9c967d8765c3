"""Queues of claims: first come, first served, one record a place (claim_tables.ClaimLaneRecord).

A claim enters a lane once and leaves it at its head; nothing is ever taken out of the middle, so a lane costs
the same whatever its length.
"""

from chain.contract.claim_tables import CLAIM_LANE, CLAIM_TICKET, ClaimLaneRecord, ClaimTicketRecord
from chain.state import Overlay

Lane = int | str
"""A number, or the name of an organisation: the claims on which it was given a seat."""
LANE_DRAW = 0
"""Claims that wait for firms, or for the lot of a re-audit, in the order in which they asked (so by rising height)."""
LANE_NOTICE = 1
"""LANE_NOTICE + pool: approved claims that wait for the pool's next notice."""

_EMPTY = ClaimLaneRecord(head=0, tail=0)


def push(state: Overlay, plan: str, lane: Lane, claim_id: bytes, asked: int = 0) -> None:
    """Put a claim at the end of a lane; `asked` is the height of a block that asks for a draw."""
    record = state.get(CLAIM_LANE, plan, lane) or _EMPTY
    state.put(CLAIM_TICKET, ClaimTicketRecord(claim=claim_id, asked=asked), plan, lane, record.tail)
    state.put(CLAIM_LANE, ClaimLaneRecord(head=record.head, tail=record.tail + 1), plan, lane)


def get_first(state: Overlay, plan: str, lane: Lane) -> ClaimTicketRecord | None:
    """Return the place at the head of a lane, or None where the lane is empty."""
    record = state.get(CLAIM_LANE, plan, lane) or _EMPTY
    if record.head == record.tail:
        return None
    return state.require(CLAIM_TICKET, plan, lane, record.head)


def pop(state: Overlay, plan: str, lane: Lane) -> None:
    """Take away the head of a lane that is not empty."""
    record = state.require(CLAIM_LANE, plan, lane)
    state.delete(CLAIM_TICKET, plan, lane, record.head)
    state.put(CLAIM_LANE, ClaimLaneRecord(head=record.head + 1, tail=record.tail), plan, lane)
