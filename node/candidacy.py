"""A candidate says by itself that it is ready: once it follows the chain, it signs `validator_ready` (consensus 8).

The call names one of the newest blocks, so it is made only when the head is fresh, and again while it may have come
too late. It goes the way of any client's transaction: durable in this node's pool journal, gossiped to the validators.
"""

import asyncio
import os
from collections.abc import Callable

from chain.clock import to_wall_ms
from chain.contract.governance_calls import ValidatorReady
from chain.contract.governance_tables import CANDIDATE, CandidateRecord
from chain.crypto import SigningKey
from chain.ledger import Ledger
from chain.transaction import build_transaction
from node.intake import Intake
from node.logs import get_logger
from node.ports import Clock

LOOK_SECONDS = 0.5
AGAIN_MS = 3_000
"""Between two calls: the block that one names is too old after a hundred blocks."""
FRESH_MARGIN_MS = 3_000
"""Beyond the idle interval: an older head is that of a node that still catches up."""
NONCE_BYTES = 16


class Candidacy:
    """Watch whether this node is a candidate, and act on it."""

    def __init__(
        self, *, ledger: Ledger, key: SigningKey, intake: Intake, clock: Clock, get_block_ms: Callable[[], int]
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._intake = intake
        self._clock = clock
        self._get_block_ms = get_block_ms
        self._said_ms = clock.now_ms() - AGAIN_MS
        self._log = get_logger("node")

    async def run(self) -> None:
        """Look now and then until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> bool:
        """Say that this node is ready, if it is a candidate that is; return whether it did."""
        candidate = self._find_candidate()
        now = self._clock.now_ms()
        if candidate is None or candidate.is_ready or now - self._said_ms < AGAIN_MS or not self._is_fresh():
            return False
        self._said_ms = now
        header = self._ledger.header
        block_ms = max(self._get_block_ms(), header.timestamp_ms)
        transaction = build_transaction(
            chain_id=self._ledger.chain_id,
            nonce=os.urandom(NONCE_BYTES),
            valid_until_ms=block_ms + self._ledger.parameters.validity_window_ms,
            call=ValidatorReady(height=header.height, block_hash=self._ledger.head_hash),
            key=self._key,
        )
        result = await self._intake.submit(transaction.raw, 0)
        self._log.info("validator_ready", height=header.height, tx_id=transaction.tx_id.hex(), status=result.status)
        return True

    def _find_candidate(self) -> CandidateRecord | None:
        return self._ledger.read(CANDIDATE.key(self._key.public_key), CANDIDATE.codec)

    def _is_fresh(self) -> bool:
        age_ms = self._clock.wall_ms() - to_wall_ms(self._ledger.genesis.clock, self._ledger.header.timestamp_ms)
        return age_ms <= self._ledger.parameters.idle_interval_ms + FRESH_MARGIN_MS
