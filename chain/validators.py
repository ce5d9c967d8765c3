"""Validators, the quorum and the leader: who may vote and whose turn it is (consensus 0 and 3)."""

from typing import Annotated

from msgspec import Meta, Struct

from chain.codec import encode
from chain.contract.call_base import Bytes32, Name
from chain.crypto import sha256
from chain.types import INT_MAX, Hash, Height, PublicKey, View

VALIDATORS_MAX = 64
VALIDATORS_MIN = 4
"""Fewest that tolerate a liar: governance goes no lower, unless genesis began so."""


class Validator(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One voting node; its place in the set is its index."""

    organisation: Name
    """Name of the organisation that runs it."""
    key: Bytes32
    """Ed25519 key of its consensus votes; signs nothing else but validator_ready and rejoin."""
    checkpoint_key: Bytes32
    """Ed25519 key of its C2SP checkpoint cosignatures."""
    tls_pin: Bytes32
    """SHA-256 of the SubjectPublicKeyInfo of its TLS certificate: its identity on the network."""
    tls_certificate: Annotated[bytes, Meta(max_length=2_048)]
    """Its TLS certificate, DER, whose key the pin is of; peers are known by the pin alone, validity is ignored."""
    address: Annotated[str, Meta(min_length=3, max_length=255)]
    """host:port of its validator listener."""
    reveal_anchor: Bytes32
    """Last link of its randomness hash chain: its first reveal hashes to this."""


ValidatorSet = tuple[Validator, ...]
"""set(h): the validators that vote on one height, by index."""


def compute_faults_max(n: int) -> int:
    """Return f, the number of liars that n validators tolerate."""
    return (n - 1) // 3


def compute_quorum(n: int) -> int:
    """Return Q = (n + f) // 2 + 1.

    Two quorums share at least 2Q - n > f validators, so one honest one, for every n; 2f + 1 would not do where n is
    not 3f + 1. And Q <= n - f, so the honest alone can form one (consensus 0; pitfalls C1).
    """
    return (n + compute_faults_max(n)) // 2 + 1


def find_index(validators: ValidatorSet, key: bytes) -> int | None:
    """Return the index of a validator key in a set, or None if it is not in it."""
    for index, validator in enumerate(validators):
        if validator.key == key:
            return index
    return None


def hash_validators(validators: ValidatorSet) -> Hash:
    """Return the hash of a set that headers commit to (next validators hash)."""
    return sha256(encode(validators))


class Skip(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A validator whose last turn ended in a view change."""

    key: Bytes32
    """Its validator key (an index would move when the set changes)."""
    since: Annotated[int, Meta(ge=0, le=INT_MAX)]
    """Height of the block whose embedded certificate showed it."""


SkipTable = tuple[Skip, ...]
"""Oldest first, at most f entries; part of the state."""


def compute_leader(*, height: Height, view: View, validators: ValidatorSet, skips: SkipTable, tenure: int) -> int:
    """Return the index of leader(h, v) = E[(v + h // tenure) mod |E|], E without the skipped (consensus 3)."""
    skipped = {skip.key for skip in skips}
    eligible = [index for index, validator in enumerate(validators) if validator.key not in skipped]
    return eligible[(view + height // tenure) % len(eligible)]


def update_skips(  # noqa: PLR0913 - the rule of consensus 3 has so many inputs
    *,
    height: Height,
    skips: SkipTable,
    skips_before: SkipTable,
    view: View,
    view_before: View,
    validators_before: ValidatorSet,
    signers: tuple[PublicKey, ...],
    tenure: int,
    skip_tenures: int,
) -> SkipTable:
    """Return the table that holds at height + 1, after block `height` (b) was executed (consensus 3).

    `skips` held at b, `skips_before` at b - 1; `view` is that of C(b-1), embedded in b; `view_before` that of C(b-2),
    embedded in block b - 1; `validators_before` is set(b-1); `signers` are those of the certificate embedded in b.
    """
    signed = set(signers)
    n = len(validators_before)
    kept = [skip for skip in skips if height < skip.since + skip_tenures * tenure or skip.key not in signed]
    for y in range(max(view_before, view - n), view):
        index = compute_leader(
            height=Height(height - 1),
            view=View(y),
            validators=validators_before,
            skips=skips_before,
            tenure=tenure,
        )
        key = validators_before[index].key
        kept = [skip for skip in kept if skip.key != key]
        kept.append(Skip(key=key, since=height))
    newest = compute_faults_max(n)
    return tuple(kept[len(kept) - newest :]) if len(kept) > newest else tuple(kept)
