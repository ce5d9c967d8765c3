"""The decision at start: go on, or stand in quarantine because votes may be lost (consensus 7, Start)."""

from msgspec import Struct

from chain.types import ChainId, PublicKey
from consensus.guard_rules import (
    GuardRefusal,
    GuardState,
    check_sign,
    compute_digest,
    get_position,
    record_signed,
)
from consensus.messages import OwnMessage


class Resume(Struct, frozen=True):
    """The guard and the journal agree: vote again once Q-1 others have answered."""

    guard: GuardState
    """The guard brought up to what the journal holds; make it durable before anything else."""


class Quarantine(Struct, frozen=True):
    """Sign nothing until the chain is three heights further (consensus 7, Quarantine)."""

    reason: str


def compute_start(
    *,
    key: PublicKey,
    chain_id: ChainId,
    head_height: int,
    guard: GuardState | None,
    own: tuple[OwnMessage, ...],
    is_journal_broken: bool,
) -> Resume | Quarantine:
    """Compare the guard with the journal.

    `own` are the own signed messages of the journal in the order of signing, without a torn tail (a record
    that was cut by a crash was never sent); `is_journal_broken` says that it is damaged anywhere else.
    Records of heights <= head may have been dropped, so a mark at or below the head needs no record.
    """
    if guard is None:
        return Quarantine("the guard is missing")
    if guard.key != key:
        return Quarantine("the guard is of another key")
    if guard.chain_id != chain_id:
        return Quarantine("the guard is of another chain")
    if is_journal_broken:
        return Quarantine("the journal is broken")
    mark = guard.mark
    at = (-1, -1, -1) if mark is None else (mark.height, mark.view, mark.step)
    if mark is not None and mark.height > head_height + 1:
        # A block is durable before anything is signed above it: the database was lost or is an old one.
        return Quarantine(f"the guard is ahead of the database: it signed at {at}")
    if guard.floor > head_height + 1:
        return Quarantine(f"the guard is ahead of the database: it signs nothing below height {guard.floor}")
    if mark is not None and mark.height > head_height:
        digests = [compute_digest(message, chain_id) for message in own if get_position(message) == at]
        if digests != [mark.digest]:
            return Quarantine(f"the guard is ahead of the journal: it signed at {at}")
    # A crash between the journal and the guard leaves records that were never sent; they count as signed.
    for message in own:
        if get_position(message) <= at:
            continue
        try:
            check_sign(guard, message)
        except GuardRefusal as refusal:
            return Quarantine(f"the journal contradicts the guard: {refusal}")
        guard = record_signed(guard, message)
        at = get_position(message)
    return Resume(guard)
