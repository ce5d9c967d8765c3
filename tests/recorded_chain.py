"""A chain that was recorded once: its blocks must give the same roots for ever (pitfalls L10).

Recording it again changes what old nodes agreed on, so it needs a line under *Consensus-breaking* in the changelog:

    python -m tests.recorded_chain
"""

import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chain.block import block_codec, hash_header
from chain.certificate import Certificate
from chain.codec import encode
from chain.genesis import compute_chain_id, genesis_codec
from chain.ledger import Ledger
from chain.store import Store
from chain.transaction import decode_transaction
from chain.validation import validate_block
from tests.explorer.world import World

PATH = Path(__file__).parent / "vectors" / "recorded_chain.json"


class Recording(Struct, frozen=True):
    """Canonical bytes in Base64, and where they led."""

    genesis: str
    blocks: Annotated[list[str], Meta(min_length=1)]
    state_root: str
    log_root: str


def load() -> Recording:
    return msgspec.json.decode(PATH.read_bytes(), type=Recording)


def replay(recording: Recording, path: Path) -> Iterator[int]:
    """Validate and commit block by block as a node does that catches up; yield each height."""
    genesis = genesis_codec.decode(b64decode(recording.genesis))
    store = Store(path, compute_chain_id(genesis))
    ledger = Ledger(store, genesis)
    try:
        for raw in recording.blocks:
            block = block_codec.decode(b64decode(raw))
            executed = validate_block(
                ledger,
                header=block.header,
                parent_certificate=block.parent_certificate,
                transactions=tuple(decode_transaction(item) for item in block.transactions),
                parameters=ledger.parameters,
                clock=genesis.clock,
                has_run=ledger.has_run,
                freshness=None,
            )
            height = block.header.height
            ledger.commit(executed, Certificate(height=height, view=0, block_hash=executed.block_hash, votes=()))
            yield height
        assert ledger.header.state_root.hex() == recording.state_root
        assert ledger.header.log_root.hex() == recording.log_root
        assert ledger.head_hash == hash_header(ledger.header)
    finally:
        store.close()


def record(path: Path) -> Recording:
    """Play the explorer's story and keep its bytes."""
    world = World(path)
    world.play()
    ledger = world.chain.ledger
    blocks = [ledger.read_block(height) for height in range(1, ledger.height + 1)]
    recording = Recording(
        genesis=b64encode(encode(world.chain.genesis)).decode(),
        blocks=[b64encode(encode(block)).decode() for block in blocks],
        state_root=ledger.header.state_root.hex(),
        log_root=ledger.header.log_root.hex(),
    )
    world.close()
    return recording


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PATH.write_bytes(msgspec.json.format(msgspec.json.encode(record(Path(folder) / "db")), indent=1) + b"\n")
