"""The signer: guard, key and journal brought together, in the one order that is safe (consensus 7).

    every request is checked by the guard's rules and signed, in memory, in the order given
    -> one append to the journal, one fdatasync -> the guard's file, one fdatasync -> only then may it be sent

A message that the guard signed last, asked for again, is answered with the stored signature and written
nowhere (pitfalls P2). What was signed is verified before it leaves (pitfalls C16).
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import assert_never

from msgspec import Struct

from chain.block import Block
from chain.crypto import SigningKey, verify
from chain.errors import InvariantViolation
from chain.types import ChainId, Height, PublicKey
from consensus.effects import (
    KeepBlock,
    KeepNewView,
    KeepPrepared,
    LeaveQuarantine,
    PersistRecord,
    SignRequest,
)
from consensus.events import BlockContent
from consensus.guard_rules import GuardState, check_sign, get_mark, get_position, record_signed
from consensus.messages import OwnMessage, attach_signature, get_signed_bytes
from consensus.start import Quarantine, Resume, compute_start
from node.guard import GuardFile
from node.journal import Journal, JournalContents
from node.journal_format import JournalRecord, KeptBlock, KeptNewView, KeptOwn, KeptPrepared

GROUPS_BEHIND_MAX = 1
"""Groups of own messages that a crash can leave in the journal beyond the guard's mark."""

ObserveSync = Callable[[str, float], None]
"""(file, seconds) of one durable write, for the metrics."""
LoadBlock = Callable[[BlockContent], Block]
"""Give the bodies to a block whose transactions are known here."""


class Signer:
    """Carry out the first field of `Effects` for one validator key."""

    def __init__(
        self,
        key: SigningKey,
        *,
        chain_id: ChainId,
        guard: GuardFile,
        journal: Journal,
        load_block: LoadBlock,
        observe_sync: ObserveSync = lambda _file, _seconds: None,
    ) -> None:
        """Take over a guard and a journal that `compute_restart` compared before."""
        self._observe_sync = observe_sync
        self._load_block = load_block
        self._key = key
        self._chain_id = chain_id
        self._guard = guard
        self._journal = journal

    @property
    def state(self) -> GuardState | None:
        """Return what the guard remembers, None where it is missing or damaged."""
        return self._guard.state

    def persist(self, records: Sequence[PersistRecord]) -> list[OwnMessage]:
        """Sign and make durable, in the given order; return the signed messages, which may be sent now.

        Raises `GuardRefusal` (the core broke a rule or another process used the key) and `StoreError`:
        either way the node stops and nothing of this batch was sent.
        """
        state = before = self._guard.state
        signed: list[OwnMessage] = []
        kept: list[JournalRecord] = []
        for record in records:
            match record:
                case SignRequest(message):
                    if state is None:
                        raise InvariantViolation(f"asked to sign without a guard: {self._guard.problem}")
                    state, answer, is_new = self._sign(state, message)
                    signed.append(answer)
                    if is_new:
                        kept.append(KeptOwn(answer))
                case KeepBlock(content):
                    kept.append(KeptBlock(self._load_block(content)))
                case KeepPrepared(prepared):
                    kept.append(KeptPrepared(prepared))
                case KeepNewView(new_view):
                    kept.append(KeptNewView(new_view))
                case LeaveQuarantine(height):
                    self._leave_quarantine(height)
                    state = before = self._guard.state
                case _:
                    assert_never(record)
        started = perf_counter()
        self._journal.append(kept)
        appended = perf_counter()
        if kept:
            self._observe_sync("journal", appended - started)
        if state is not None and state is not before:
            self._guard.write(state)
            self._observe_sync("guard", perf_counter() - appended)
        return signed

    def _sign(self, state: GuardState, message: OwnMessage) -> tuple[GuardState, OwnMessage, bool]:
        stored = check_sign(state, message)
        if stored is not None:
            return state, attach_signature(message, stored), False
        content = get_signed_bytes(message, self._chain_id)
        signature = self._key.sign(content)
        if not verify(public_key=self._key.public_key, message=content, signature=signature):
            raise InvariantViolation("the key's own signature does not verify")
        answer = attach_signature(message, signature)
        return record_signed(state, answer), answer, True

    def _leave_quarantine(self, height: Height) -> None:
        self._guard.replace(key=self._key.public_key, chain_id=self._chain_id, height=height)

    def keep_quarantine(self, reason: str) -> None:
        """Make it durable that nothing may be signed until the quarantine is over."""
        self._guard.keep_quarantine(reason)

    def drop_below(self, height: int) -> None:
        """Let the journal forget heights up to and including this one; call it after the batch of
        `height` is durable."""
        self._journal.drop_through(height)

    def close(self) -> None:
        """Close both files."""
        self._journal.close()
        self._guard.close()


class Restart(Struct, frozen=True):
    """What guard and journal say at start."""

    quarantine: str | None
    """Why nothing may be signed, None to resume."""
    mark: tuple[int, int, int] | None
    """Position of the last thing signed, as far as it is known."""


def compute_restart(
    *,
    key: PublicKey,
    chain_id: ChainId,
    head_height: int,
    guard: GuardFile,
    journal: Journal,
    contents: JournalContents,
) -> Restart:
    """Bind a new guard to the chain, compare guard and journal, and bring the guard up to the journal,
    durably.

    Beyond `compute_start` it refuses a guard that is more than one group behind the journal: a crash does
    not do that, an old guard file put back does (pitfalls P3, C38).
    """
    if guard.state is not None and guard.state.key == key:
        guard.bind(chain_id)
    if guard.state is None:
        return Restart(quarantine=guard.problem, mark=None)
    kept = guard.quarantine
    mark = guard.state.mark
    at = (-1, -1, -1) if mark is None else (mark.height, mark.view, mark.step)
    groups = zip(contents.own, contents.own_groups, strict=True)
    behind = {group for message, group in groups if get_position(message) > at}
    start = compute_start(
        key=key,
        chain_id=chain_id,
        head_height=head_height,
        guard=guard.state,
        own=contents.own,
        is_journal_broken=journal.damage is not None,
    )
    position = None if mark is None else at
    if kept is not None:
        return Restart(quarantine=kept, mark=position)
    match start:
        case Quarantine(reason):
            told = reason if journal.damage is None else f"{reason}: {journal.damage}"
            return Restart(quarantine=told, mark=position)
        case Resume(state) if len(behind) > GROUPS_BEHIND_MAX:
            reason = f"the guard is behind the journal by {len(behind)} writes: an old file was put back"
            return Restart(quarantine=reason, mark=position)
        case Resume(state):
            if state != guard.state:
                guard.write(state)
            return Restart(quarantine=None, mark=get_mark(state))
        case _:
            assert_never(start)
