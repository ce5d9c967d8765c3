"""What a node has on its disk: keys, database, journals, guard; opened once, in the order that is safe."""

from pathlib import Path

from chain.contract.claim_tables import BEACON
from chain.errors import ConfigError, InvariantViolation
from chain.genesis import Genesis, compute_chain_id
from chain.ledger import Ledger
from chain.store import Store
from chain.types import Hash
from chain.validators import Validator, ValidatorSet, find_index
from node.checkpoint_mark import open_mark
from node.config import KeyPaths, NodeConfig
from node.files import create_directory, read_secret
from node.guard import open_guard
from node.journal import open_journal
from node.keys import KeyKind, load_key, load_secret
from node.pool_journal import PoolJournal
from node.reveal import RevealFiles
from node.signer import compute_restart
from p2p import ConfigurationError, build_server_context, load_pin

TLS_KEY_BYTES_MAX = 16_384


class Storage:
    """Open files of one node; its keys may be those of a validator, or of one that is not yet in the set."""

    def __init__(self, config: NodeConfig, genesis: Genesis) -> None:
        """Open everything; raise `ConfigError` where a secret is missing, open to others or does not fit the chain,
        before anything is opened, and `StoreError` where the disk fails."""
        self.key = load_key(Path(config.keys.validator), kind=KeyKind.VALIDATOR)
        self.checkpoint_key = load_key(Path(config.keys.checkpoint), kind=KeyKind.CHECKPOINT)
        self.cursor_secret = load_secret(Path(config.keys.cursor_secret))
        """Authenticates the cursors of lists."""
        self._pin = _load_pin(Path(config.keys.tls_certificate))
        self._reveals = RevealFiles(Path(config.keys.reveal))
        own = self._find_own(genesis.validators)
        _validate_tls_key(config.keys)
        self.directory = Path(config.data_dir)
        create_directory(self.directory)
        chain_id = compute_chain_id(genesis)
        self.store = Store(self.directory / "ledger", chain_id)
        self.ledger = Ledger(self.store, genesis)
        self.own = self._find_own(self.ledger.validators) or own or self._describe_own(config)
        self.pool_journal = PoolJournal(self.directory / "pool", chain_id, bytes_max=config.pool.journal_bytes_max)
        self.checkpoint_mark = open_mark(self.directory / "checkpoint")
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

    def _find_own(self, validators: ValidatorSet) -> Validator | None:
        """Return this node as a set knows it; raise `ConfigError` where its other keys are not those of the set."""
        index = find_index(validators, self.key.public_key)
        if index is None:
            return None
        own = validators[index]
        if own.checkpoint_key != self.checkpoint_key.public_key:
            raise ConfigError(field="keys.checkpoint", reason="is not this validator's checkpoint key on the chain")
        if own.tls_pin != self._pin:
            raise ConfigError(field="keys.tls_certificate", reason="has not this validator's pin on the chain")
        return own

    def _describe_own(self, config: NodeConfig) -> Validator:
        """Return a node that no set knows as its own files say."""
        return Validator(
            organisation=config.name,
            key=self.key.public_key,
            checkpoint_key=self.checkpoint_key.public_key,
            tls_pin=self._pin,
            tls_certificate=b"",
            address=config.listen.p2p,
            reveal_anchor=self._reveals.anchor,
        )

    def find_reveal(self, link: bytes) -> bytes:
        """Return the link whose hash is this one: the next reveal. Raises `RevealExhausted` where no file has it."""
        return self._reveals.find_preimage(Hash(link))

    def get_last_link(self) -> bytes:
        """Return this validator's last link in the state."""
        beacon = self.ledger.read(BEACON.key(), BEACON.codec)
        index = find_index(self.ledger.validators, self.key.public_key)
        if beacon is None or index is None:
            raise InvariantViolation("the state has no link of this validator")
        return beacon.links[index]

    def close(self) -> None:
        """Close all files."""
        self.journal.close()
        self.guard.close()
        self.pool_journal.close()
        self.store.close()


def _validate_tls_key(keys: KeyPaths) -> None:
    """Raise `ConfigError` unless the key is that of the certificate, and nobody else may read it."""
    certificate, private_key = Path(keys.tls_certificate), Path(keys.tls_private_key)
    read_secret(private_key, bytes_max=TLS_KEY_BYTES_MAX)
    try:
        build_server_context(certificate_path=certificate, private_key_path=private_key)
    except ConfigurationError as error:
        raise ConfigError(field="keys.tls_private_key", reason=str(error)) from error


def _load_pin(path: Path) -> bytes:
    try:
        return load_pin(path)
    except (ConfigurationError, OSError) as error:
        raise ConfigError(field="keys.tls_certificate", reason=str(error)) from error
