"""The outside world of a simulated node: a toy ledger with real headers, cheap signatures and n validators.

Executing a block is hashing its items onto the state root; everything that consensus looks at is real.
"""

import hashlib

from msgspec import Struct

from chain.block import Header, hash_header
from chain.certificate import Certificate, genesis_certificate, hash_certificate
from chain.codec import encode
from chain.crypto import sha256
from chain.types import ZERO_HASH, ChainId, Hash, Height, PublicKey, Signature, View
from chain.validators import SkipTable, Validator, ValidatorSet, hash_validators, update_skips
from consensus.config import Config, Pace
from consensus.events import BlockContent, HeadInfo
from consensus.messages import Item

CHAIN_ID = ChainId(sha256(b"simulated chain"))
TENURE = 5
SKIP_TENURES = 2
IDLE_MS = 1_000
D_PAST_MS = 10_000
D_FUTURE_MS = 1_000
PACE = Pace(idle_interval_ms=IDLE_MS)
SWAP = sha256(b"swap the first validator")
ADD, REMOVE, UPGRADE = b"+set", b"-set", b"^ver"
"""How the ids of toy transactions of government begin; see `build_change` and `build_upgrade`."""
EPOCH_MS = 1_700_000_000_000
"""Wall time at the start of a simulation."""


def compute_key(name: int) -> PublicKey:
    return PublicKey(sha256(b"validator %d" % name))


def sign(key: PublicKey, message: bytes) -> Signature:
    """A keyed hash that stands for Ed25519: whoever calls it for a key owns it, by the honour of the
    simulator."""
    return Signature(hashlib.sha512(b"secret of " + key + message).digest())


def verify(*, public_key: bytes, message: bytes, signature: bytes) -> bool:
    return signature == hashlib.sha512(b"secret of " + public_key + message).digest()


def build_validator(name: int) -> Validator:
    def derive(use: bytes) -> bytes:
        return sha256(use + b" of %d" % name)

    return Validator(
        organisation=f"org-{name}",
        key=compute_key(name),
        checkpoint_key=derive(b"checkpoint"),
        tls_pin=derive(b"tls"),
        tls_certificate=b"",
        address=f"node-{name}:1",
        reveal_anchor=derive(b"reveal"),
    )


def build_validators(n: int) -> ValidatorSet:
    return tuple(build_validator(name) for name in range(n))


def build_config(key: PublicKey, genesis_hash: Hash) -> Config:
    return Config(
        chain_id=CHAIN_ID,
        genesis_hash=genesis_hash,
        key=key,
        tenure=TENURE,
        verify=verify,
    )


class StoredBlock(Struct, frozen=True, kw_only=True):
    """A block with its certificate and what follows from the state after it."""

    content: BlockContent
    certificate: Certificate
    validators_head: ValidatorSet
    validators: ValidatorSet
    changes: int = 0
    """Changes of the set so far."""
    upgrade: tuple[int, int] = (1, 0)
    """(version, from which height on)."""
    version_before: int = 1
    """The version below that height."""
    skips_before: SkipTable
    """The table that held at this block."""
    skips: SkipTable
    """The table that holds at the next."""

    @property
    def height(self) -> int:
        return self.content.header.height

    def get_version(self, height: int) -> int:
        """The version of a height, as scheduled after this block."""
        version, since = self.upgrade
        return version if height >= since else self.version_before

    @property
    def embedded_view(self) -> View:
        return View(self.content.parent_certificate.view)


def build_genesis(validators: ValidatorSet) -> StoredBlock:
    header = Header(
        version=1,
        height=0,
        parent_hash=CHAIN_ID,
        timestamp_ms=EPOCH_MS,
        proposer=bytes(32),
        parent_certificate_hash=bytes(32),
        transactions_root=sha256(b""),
        log_size=0,
        log_root=sha256(b""),
        state_root=sha256(b"genesis"),
        next_validators_hash=hash_validators(validators),
        reveal=bytes(32),
    )
    block_hash = hash_header(header)
    return StoredBlock(
        content=BlockContent(
            block_hash=block_hash,
            header=header,
            parent_certificate=Certificate(height=0, view=0, block_hash=ZERO_HASH, votes=()),
            items=(),
        ),
        certificate=genesis_certificate(block_hash),
        validators_head=validators,
        validators=validators,
        skips_before=(),
        skips=(),
    )


def build_head_info(stored: StoredBlock, pace: Pace = PACE) -> HeadInfo:
    return HeadInfo(
        certificate=stored.certificate,
        embedded_view=stored.embedded_view,
        wall_ms=stored.content.header.timestamp_ms,
        validators_head=stored.validators_head,
        validators=stored.validators,
        skips=stored.skips,
        pace=pace,
        version=stored.get_version(stored.height + 1),
        version_head=stored.content.header.version,
    )


def compute_state_root(parent: StoredBlock, items: tuple[Item, ...]) -> Hash:
    return sha256(parent.content.header.state_root + encode(items))


def build_content(
    parent: StoredBlock,
    certificate: Certificate,
    *,
    proposer: PublicKey,
    timestamp_ms: int,
    items: tuple[Item, ...],
    state_root: Hash | None = None,
) -> BlockContent:
    """Build and execute a block."""
    header = Header(
        version=parent.get_version(parent.height + 1),
        height=parent.height + 1,
        parent_hash=parent.content.block_hash,
        timestamp_ms=timestamp_ms,
        proposer=proposer,
        parent_certificate_hash=hash_certificate(certificate),
        transactions_root=sha256(encode(items)),
        log_size=parent.content.header.log_size + len(items),
        log_root=sha256(b"log" + encode(items)),
        state_root=compute_state_root(parent, items) if state_root is None else state_root,
        next_validators_hash=hash_validators(compute_next_validators(parent, items)),
        reveal=bytes(32),
    )
    return BlockContent(block_hash=hash_header(header), header=header, parent_certificate=certificate, items=items)


def build_change(tag: bytes, name: int, number: int) -> Item:
    """The toy transaction that adds (ADD) or removes (REMOVE) a validator, if `number` changes were before it."""
    return tag + name.to_bytes(4, "big") + number.to_bytes(24, "big"), bytes(64)


def build_upgrade(version: int, height: int) -> Item:
    """The toy transaction that schedules a protocol version."""
    return UPGRADE + version.to_bytes(4, "big") + height.to_bytes(24, "big"), bytes(64)


def compute_next_validators(parent: StoredBlock, items: tuple[Item, ...]) -> ValidatorSet:
    """Return the set after a block, by at most one change; the toy transaction SWAP, which no real one may do,
    puts a new validator in the place of the first."""
    if any(item[0] == SWAP for item in items):
        return (build_validator(len(parent.validators)), *parent.validators[1:])
    change = find_change(parent, items)
    if change is None:
        return parent.validators
    validator = build_validator(int.from_bytes(change[4:8], "big"))
    kept = tuple(item for item in parent.validators if item != validator)
    return (*kept, validator) if change.startswith(ADD) else kept


def find_change(parent: StoredBlock, items: tuple[Item, ...]) -> bytes | None:
    """Return the one change of the set that these items bring about; its turn must have come."""
    for item in items:
        if item[0].startswith((ADD, REMOVE)) and int.from_bytes(item[0][8:], "big") == parent.changes:
            return item[0]
    return None


def compute_upgrade(parent: StoredBlock, items: tuple[Item, ...]) -> tuple[int, int]:
    """Return the scheduled upgrade after a block."""
    for item in items:
        if item[0].startswith(UPGRADE):
            return int.from_bytes(item[0][4:8], "big"), int.from_bytes(item[0][8:], "big")
    return parent.upgrade


def find_fault(parent: StoredBlock, content: BlockContent) -> str | None:
    """Return why a block is invalid by the lines that need no clock, or None."""
    header = content.header
    if header.height != parent.height + 1 or header.parent_hash != parent.content.block_hash:
        return "not the child of the head"
    if header.version != parent.get_version(header.height):
        return "version"
    if header.next_validators_hash != hash_validators(compute_next_validators(parent, content.items)):
        return "next validators"
    if header.timestamp_ms <= parent.content.header.timestamp_ms:
        return "timestamp"
    if not content.items and header.timestamp_ms < parent.content.header.timestamp_ms + IDLE_MS:
        return "empty before the idle interval"
    if header.state_root != compute_state_root(parent, content.items):
        return "state root"
    return None


def apply_block(parent: StoredBlock, content: BlockContent, certificate: Certificate) -> StoredBlock:
    """Return what is stored when a block is committed, the skip table included (consensus 3)."""
    embedded = content.parent_certificate
    validators_before = parent.validators_head
    skips = parent.skips
    if parent.height > 0:
        signers = tuple(PublicKey(validators_before[index].key) for index, _ in embedded.votes)
        skips = update_skips(
            height=Height(content.header.height),
            skips=parent.skips,
            skips_before=parent.skips_before,
            view=View(embedded.view),
            view_before=parent.embedded_view,
            validators_before=validators_before,
            signers=signers,
            tenure=TENURE,
            skip_tenures=SKIP_TENURES,
        )
    return StoredBlock(
        content=content,
        certificate=certificate,
        validators_head=parent.validators,
        validators=compute_next_validators(parent, content.items),
        changes=parent.changes + (find_change(parent, content.items) is not None),
        upgrade=compute_upgrade(parent, content.items),
        version_before=parent.get_version(content.header.height),
        skips_before=parent.skips,
        skips=skips,
    )
