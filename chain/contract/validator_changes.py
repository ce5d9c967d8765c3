"""Changes of the set of validators: one addition or one removal in a block (consensus 8; pitfalls P11).

    accepted proposal -> candidate --validator_ready--> ready --its block, one change a block--> votes from the next on
                              +--30 days-------------------------> dropped
    accepted proposal ----------------------------------removed, one change a block--> does not vote from the next on

All changes are made by automatic events, before the block's transactions. The block's header announces the new set,
which votes on the next height. Whoever is added comes last, so that no index moves; where one is removed, what the
state keeps by index (links and heights of the beacon) moves with the others, and its skip is forgotten.

A set never becomes smaller than `VALIDATORS_MIN` (or than genesis, where that had fewer), and no ownership group ever
gets the 2Q - n votes with which it alone could sign two histories.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.claim_tables import BEACON, BeaconRecord
from chain.contract.context import Context, compute_day
from chain.contract.governance_calls import (
    AddValidator,
    Rejoin,
    RemoveValidator,
    RenewReveals,
    ValidatorReady,
)
from chain.contract.governance_events import (
    RevealsRenewed,
    ValidatorAccepted,
    ValidatorAdded,
    ValidatorDropped,
    ValidatorRejoined,
    ValidatorRemoved,
    ValidatorWasReady,
)
from chain.contract.governance_tables import (
    CANDIDATE,
    CANDIDATES_MAX,
    CONSORTIUM,
    KEY_CHECKPOINT,
    KEY_VALIDATOR,
    RECENT_BLOCKS,
    RECENT_BLOCKS_MAX,
    REJOIN,
    VALIDATOR_SET,
    CandidateRecord,
    RecentBlocksRecord,
    RejoinRecord,
    ValidatorSetRecord,
)
from chain.contract.org_keys import end_key, require_organisation, take_key, validate_keys_free
from chain.contract.proposal_policy import GOVERNING_ROLES
from chain.contract.rosters import get_group
from chain.errors import Refusal
from chain.genesis import ROLE_NAMES
from chain.round_record import ROUND, VALIDATORS, ValidatorsRecord
from chain.state import Overlay
from chain.types import ZERO_HASH
from chain.validators import (
    VALIDATORS_MAX,
    SkipTable,
    Validator,
    ValidatorSet,
    compute_quorum,
    find_index,
    hash_validators,
)

CANDIDATE_DAYS: Final = 30
"""A candidate that has not shown its readiness by then is dropped, and its keys are dead."""


# --- what is asked for ---


def validate_add_validator(state: Overlay, call: AddValidator) -> None:
    """Raise `Refusal` where a validator cannot become a candidate.

    organisation_unknown, wrong_role (it does not govern), key_in_use, value_out_of_range, validator_exists (TLS pin
    or address), validators_full, validators_concentrated.
    """
    organisation = require_organisation(state, call.organisation)
    if organisation.role not in GOVERNING_ROLES:
        raise Refusal("wrong_role", role=ROLE_NAMES[organisation.role])
    validate_keys_free(state, call.key, call.checkpoint_key)
    if ZERO_HASH in (call.tls_pin, call.reveal_anchor):
        raise Refusal("value_out_of_range", field="tls_pin or reveal_anchor")
    validator = _build_validator(call)
    candidates = [candidate.validator for _, candidate in list_candidates(state)]
    if len(candidates) >= CANDIDATES_MAX:
        raise Refusal("validators_full", candidates=len(candidates))
    validators = state.require(VALIDATORS).next_set
    for other in (*validators, *candidates):
        if other.tls_pin == validator.tls_pin or other.address == validator.address:
            raise Refusal("validator_exists", address=validator.address)
    _validate_addition(state, validators, validator)


def _build_validator(call: AddValidator) -> Validator:
    return Validator(
        organisation=call.organisation,
        key=call.key,
        checkpoint_key=call.checkpoint_key,
        tls_pin=call.tls_pin,
        # Peers are known by the pin alone; the certificate that genesis shows beside it is for people.
        tls_certificate=b"",
        address=f"{call.host}:{call.port}",
        reveal_anchor=call.reveal_anchor,
    )


def validate_remove_validator(state: Overlay, call: RemoveValidator) -> None:
    """Raise `Refusal` where a validator cannot go: validator_unknown, validators_minimum, validators_concentrated."""
    validators = state.require(VALIDATORS).next_set
    if state.get(CANDIDATE, call.key) is not None:
        return
    find_validator(validators, call.key)
    left = tuple(validator for validator in validators if validator.key != call.key)
    if len(left) < state.require(CONSORTIUM).validators_min:
        raise Refusal("validators_minimum", left=len(left))
    _validate_concentration(state, validators, left)


def find_validator(validators: ValidatorSet, key: bytes) -> int:
    """Return the index of a validator; raise `validator_unknown`."""
    index = find_index(validators, key)
    if index is None:
        raise Refusal("validator_unknown", key=key.hex())
    return index


def find_operator(state: Overlay, key: bytes) -> str:
    """Return the organisation that runs a validator or candidate; raise `validator_unknown`."""
    candidate = state.get(CANDIDATE, key)
    if candidate is not None:
        return candidate.validator.organisation
    validators = state.require(VALIDATORS).next_set
    return validators[find_validator(validators, key)].organisation


def list_candidates(state: Overlay) -> list[tuple[bytes, CandidateRecord]]:
    """Return the candidates in the order of their acceptance."""
    return [(key, state.require(CANDIDATE, key)) for key in state.require(CONSORTIUM).candidates]


def _validate_addition(state: Overlay, validators: ValidatorSet, validator: Validator) -> None:
    if len(validators) >= VALIDATORS_MAX:
        raise Refusal("validators_full", validators=len(validators))
    _validate_concentration(state, validators, (*validators, validator))


def _validate_concentration(state: Overlay, before: ValidatorSet, after: ValidatorSet) -> None:
    """Refuse a set in which one ownership group alone could sign two histories, unless it was so before."""
    group = _find_master(state, after)
    if group is not None and _find_master(state, before) is None:
        raise Refusal("validators_concentrated", group=group, validators=len(after))


def _find_master(state: Overlay, validators: ValidatorSet) -> str | None:
    n = len(validators)
    votes: dict[str, int] = {}
    for validator in validators:
        group = get_group(state, validator.organisation)
        votes[group] = votes.get(group, 0) + 1
    # Sets of one or three have no votes to spare; there, one validator for each group is as good as it gets.
    enough = max(2, 2 * compute_quorum(n) - n)
    return next((group for group, count in votes.items() if count >= enough), None)


# --- candidates ---


def accept_candidate(state: Overlay, context: Context, call: AddValidator) -> None:
    """Let a validator wait for its readiness, checked again on the day of the effect."""
    validate_add_validator(state, call)
    consortium = state.require(CONSORTIUM)
    today = compute_day(context.timestamp_ms, consortium.utc_offset_minutes)
    take_key(state, call.key, use=KEY_VALIDATOR, owner=call.organisation)
    take_key(state, call.checkpoint_key, use=KEY_CHECKPOINT, owner=call.organisation)
    record = CandidateRecord(
        validator=_build_validator(call), since_day=today, expire_day=today + CANDIDATE_DAYS, is_ready=False
    )
    state.put(CANDIDATE, record, call.key)
    state.put(CONSORTIUM, replace(consortium, candidates=(*consortium.candidates, call.key)))
    event = ValidatorAccepted(key=call.key, organisation=call.organisation, expire_day=record.expire_day)
    context.emit(event)


def apply_validator_ready(state: Overlay, context: Context, call: ValidatorReady) -> tuple[int, ...]:
    """Note that a candidate follows the chain; raise candidate_unknown, already, block_not_recent."""
    candidate = state.get(CANDIDATE, context.signer)
    if candidate is None:
        raise Refusal("candidate_unknown", key=context.signer.hex())
    if candidate.is_ready:
        raise Refusal("already")
    recent = state.get(RECENT_BLOCKS)
    first = 0 if recent is None else recent.last_height + 1 - len(recent.hashes)
    if recent is None or not first <= call.height <= recent.last_height:
        raise Refusal("block_not_recent", height=call.height)
    if recent.hashes[call.height - first] != call.block_hash:
        raise Refusal("block_not_recent", height=call.height, hash=call.block_hash.hex())
    state.put(CANDIDATE, replace(candidate, is_ready=True), context.signer)
    context.emit(ValidatorWasReady(key=context.signer))
    return ()


def apply_rejoin(state: Overlay, context: Context, call: Rejoin) -> tuple[int, ...]:
    """Record that an operator ended its validator's quarantine: on chain, for everybody to see (consensus 7).

    Raises validator_unknown, value_out_of_range (a height that is not there yet), already, conflict (an older one).
    """
    validators = state.require(VALIDATORS).next_set
    validator = validators[find_validator(validators, context.signer)]
    if call.height >= context.height:
        raise Refusal("value_out_of_range", height=call.height)
    before = state.get(REJOIN, context.signer)
    if before is not None and call.height <= before.height:
        raise Refusal("already" if call.height == before.height else "conflict", height=call.height)
    times = 1 if before is None else before.times + 1
    record = RejoinRecord(height=call.height, recorded_height=context.height, times=times)
    state.put(REJOIN, record, context.signer)
    context.emit(ValidatorRejoined(key=context.signer, organisation=validator.organisation, height=call.height))
    return ()


def note_parent_block(state: Overlay, context: Context) -> None:
    """Keep the hash of the parent while a candidate waits for its readiness, and none while nobody does."""
    is_waited_for = any(not candidate.is_ready for _, candidate in list_candidates(state))
    recent = state.get(RECENT_BLOCKS)
    if not is_waited_for:
        if recent is not None:
            state.delete(RECENT_BLOCKS)
        return
    hashes = () if recent is None else recent.hashes[1 - RECENT_BLOCKS_MAX :]
    record = RecentBlocksRecord(last_height=context.height - 1, hashes=(*hashes, context.parent_hash))
    state.put(RECENT_BLOCKS, record)


def drop_expired_candidates(state: Overlay, context: Context, *, day: int) -> None:
    """Drop the candidates that were not ready in time."""
    for key, candidate in list_candidates(state):
        if day >= candidate.expire_day and not candidate.is_ready:
            _drop_candidate(state, context, key, candidate, "deadline_passed")


def _drop_candidate(state: Overlay, context: Context, key: bytes, candidate: CandidateRecord, code: str) -> None:
    _forget_candidate(state, key)
    end_key(state, key)
    end_key(state, candidate.validator.checkpoint_key)
    context.emit(ValidatorDropped(key=key, code=get_entry(code).number))


def _forget_candidate(state: Overlay, key: bytes) -> None:
    consortium = state.require(CONSORTIUM)
    left = tuple(other for other in consortium.candidates if other != key)
    state.put(CONSORTIUM, replace(consortium, candidates=left))
    state.delete(CANDIDATE, key)


# --- the set ---


def may_change_set(state: Overlay, context: Context) -> bool:
    """Tell whether this block has not changed the set yet."""
    return state.require(CONSORTIUM).set_height != context.height


def add_ready_candidate(state: Overlay, context: Context) -> None:
    """Add the candidate that has been ready for longest, if this block may still change the set.

    One that the rules no longer allow (another change came between) is dropped.
    """
    for key, candidate in list_candidates(state):
        if not candidate.is_ready or not may_change_set(state, context):
            continue
        validators = state.require(VALIDATORS).next_set
        try:
            _validate_addition(state, validators, candidate.validator)
        except Refusal as refusal:
            _drop_candidate(state, context, key, candidate, refusal.code)
            continue
        _forget_candidate(state, key)
        after = (*validators, candidate.validator)
        _put_set(state, context, after)
        _remap_beacon(state, validators, after)
        context.emit(
            ValidatorAdded(
                key=key,
                organisation=candidate.validator.organisation,
                index=len(validators),
                set_size=len(after),
            )
        )


def remove_validator(state: Overlay, context: Context, call: RemoveValidator) -> None:
    """Remove a validator, or drop a candidate, checked again; `may_change_set` is the caller's to ask."""
    validate_remove_validator(state, call)
    candidate = state.get(CANDIDATE, call.key)
    if candidate is not None:
        _drop_candidate(state, context, call.key, candidate, "success")
        return
    validators = state.require(VALIDATORS).next_set
    gone = validators[find_validator(validators, call.key)]
    after = tuple(validator for validator in validators if validator.key != call.key)
    _put_set(state, context, after)
    _remap_beacon(state, validators, after)
    end_key(state, gone.key)
    end_key(state, gone.checkpoint_key)
    round_record = state.require(ROUND)
    state.put(ROUND, replace(round_record, skips=_forget_skip(round_record.skips, call.key)))
    context.emit(ValidatorRemoved(key=gone.key, organisation=gone.organisation, set_size=len(after)))


def _forget_skip(skips: SkipTable, key: bytes) -> SkipTable:
    """Return the table without a validator that can never sign again, and so would hold a place in it for ever."""
    return tuple(skip for skip in skips if skip.key != key)


def _put_set(state: Overlay, context: Context, after: ValidatorSet) -> None:
    sets = state.require(VALIDATORS)
    state.put(VALIDATORS, ValidatorsRecord(next_set=after, this_set=sets.this_set))
    state.put(CONSORTIUM, replace(state.require(CONSORTIUM), set_height=context.height))
    archived = ValidatorSetRecord(from_height=context.height + 1, validators=after)
    state.put(VALIDATOR_SET, archived, hash_validators(after))


def _remap_beacon(state: Overlay, before: ValidatorSet, after: ValidatorSet) -> None:
    """Order what the beacon keeps by index as the new set is ordered."""
    record = state.require(BEACON)
    places = {validator.key: index for index, validator in enumerate(before)}
    old = [places.get(validator.key) for validator in after]
    links = tuple(
        validator.reveal_anchor if place is None else record.links[place]
        for place, validator in zip(old, after, strict=True)
    )
    heights = tuple(0 if place is None else record.reveal_heights[place] for place in old)
    turn = len(after)
    if record.turn_validator in old:
        turn = old.index(record.turn_validator)
    state.put(BEACON, replace(record, links=links, reveal_heights=heights, turn_validator=turn))


# --- reveals ---


def validate_renew_reveals(state: Overlay, call: RenewReveals) -> None:
    """Raise `Refusal` where a validator's hash chain cannot be renewed: validator_unknown, value_out_of_range."""
    validators = state.require(VALIDATORS).next_set
    find_validator(validators, call.key)
    if call.reveal_anchor == ZERO_HASH:
        raise Refusal("value_out_of_range", field="reveal_anchor")


def apply_renew_reveals(state: Overlay, context: Context, call: RenewReveals) -> None:
    """Let a validator reveal from a new chain, whose anchor was public for all the days of the delay.

    So nobody can choose an anchor for a draw: the beacon moved on for days after it was fixed.
    """
    validate_renew_reveals(state, call)
    index = find_validator(state.require(VALIDATORS).next_set, call.key)
    record: BeaconRecord = state.require(BEACON)
    links = (*record.links[:index], call.reveal_anchor, *record.links[index + 1 :])
    state.put(BEACON, replace(record, links=links))
    context.emit(RevealsRenewed(key=call.key, reveal_anchor=call.reveal_anchor))
