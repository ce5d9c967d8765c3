"""Sign checkpoints of the history after commits, and gather those of the other validators (consensus 8).

A checkpoint names log size and log root; existing transparency-log clients verify it. Sizes never fall and a size has
one root: the last one signed is durable before it is sent, and another root for it stops the node. A busy chain is
covered by one checkpoint for each interval, as a later one covers all before it (ADR 0003). Which blocks these are
follows from block time alone: validators that chose by their own clocks would hardly ever sign the same size, and a
checkpoint that only one of them signed proves nothing.
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
    decode_checkpoint,
    decode_note,
    encode_checkpoint,
    encode_note,
    sign_cosignature,
    sign_log,
    verify_note,
)
from chain.clock import to_wall_ms
from chain.codec import encode
from chain.crypto import SigningKey, verify
from chain.errors import DecodeError, ProofError
from chain.ledger import Ledger
from chain.types import Hash, PublicKey
from chain.validators import Validator, compute_faults_max
from node.checkpoint_mark import CheckpointMark
from node.peers import PeerTable
from node.wire import CHECKPOINT, CheckpointShare, checkpoint_codec

INTERVAL_MS = 500
"""The first block in each interval of this length, by the wall time of its block time, has a checkpoint."""
LATE_MS = 10_000
"""Of blocks older than this (a node that catches up) one in an interval of the own clock is signed."""
SHARE_LINES = 2
"""A validator signs as the log and as a cosigner."""
SHARES_GAP_MS = 100
"""Least time between two checkpoints of one validator that are verified here: each costs two signatures."""


class _Share(Struct, frozen=True):
    checkpoint: Checkpoint
    lines: tuple[NoteSignature, ...]


class Cosigner:
    """Own checkpoints, and the newest of each validator."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        key: SigningKey,
        mark: CheckpointMark,
        peers: PeerTable,
        may_sign: Callable[[], bool],
        broadcast: Callable[[int, bytes], int],
        now_ms: Callable[[], int],
        wall_ms: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._mark = mark
        self._peers = peers
        self._may_sign = may_sign
        self._broadcast = broadcast
        self._now_ms = now_ms
        self._wall_ms = wall_ms
        self._origin = build_origin(domain=ledger.genesis.domain, chain_id=ledger.chain_id)
        self._shares: dict[bytes, _Share] = {}
        """By validator key; of members of the present set."""
        self._note: bytes | None = None
        self._note_size = 0
        self._verified_ms: dict[int, int] = {}
        self._block_wall_ms = self._compute_wall_ms(ledger.header)
        self._signed_ms = now_ms() - INTERVAL_MS

    def _compute_wall_ms(self, header: Header) -> int:
        return to_wall_ms(self._ledger.genesis.clock, header.timestamp_ms)

    def on_committed(self, header: Header) -> None:
        """Sign the log as it is after this block, if the block is the first of its interval."""
        before, self._block_wall_ms = self._block_wall_ms, self._compute_wall_ms(header)
        own = self._peers.get_validator(self._peers.home)
        if own not in self._ledger.validators or header.log_size == 0 or not self._may_sign():
            return
        if before // INTERVAL_MS == self._block_wall_ms // INTERVAL_MS:
            return
        now = self._now_ms()
        is_late = self._wall_ms() - self._block_wall_ms > LATE_MS
        if is_late and now - self._signed_ms < INTERVAL_MS:
            return
        self._mark.write(header.log_size, header.log_root)
        self._signed_ms = now
        checkpoint = Checkpoint(origin=self._origin, size=header.log_size, root=Hash(header.log_root))
        body = encode_checkpoint(checkpoint)
        lines = (
            sign_log(body, name=self._origin, public_key=self._key.public_key, sign=self._key.sign),
            sign_cosignature(
                body,
                name=build_cosigner_name(self._ledger.genesis.domain, own.organisation),
                public_key=self._key.public_key,
                sign=self._key.sign,
                time_s=self._wall_ms() // 1000,
            ),
        )
        self._keep(own.key, _Share(checkpoint=checkpoint, lines=lines))
        self._broadcast(CHECKPOINT, encode(CheckpointShare(note=encode_note(body, lines))))

    def on_share(self, peer: int, payload: bytes) -> None:
        """Take a validator's checkpoint; raises `GongjiError` if it does not hold."""
        note = checkpoint_codec.decode(payload).note
        validator = self._peers.get_validator(peer)
        now = self._now_ms()
        if validator is None or validator not in self._ledger.validators:
            return
        if now - self._verified_ms.get(peer, now - SHARES_GAP_MS) < SHARES_GAP_MS:
            return
        body, lines = decode_note(note)
        if len(lines) != SHARE_LINES:
            raise DecodeError(what="checkpoint", reason=f"{len(lines)} signature lines, not {SHARE_LINES}")
        known = self._shares.get(validator.key)
        if known is not None and decode_checkpoint(body).size <= known.checkpoint.size:
            return
        self._verified_ms[peer] = now
        checkpoint, signed = verify_note(note, keys=self._build_keys(validator), verify=verify)
        if len(signed) != SHARE_LINES:
            # A line of any other key would make the gathered note one that clients refuse.
            raise ProofError("a validator signs as the log and as a cosigner")
        if checkpoint.origin == self._origin:
            self._keep(validator.key, _Share(checkpoint=checkpoint, lines=tuple(lines)))

    def _build_keys(self, validator: Validator) -> list[NoteKey]:
        name = build_cosigner_name(self._ledger.genesis.domain, validator.organisation)
        public_key = PublicKey(validator.checkpoint_key)
        return [
            NoteKey(name=self._origin, type=TYPE_ED25519, public_key=public_key),
            NoteKey(name=name, type=TYPE_COSIGNATURE, public_key=public_key),
        ]

    def _keep(self, key: bytes, share: _Share) -> None:
        """Keep a validator's newest checkpoint, and the note where more than f have signed the same."""
        self._shares[key] = share
        members = self._ledger.validators
        self._shares = {item.key: self._shares[item.key] for item in members if item.key in self._shares}
        claim = share.checkpoint
        shares = [known for known in self._shares.values() if known.checkpoint == claim]
        if claim.size >= self._note_size and len(shares) > compute_faults_max(len(members)):
            self._note_size = claim.size
            self._note = encode_note(encode_checkpoint(claim), [line for item in shares for line in item.lines])

    def get_note(self) -> bytes | None:
        """Return the newest checkpoint that more than f validators signed, with all their lines, None before it."""
        return self._note


def build_cosigner_name(domain: str, organisation: str) -> str:
    """Return the key name of a validator's cosignatures."""
    return f"{domain}/{organisation}"
