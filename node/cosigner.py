"""Sign checkpoints of the history after commits, and gather those of the other validators (consensus 8).

A checkpoint names log size and log root; existing transparency-log clients verify it. Sizes never fall and a size has
one root: the last one signed is durable before it is sent, and another root for it stops the node. A busy chain is
covered by one checkpoint for each interval, as a later one covers all before it (ADR 0003).
"""

from collections.abc import Callable

from msgspec import Struct

from chain.block import Header
from chain.checkpoint import (
    TYPE_COSIGNATURE,
    TYPE_ED25519,
    Checkpoint,
    NoteKey,
    NoteSignature,
    build_origin,
    decode_note,
    encode_checkpoint,
    encode_note,
    sign_cosignature,
    sign_log,
    verify_note,
)
from chain.codec import encode
from chain.crypto import SigningKey, verify
from chain.errors import InvariantViolation
from chain.layout import META
from chain.ledger import Ledger
from chain.types import Hash, PublicKey
from chain.validators import Validator, compute_faults_max
from node.wire import CHECKPOINT, CheckpointShare, checkpoint_codec

META_CHECKPOINT = META + b"checkpoint"
INTERVAL_MS = 500
"""Least time between two checkpoints of one validator."""


class _Share(Struct, frozen=True):
    checkpoint: Checkpoint
    lines: tuple[NoteSignature, ...]


class Cosigner:
    """Own checkpoints, and the newest of each validator."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        key: SigningKey | None,
        own_index: int | None,
        broadcast: Callable[[int, bytes], int],
        now_ms: Callable[[], int],
        wall_ms: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._own_index = own_index
        self._broadcast = broadcast
        self._now_ms = now_ms
        self._wall_ms = wall_ms
        self._origin = build_origin(domain=ledger.genesis.domain, chain_id=ledger.chain_id)
        self._shares: dict[int, _Share] = {}
        self._signed_ms = -INTERVAL_MS

    def on_committed(self, header: Header) -> None:
        """Sign the log as it is now, if an interval has passed since the last time."""
        if self._key is None or self._own_index is None or header.log_size == 0:
            return
        now = self._now_ms()
        if now - self._signed_ms < INTERVAL_MS:
            return
        self._remember(header)
        self._signed_ms = now
        checkpoint = Checkpoint(origin=self._origin, size=header.log_size, root=Hash(header.log_root))
        body = encode_checkpoint(checkpoint)
        organisation = self._ledger.validators[self._own_index].organisation
        lines = (
            sign_log(body, name=self._origin, public_key=self._key.public_key, sign=self._key.sign),
            sign_cosignature(
                body,
                name=build_cosigner_name(self._ledger.genesis.domain, organisation),
                public_key=self._key.public_key,
                sign=self._key.sign,
                time_s=self._wall_ms() // 1000,
            ),
        )
        self._shares[self._own_index] = _Share(checkpoint=checkpoint, lines=lines)
        self._broadcast(CHECKPOINT, encode(CheckpointShare(note=encode_note(body, lines))))

    def _remember(self, header: Header) -> None:
        """Make size and root durable before they are sent; refuse a falling size or a second root."""
        last = self._ledger.store.get(META_CHECKPOINT)
        if last is not None:
            size, root = int.from_bytes(last[:8], "big"), last[8:]
            if header.log_size < size or (header.log_size == size and header.log_root != root):
                raise InvariantViolation(
                    f"a checkpoint of size {size} was signed; {header.log_size} would contradict it"
                )
        record = header.log_size.to_bytes(8, "big") + header.log_root
        self._ledger.store.write([(META_CHECKPOINT, record)])

    def on_share(self, peer: int, payload: bytes) -> None:
        """Take a validator's checkpoint; raises `GongjiError` if it does not hold."""
        note = checkpoint_codec.decode(payload).note
        validators = self._ledger.validators
        if peer >= len(validators):
            return
        checkpoint, _ = verify_note(note, keys=self._build_keys(validators[peer]), verify=verify)
        known = self._shares.get(peer)
        if checkpoint.origin == self._origin and (known is None or checkpoint.size > known.checkpoint.size):
            _, lines = decode_note(note)
            self._shares[peer] = _Share(checkpoint=checkpoint, lines=tuple(lines[:2]))

    def _build_keys(self, validator: Validator) -> list[NoteKey]:
        name = build_cosigner_name(self._ledger.genesis.domain, validator.organisation)
        public_key = PublicKey(validator.checkpoint_key)
        return [
            NoteKey(name=self._origin, type=TYPE_ED25519, public_key=public_key),
            NoteKey(name=name, type=TYPE_COSIGNATURE, public_key=public_key),
        ]

    def get_note(self) -> bytes | None:
        """Return the newest checkpoint that more than f validators signed, with all their lines."""
        by_claim: dict[tuple[int, bytes], list[_Share]] = {}
        for index in sorted(self._shares):
            share = self._shares[index]
            by_claim.setdefault((share.checkpoint.size, share.checkpoint.root), []).append(share)
        enough = compute_faults_max(len(self._ledger.validators)) + 1
        for claim in sorted(by_claim, reverse=True):
            shares = by_claim[claim]
            if len(shares) >= enough:
                body = encode_checkpoint(shares[0].checkpoint)
                return encode_note(body, [line for share in shares for line in share.lines])
        return None


def build_cosigner_name(domain: str, organisation: str) -> str:
    """Return the key name of a validator's cosignatures."""
    return f"{domain}/{organisation}"
