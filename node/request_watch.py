"""The request timer: a leader that leaves transactions out while its blocks have room is complained about
(consensus 6; pitfalls P17, C6).

Pure bookkeeping; times are passed in. Every validator has what a client handed in anywhere, so each watches alone
and only f + 1 of them move the view. A full block is no complaint: the tenure ends and the next leader takes over.
"""

from collections.abc import Sequence

from chain.mempool import Waiting

IDS_MAX = 64


class RequestWatch:
    """Since when which leader could have included what waits."""

    def __init__(self, *, request_timeout_ms: int) -> None:
        self.timeout_ms = request_timeout_ms
        """T_req of the present height."""
        self._leader: int | None = None
        self._since_ms = 0

    def on_leader(self, leader: int | None, *, now_ms: int) -> None:
        """Note who leads; a new leader gets the whole time."""
        if leader != self._leader:
            self._leader = leader
            self._since_ms = now_ms

    def find_overdue(
        self, waiting: Sequence[Waiting], *, proposer: int, has_room: bool, now_ms: int
    ) -> tuple[bytes, ...]:
        """Return what the leader passed over in the block that was just committed.

        `waiting` are includable transactions, oldest first; `proposer` made the block; `has_room` says that it was
        not full.
        """
        if not has_room or proposer != self._leader:
            return ()
        overdue = [
            bytes(entry.transaction.tx_id)
            for entry in waiting[:IDS_MAX]
            if now_ms - max(entry.added_ms, self._since_ms) >= self.timeout_ms
        ]
        return tuple(overdue)
