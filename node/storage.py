"""What a node has on its disk: keys, database, journals, guard; opened once, in the order that is safe."""

from pathlib import Path

from chain.contract.claim_tables import BEACON
from chain.errors import ConfigError, InvariantViolation
from chain.genesis import Genesis, compute_chain_id
from chain.ledger import Ledger
from chain.store import Store
from chain.types import Hash
from node.config import NodeConfig
from node.guard import open_guard
from node.journal import open_journal
from node.keys import KeyKind, load_key
from node.pool_journal import PoolJournal
from node.reveal import load_reveal
from node.signer import compute_restart


class Storage:
    """Open files of one validator."""

    def __init__(self, config: NodeConfig, genesis: Genesis) -> None:
        """Open everything; raise `ConfigError` where keys do not fit genesis, `StoreError` where the disk fails."""
        self.key = load_key(Path(config.keys.validator), kind=KeyKind.VALIDATOR)
        self.checkpoint_key = load_key(Path(config.keys.checkpoint), kind=KeyKind.CHECKPOINT)
        self.own_index = find_own_index(genesis, self.key.public_key)
        if genesis.validators[self.own_index].checkpoint_key != self.checkpoint_key.public_key:
            raise ConfigError(field="keys.checkpoint", reason="is not this validator's checkpoint key in genesis")
        self._reveal = load_reveal(Path(config.keys.reveal))
        self.directory = Path(config.data_dir)
        self.directory.mkdir(parents=True, exist_ok=True)
        chain_id = compute_chain_id(genesis)
        self.store = Store(self.directory / "ledger", chain_id)
        self.ledger = Ledger(self.store, genesis)
        self.pool_journal = PoolJournal(self.directory / "pool", chain_id, bytes_max=config.pool.journal_bytes_max)
        self.guard = open_guard(Path(config.guard))
        self.journal, self.contents = open_journal(
            self.directory / "journal",
            chain_id=chain_id,
            key=self.key.public_key,
            head_height=self.ledger.height,
        )
        self.restart = compute_restart(
            key=self.key.public_key,
            chain_id=chain_id,
            head_height=self.ledger.height,
            guard=self.guard,
            journal=self.journal,
            contents=self.contents,
        )

    def find_reveal(self, link: bytes) -> bytes:
        """Return the link whose hash is this one: the next reveal."""
        return self._reveal.find_preimage(Hash(link))

    def get_last_link(self) -> bytes:
        """Return this validator's last link in the state."""
        beacon = self.ledger.read(BEACON.key(), BEACON.codec)
        if beacon is None:
            raise InvariantViolation("the state has no beacon")
        return beacon.links[self.own_index]

    def close(self) -> None:
        """Close all files."""
        self.journal.close()
        self.guard.close()
        self.pool_journal.close()
        self.store.close()


def find_own_index(genesis: Genesis, key: bytes) -> int:
    """Return the index of this validator; raise `ConfigError` if genesis does not name it."""
    for index, validator in enumerate(genesis.validators):
        if validator.key == key:
            return index
    raise ConfigError(field="keys.validator", reason="is not the key of a validator in genesis")
