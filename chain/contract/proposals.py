"""Proposals and votes (contract 5 *proposal_open*, *proposal_vote*).

    OPEN --enough yes----------------> ACCEPTED --day of its effect--> EFFECTIVE
      |  --enough no, none can pass--> REJECTED     |                   +--not possible any more--> FAILED
      +----end of voting-------------> EXPIRED      +--a vote is struck out, too few are left--> OPEN again

Who may vote is fixed at the opening, and only organisations that are still in office count, so that nobody packs the
house while something is being voted on. A vote is cast once. When a recovery key revokes a signing key, the votes that
were signed with it are struck out, also in what was accepted and has not taken effect; what its holder asked for
itself with it is rejected; then the organisation votes anew. An orderly change of a key touches no vote.
"""

from typing import Final

from msgspec.structs import replace

from chain.codec import encode
from chain.contract.context import Context, compute_day
from chain.contract.governance import find_concerned, get_kind, validate_payload
from chain.contract.governance_calls import ChangeKey, Payload, ProposalOpen, ProposalVote, UpgradeProtocol
from chain.contract.governance_events import (
    ProposalOpened,
    ProposalStatusChanged,
    ProposalVoted,
    ProposalVoteStruck,
)
from chain.contract.governance_tables import (
    CONSORTIUM,
    PROPOSAL,
    PROPOSAL_ACCEPTED,
    PROPOSAL_NUMBER,
    PROPOSAL_OPEN,
    PROPOSAL_REJECTED,
    PROPOSAL_STATUS_NAMES,
    PROPOSALS_MAX,
    ConsortiumRecord,
    LiveProposal,
    ProposalNumberRecord,
    ProposalRecord,
    VoteRecord,
)
from chain.contract.parameter_changes import is_postponement
from chain.contract.proposal_policy import GOVERNING_ROLES, Policy, get_policy
from chain.contract.rosters import get_group, get_roster
from chain.contract.tables import ORGANISATION, SIGNER, SignerRecord
from chain.crypto import sha256
from chain.errors import Refusal
from chain.state import Overlay

PROPOSALS_OF_GOVERNOR_MAX: Final = 8
"""Live proposals of one organisation that governs."""
PROPOSALS_OF_OTHER_MAX: Final = 1
"""Live proposals of an assessor or hospital, which may ask for itself alone."""
PROPOSALS_OF_OTHERS_MAX: Final = 16
"""Live proposals of all assessors and hospitals, so that they leave room for those who govern."""


# --- opening ---


def apply_proposal_open(state: Overlay, context: Context, call: ProposalOpen) -> tuple[int, ...]:
    """Put something to the vote; where the opener has a vote on it, this is its yes.

    Refused: wrong_role, proposal_exists (the same is voted on), proposals_full, and whatever makes the payload
    impossible now.
    """
    signer = _require_signer(state, context)
    concerned = find_concerned(state, call.payload)
    if signer.role not in GOVERNING_ROLES and signer.organisation != concerned:
        raise Refusal("wrong_role", organisation=signer.organisation)
    consortium = state.require(CONSORTIUM)
    payload_hash = sha256(encode(call.payload))
    _validate_room(state, consortium, signer, payload_hash)
    is_own = signer.organisation == concerned
    validate_payload(state, context, call.payload, is_own=is_own)
    today = compute_day(context.timestamp_ms, consortium.utc_offset_minutes)
    record = ProposalRecord(
        number=consortium.proposals + 1,
        status=PROPOSAL_OPEN,
        proposer=signer.organisation,
        payload=call.payload,
        reason_hash=call.reason_hash,
        concerned=concerned,
        voters=_list_voters(state, concerned),
        votes=(),
        opened_day=today,
        expire_day=0,
        effect_day=0,
        closed_day=0,
        code=0,
    )
    policy = find_policy(state, record, height=context.height)
    record = replace(record, expire_day=today + policy.vote_days)
    live = LiveProposal(
        proposal=context.tx_id,
        payload_hash=payload_hash,
        proposer=signer.organisation,
        due_day=record.expire_day,
    )
    state.put(CONSORTIUM, replace(consortium, proposals=record.number, live=(*consortium.live, live)))
    state.put(PROPOSAL_NUMBER, ProposalNumberRecord(proposal=context.tx_id), record.number)
    context.emit(
        ProposalOpened(
            proposal=context.tx_id,
            number=record.number,
            payload_kind=get_kind(call.payload),
            organisation=signer.organisation,
            voters=record.voters,
            expire_day=record.expire_day,
        )
    )
    if signer.organisation in record.voters:
        record = _cast(context, context.tx_id, record, signer.organisation, is_yes=True, today=today)
    state.put(PROPOSAL, record, context.tx_id)
    return ()


def _require_signer(state: Overlay, context: Context) -> SignerRecord:
    signer = state.get(SIGNER, context.signer)
    if signer is None:
        raise Refusal("wrong_role")
    return signer


def _validate_room(state: Overlay, consortium: ConsortiumRecord, signer: SignerRecord, payload_hash: bytes) -> None:
    if any(live.payload_hash == payload_hash for live in consortium.live):
        raise Refusal("proposal_exists")
    own = sum(live.proposer == signer.organisation for live in consortium.live)
    if signer.role in GOVERNING_ROLES:
        is_full = own >= PROPOSALS_OF_GOVERNOR_MAX
    else:
        others = sum(state.require(ORGANISATION, live.proposer).role not in GOVERNING_ROLES for live in consortium.live)
        is_full = own >= PROPOSALS_OF_OTHER_MAX or others >= PROPOSALS_OF_OTHERS_MAX
    if is_full or len(consortium.live) >= PROPOSALS_MAX:
        raise Refusal("proposals_full", live=len(consortium.live), own=own)


def _list_voters(state: Overlay, concerned: str | None) -> tuple[str, ...]:
    """Return the organisations that govern, without the one concerned and what belongs to its owners."""
    group = None
    if concerned is not None and state.get(ORGANISATION, concerned) is not None:
        group = get_group(state, concerned)
    names = [name for role in GOVERNING_ROLES for name in get_roster(state, role)]
    return tuple(name for name in names if get_group(state, name) != group)


# --- voting ---


def apply_proposal_vote(state: Overlay, context: Context, call: ProposalVote) -> tuple[int, ...]:
    """Cast a vote, once; the one that decides accepts or rejects the proposal.

    Refused: wrong_role, proposal_unknown, proposal_state (it is decided), no_vote (not a voter of this proposal),
    already or conflict (it has voted).
    """
    signer = _require_signer(state, context)
    record = state.get(PROPOSAL, call.proposal)
    if record is None:
        raise Refusal("proposal_unknown", proposal=call.proposal.hex())
    if signer.organisation not in record.voters:
        raise Refusal("no_vote", organisation=signer.organisation)
    for vote in record.votes:
        if vote.organisation == signer.organisation:
            raise Refusal("already" if vote.is_yes == call.is_yes else "conflict", organisation=vote.organisation)
    if record.status != PROPOSAL_OPEN:
        raise Refusal("proposal_state", status=PROPOSAL_STATUS_NAMES[record.status])
    today = compute_day(context.timestamp_ms, state.require(CONSORTIUM).utc_offset_minutes)
    record = _cast(context, call.proposal, record, signer.organisation, is_yes=call.is_yes, today=today)
    state.put(PROPOSAL, record, call.proposal)
    decide(state, context, call.proposal, today=today)
    return ()


def _cast(
    context: Context, proposal: bytes, record: ProposalRecord, organisation: str, *, is_yes: bool, today: int
) -> ProposalRecord:
    vote = VoteRecord(organisation=organisation, is_yes=is_yes, day=today, key=context.signer)
    context.emit(ProposalVoted(proposal=proposal, organisation=organisation, is_yes=is_yes))
    return replace(record, votes=(*record.votes, vote))


def find_policy(state: Overlay, record: ProposalRecord, *, height: int) -> Policy:
    """Return how a proposal is decided in a block of this height."""
    payload: Payload = record.payload
    role = None
    if record.concerned is not None:
        concerned = state.get(ORGANISATION, record.concerned)
        role = None if concerned is None else concerned.role
    return get_policy(
        payload,
        concerned_role=role,
        is_own=record.proposer == record.concerned,
        is_relief=isinstance(payload, UpgradeProtocol) and is_postponement(state, payload, height=height),
    )


def count_votes(state: Overlay, record: ProposalRecord, policy: Policy) -> tuple[int, int, int]:
    """Return (yes, not yet voted, needed) of those who count: of the rule's roles and still in office."""
    cast = {vote.organisation: vote.is_yes for vote in record.votes}
    counted = list_counted(state, record, policy)
    yes = sum(cast.get(name, False) for name in counted)
    pending = sum(name not in cast for name in counted)
    return yes, pending, policy.rule.compute_needed(len(counted))


def list_counted(state: Overlay, record: ProposalRecord, policy: Policy) -> list[str]:
    """Return the voters who count: of the rule's roles and still in office."""
    found = []
    for name in record.voters:
        organisation = state.require(ORGANISATION, name)
        if not organisation.left_day and organisation.role in policy.rule.roles:
            found.append(name)
    return found


def decide(state: Overlay, context: Context, proposal: bytes, *, today: int) -> None:
    """Accept or reject an open proposal where its votes suffice for either."""
    record = state.require(PROPOSAL, proposal)
    policy = find_policy(state, record, height=context.height)
    yes, pending, needed = count_votes(state, record, policy)
    if yes >= needed:
        effect_day = today + policy.delay_days
        state.put(PROPOSAL, replace(record, status=PROPOSAL_ACCEPTED, effect_day=effect_day), proposal)
        _move(state, proposal, due_day=effect_day)
        emit_status(context, proposal, PROPOSAL_ACCEPTED, effect_day=effect_day)
    elif yes + pending < needed:
        close(state, context, proposal, PROPOSAL_REJECTED, today=today)


def _move(state: Overlay, proposal: bytes, *, due_day: int) -> None:
    consortium = state.require(CONSORTIUM)
    live = tuple(replace(entry, due_day=due_day) if entry.proposal == proposal else entry for entry in consortium.live)
    state.put(CONSORTIUM, replace(consortium, live=live))


def close(state: Overlay, context: Context, proposal: bytes, status: int, *, today: int, code: int = 0) -> None:
    """End a proposal; it leaves the index, its record stays."""
    record = state.require(PROPOSAL, proposal)
    state.put(PROPOSAL, replace(record, status=status, closed_day=today, code=code), proposal)
    consortium = state.require(CONSORTIUM)
    live = tuple(entry for entry in consortium.live if entry.proposal != proposal)
    state.put(CONSORTIUM, replace(consortium, live=live))
    emit_status(context, proposal, status, code=code)


def emit_status(context: Context, proposal: bytes, status: int, *, effect_day: int = 0, code: int = 0) -> None:
    """Tell what became of a proposal."""
    context.emit(ProposalStatusChanged(proposal=proposal, status=status, effect_day=effect_day, code=code))


# --- what changes under a vote ---


def decide_all(state: Overlay, context: Context, *, today: int) -> None:
    """Decide again whatever is open, because an organisation left whose vote was needed or counted."""
    for live in state.require(CONSORTIUM).live:
        if state.require(PROPOSAL, live.proposal).status == PROPOSAL_OPEN:
            decide(state, context, live.proposal, today=today)


def strike_votes(state: Overlay, context: Context, organisation: str, key: bytes, *, today: int) -> None:
    """Take back what a revoked key voted for and asked for, as far as it has not taken effect."""
    for live in state.require(CONSORTIUM).live:
        record = state.require(PROPOSAL, live.proposal)
        if _is_void(record, organisation):
            close(state, context, live.proposal, PROPOSAL_REJECTED, today=today)
            continue
        left = tuple(vote for vote in record.votes if vote.key != key)
        if len(left) == len(record.votes):
            continue
        state.put(PROPOSAL, replace(record, votes=left), live.proposal)
        context.emit(ProposalVoteStruck(proposal=live.proposal, organisation=organisation))
        if record.status == PROPOSAL_ACCEPTED:
            _reopen(state, context, live.proposal)


def _is_void(record: ProposalRecord, organisation: str) -> bool:
    """Tell whether an organisation that has just shown that it acts for itself ends this proposal.

    What was asked in its own name may have been the thief's; a key that others would give it is not needed now.
    """
    return record.concerned == organisation and (
        record.proposer == organisation or isinstance(record.payload, ChangeKey)
    )


def _reopen(state: Overlay, context: Context, proposal: bytes) -> None:
    record = state.require(PROPOSAL, proposal)
    yes, _, needed = count_votes(state, record, find_policy(state, record, height=context.height))
    if yes >= needed:
        return
    state.put(PROPOSAL, replace(record, status=PROPOSAL_OPEN, effect_day=0), proposal)
    # Where its days are over, it expires in the next block, unless somebody votes in this one.
    _move(state, proposal, due_day=record.expire_day)
    emit_status(context, proposal, PROPOSAL_OPEN)
