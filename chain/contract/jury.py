"""The jury of an appeal: drawn by lot, sealed votes, opened votes (contract 5 *ballot_commit*, *ballot_reveal*).

A jury has J = min(jury_size, eligible // 20, 1,001) members, one less where that is even, and at least 7; fewer paying
members than 140 have no jury, and the panel decides (appeal_panel.py). Eligible are the leaves of the pool's sum tree
with X >= I, that is who pays. Number i of the draw for round r is

    beacon.draw(value, purpose="jury-<r>-<i>", subject=case, bound=eligible)

counted from the least such X; who may not judge this case, and who was drawn already, is passed over, so that anybody
with the tree of that block can draw again. A child's membership does not judge, for its guardian would vote twice, nor
do the appellant, his guardian and his children.

The votes are sealed for 7 days and opened in 3; a phase in which nothing more can come ends at the next 0:00. A vote
counts once it is opened; more than half of the jury must have voted, and more than half of the votes uphold an appeal,
so a tie leaves the decision as it is. A juror who leaves the plan keeps the vote, because the lot chose him for what he
was; who died or was voided has none.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.codec import encode
from chain.contract import appeal_lane, appeal_panel, beacon
from chain.contract.appeal import end_appeal
from chain.contract.appeal_events import BallotCommitted, BallotRevealed, BallotsOpened, JuryDrawn, JuryFailed
from chain.contract.appeal_tables import (
    APPEAL,
    APPEAL_COMMIT,
    APPEAL_REVEAL,
    DECIDER_JURY,
    JUROR,
    VOTE_DISMISS,
    VOTE_NONE,
    VOTE_UPHOLD,
    AppealRecord,
    JurorRecord,
)
from chain.contract.claim_calls import (
    BallotCommit,
    BallotCommitItem,
    BallotReveal,
    BallotRevealItem,
)
from chain.contract.claim_tables import BEACON
from chain.contract.context import Context, apply_items
from chain.contract.due import DUE_BALLOT_COMMIT, DUE_BALLOT_REVEAL
from chain.contract.fault import run_guarded
from chain.contract.membership import require_member
from chain.contract.organisations import get_terms
from chain.contract.tables import (
    MEMBER,
    MEMBER_DIED,
    MEMBER_STATUS_NAMES,
    MEMBER_VOIDED,
    PLAN,
    POOL,
    MemberRecord,
)
from chain.crypto import sha256
from chain.errors import Refusal
from chain.state import Overlay, PoolTree
from chain.types import Hash

COMMIT_DAYS: Final = 7
REVEAL_DAYS: Final = 3
ROUNDS_MAX: Final = 2
"""Juries of one case: a second one where too few of the first voted."""
JURY_MIN: Final = 7
JURY_MAX: Final = 1_001
"""Published: at least 1,000 valid votes. More would make the block of the draw too slow."""
MEMBERS_PER_JUROR: Final = 20
SEATS_PER_BLOCK_MAX: Final = 1_001
"""Jurors drawn in one block of a plan, but always one whole jury; the rest goes on in the next block."""
_ATTEMPTS_SPARE: Final = 64
_BALLOT_TAG: Final = b"gongji/ballot/v1\n"
_X_BYTES: Final = 4
_ALREADY: Final = get_entry("already").number


def compute_jury_size(jury_size: int, eligible: int) -> int:
    """Return how many members judge, odd; 0 where there are too few to draw from."""
    size = min(jury_size, eligible // MEMBERS_PER_JUROR, JURY_MAX)
    size -= size % 2 == 0
    return size if size >= JURY_MIN else 0


def hash_ballot(member: bytes, reveal: BallotRevealItem) -> Hash:
    """Return what a juror commits to: SHA-256("gongji/ballot/v1\\n" || canonical [member, reveal]).

    `reveal` is the later item as an array: case, vote, salt (32 bytes, random and secret until then). The case is a
    transaction id, which binds the ballot to one chain.
    """
    return sha256(_BALLOT_TAG + encode((member, reveal)))


# --- the draw ---


def run_jury_draws(
    state: Overlay, context: Context, plan: str, *, day: int, stage: int, seats_used: int
) -> tuple[int, bool]:
    """Draw for each appeal for which f + 1 different proposers have revealed since it asked.

    Runs at 0:00 of a day; the lane is in the order of asking, so the first appeal that is too young ends the run.
    Returns (seats drawn in this block so far, whether the lane is done for the day). Each draw is guarded by itself.
    """
    while True:
        case_id = appeal_lane.get_first(state, plan)
        if case_id is None:
            return seats_used, True
        record = state.require(APPEAL, case_id)
        proposers_min = context.faults_max + 1
        value = beacon.get_draw_value(state.require(BEACON), since=record.asked_height, proposers_min=proposers_min)
        if value is None:
            return seats_used, True
        if seats_used >= SEATS_PER_BLOCK_MAX:
            return seats_used, False
        if not _draw_guarded(state, context, plan, case_id, value, day=day, stage=stage):
            return seats_used, True
        seats_used += max(1, state.require(APPEAL, case_id).jurors)


def _draw_guarded(
    state: Overlay, context: Context, plan: str, case_id: bytes, value: Hash, *, day: int, stage: int
) -> bool:
    # Before the guard: the undo list does not reach behind a flush.
    for number in range(state.require(PLAN, plan).pools):
        state.tree((plan, number))

    def act() -> None:
        appeal_lane.pop(state, plan)
        _draw(state, context, case_id, state.require(APPEAL, case_id), value)

    return run_guarded(state, context, plan=plan, day=day, stage=stage, act=act)


def _draw(state: Overlay, context: Context, case_id: bytes, record: AppealRecord, value: Hash) -> None:
    """Draw a jury, or where there can be none, ask the panel."""
    pool = state.require(POOL, record.plan, record.pool)
    tree = state.tree((record.plan, record.pool))
    eligible = tree.range_sums(pool.share_index).count
    rank_offset = tree.range_sums(0).count - eligible
    terms = get_terms(state, record.plan, pool.version).pool
    size = compute_jury_size(terms.jury_size, eligible) if record.round < ROUNDS_MAX else 0
    jury = _list_jury(state, case_id, record, tree, value, size=size, eligible=eligible, rank_offset=rank_offset)
    if not size or len(jury) < size:
        appeal_panel.seat_panel(state, context, case_id, record, value)
        return
    record = replace(
        record, status=APPEAL_COMMIT, round=record.round + 1, jurors=size, committed=0, revealed=0, upheld=0
    )
    for member in jury:
        state.put(JUROR, JurorRecord(round=record.round, commit_hash=None, vote=VOTE_NONE), member, case_id)
    record = appeal_lane.set_due(state, context, case_id, record, kind=DUE_BALLOT_COMMIT, days=COMMIT_DAYS)
    context.emit(
        JuryDrawn(
            case=case_id,
            claim=record.claim,
            round=record.round,
            jurors=size,
            eligible=eligible,
            rank_offset=rank_offset,
            value=value,
            due_day=record.due_day,
        )
    )


def _list_jury(
    state: Overlay,
    case_id: bytes,
    record: AppealRecord,
    tree: PoolTree,
    value: Hash,
    *,
    size: int,
    eligible: int,
    rank_offset: int,
) -> list[bytes]:
    """Return the members drawn, in the order of drawing; fewer where hardly anybody may judge this case."""
    jury: dict[bytes, None] = {}
    appellant = state.require(MEMBER, record.member)
    for attempt in range(4 * size + _ATTEMPTS_SPARE if size else 0):
        purpose = f"jury-{record.round}-{attempt}"
        rank = rank_offset + beacon.draw(value, purpose=purpose, subject=case_id, bound=eligible)
        member_id = tree.select(rank)[_X_BYTES:]
        if member_id not in jury and may_judge(state, case_id, record.member, appellant, member_id):
            jury[member_id] = None
            if len(jury) == size:
                break
    return list(jury)


def may_judge(state: Overlay, case_id: bytes, appellant_id: bytes, appellant: MemberRecord, member_id: bytes) -> bool:
    """Tell whether a member may be drawn for a case: a stranger to it, of age, and not drawn for it before."""
    if member_id in (appellant_id, appellant.guardian) or state.get(JUROR, member_id, case_id) is not None:
        return False
    member = state.require(MEMBER, member_id)
    return member.guardian is None and member.key != appellant.key


# --- votes ---


def apply_ballot_commit(state: Overlay, context: Context, call: BallotCommit) -> tuple[int, ...]:
    """Seal votes.

    Refused as a whole: member_unknown, not_owner; member_state for who died or was voided. Item by item:
    appeal_unknown; not_juror; deadline_passed once the votes are opened or the jury is replaced; already for the same
    seal, conflict for another one.
    """
    _require_voter(state, context, call.member)
    return apply_items(
        state, context, len(call.items), lambda position: _commit_one(state, context, call.member, call.items[position])
    )


def apply_ballot_reveal(state: Overlay, context: Context, call: BallotReveal) -> tuple[int, ...]:
    """Open votes; after the last one that can come the case is decided at the next 0:00.

    Refused as a whole: member_unknown, not_owner, member_state. Item by item: appeal_unknown; not_juror; already;
    ballots_sealed while others may still seal theirs; deadline_passed; commit_mismatch, also without a seal.
    """
    _require_voter(state, context, call.member)
    return apply_items(
        state, context, len(call.items), lambda position: _reveal_one(state, context, call.member, call.items[position])
    )


def _require_voter(state: Overlay, context: Context, member_id: bytes) -> None:
    member = require_member(state, context, member_id)
    if member.status in (MEMBER_DIED, MEMBER_VOIDED):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])


def _require_juror(state: Overlay, member_id: bytes, case_id: bytes) -> tuple[AppealRecord, JurorRecord]:
    record = state.get(APPEAL, case_id)
    if record is None:
        raise Refusal("appeal_unknown", case=case_id.hex())
    juror = state.get(JUROR, member_id, case_id)
    if juror is None:
        raise Refusal("not_juror", case=case_id.hex())
    return record, juror


def _commit_one(state: Overlay, context: Context, member_id: bytes, item: BallotCommitItem) -> int:
    record, juror = _require_juror(state, member_id, item.case)
    if juror.commit_hash is not None:
        if juror.commit_hash == item.hash:
            return _ALREADY
        raise Refusal("conflict", case=item.case.hex())
    if record.status != APPEAL_COMMIT or juror.round != record.round:
        raise Refusal("deadline_passed", case=item.case.hex())
    state.put(JUROR, replace(juror, commit_hash=item.hash), member_id, item.case)
    record = replace(record, committed=record.committed + 1)
    state.put(APPEAL, record, item.case)
    context.emit(BallotCommitted(case=item.case, claim=record.claim))
    if record.committed == record.jurors:
        _end_tomorrow(state, context, item.case, record)
    return SUCCESS


def _reveal_one(state: Overlay, context: Context, member_id: bytes, item: BallotRevealItem) -> int:
    record, juror = _require_juror(state, member_id, item.case)
    is_mine = juror.commit_hash == hash_ballot(member_id, item)
    if juror.vote != VOTE_NONE and is_mine:
        return _ALREADY
    if record.status == APPEAL_COMMIT and juror.round == record.round:
        raise Refusal("ballots_sealed", due_day=record.due_day)
    if record.status != APPEAL_REVEAL or juror.round != record.round:
        raise Refusal("deadline_passed", case=item.case.hex())
    if not is_mine:
        raise Refusal("commit_mismatch", case=item.case.hex())
    vote = VOTE_UPHOLD if item.is_upheld else VOTE_DISMISS
    state.put(JUROR, replace(juror, vote=vote), member_id, item.case)
    record = replace(record, revealed=record.revealed + 1, upheld=record.upheld + item.is_upheld)
    state.put(APPEAL, record, item.case)
    context.emit(BallotRevealed(case=item.case, claim=record.claim, is_upheld=item.is_upheld))
    if record.revealed == record.committed:
        _end_tomorrow(state, context, item.case, record)
    return SUCCESS


def _end_tomorrow(state: Overlay, context: Context, case_id: bytes, record: AppealRecord) -> None:
    """Let a phase in which nothing more can come end at the next 0:00 instead of on its last day.

    Not within the ballot: a juror's own transaction is not public (contract 6), a verdict is. Its `due_day` does not
    tell how long the phase lasts: stopped days move what was set for that day.
    """
    appeal_lane.set_due(state, context, case_id, record, kind=record.due_kind, days=1)


# --- the end of a phase ---


def _has_quorum(record: AppealRecord, votes: int) -> bool:
    return 2 * votes > record.jurors


def open_ballots(state: Overlay, context: Context, case_id: bytes, record: AppealRecord) -> None:
    """Let the votes be opened, if enough were sealed for a verdict."""
    if not _has_quorum(record, record.committed):
        _fail(state, context, case_id, record, votes=record.committed)
        return
    record = replace(record, status=APPEAL_REVEAL)
    record = appeal_lane.set_due(state, context, case_id, record, kind=DUE_BALLOT_REVEAL, days=REVEAL_DAYS)
    context.emit(BallotsOpened(case=case_id, claim=record.claim, committed=record.committed, due_day=record.due_day))


def tally(state: Overlay, context: Context, case_id: bytes, record: AppealRecord) -> None:
    """Count the opened votes."""
    if not _has_quorum(record, record.revealed):
        _fail(state, context, case_id, record, votes=record.revealed)
        return
    is_upheld = 2 * record.upheld > record.revealed
    end_appeal(state, context, case_id, record, is_upheld=is_upheld, decider=DECIDER_JURY)


def _fail(state: Overlay, context: Context, case_id: bytes, record: AppealRecord, *, votes: int) -> None:
    """Ask for another draw: of a second jury, after two of the panel."""
    context.emit(JuryFailed(case=case_id, claim=record.claim, round=record.round, jurors=record.jurors, votes=votes))
    appeal_lane.ask_draw(state, context, case_id, record)
