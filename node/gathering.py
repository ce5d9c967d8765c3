"""One block that must be had whole: its content, then its bodies, from whoever holds them (consensus E1, E4).

Only a block's header is under signatures, so any copy of its list may be false: one whose bodies do not make the root,
or do not come in time, is let go of and another is asked for, of the next holder.
"""

from chain.types import Hash
from consensus.events import BlockContent
from node.candidates import BodiesMissing, Candidates, RootMismatch
from node.ports import Clock, Fetcher

PATIENCE_MS = 800
"""How long the bodies of one copy are waited for."""
BLOCKS_MAX = 8
"""Blocks whose waiting is timed; beyond it the oldest begins anew."""


class Gathering:
    """What is being gathered, and since when."""

    def __init__(self, *, candidates: Candidates, clock: Clock) -> None:
        self._candidates = candidates
        self._clock = clock
        self._since_ms: dict[Hash, int] = {}

    def find(self, fetcher: Fetcher, block_hash: Hash, holders: tuple[int, ...]) -> BlockContent | None:
        """Return a block's content once all of it is here; else ask for what is missing, and None."""
        content = self._candidates.get_content(block_hash)
        if content is not None:
            try:
                self._candidates.assemble(content)
            except BodiesMissing as missing:
                if self._is_patient(block_hash):
                    fetcher.want_bodies(missing.tx_ids, holders)
                    return None
            except RootMismatch:
                pass
            else:
                self._since_ms.pop(block_hash, None)
                return content
            self._since_ms.pop(block_hash, None)
            self._candidates.drop_content(block_hash)
        fetcher.want_content(block_hash, holders)
        return None

    def _is_patient(self, block_hash: Hash) -> bool:
        now = self._clock.now_ms()
        since = self._since_ms.setdefault(block_hash, now)
        if len(self._since_ms) > BLOCKS_MAX:
            del self._since_ms[next(iter(self._since_ms))]
        return now - since < PATIENCE_MS

    def clear(self) -> None:
        """Forget everything: the height is committed."""
        self._since_ms.clear()
