"""Handing a grown child's membership over to the child (contract 5 *guardian_hand_over*).

The chain knows no birthday, but the year: who is verified with a last cover year and an age limit turns 18 in
`last_cover_year - age_limit_years + 19`, and has turned 18 on the 1 January after it.

    guardian signs --that year: guardian and child's key--> both sign --90 days------------> the child signs
                   --1 January after: ASKED, by itself----> guardian signs, 90 days to hand over
                                                            --nothing happens--------------> nobody signs

Then a rekey gives the membership a key (rekey.py); meanwhile cover, deposits and charges go on as ever. So neither a
guardian who keeps a membership nor a silent platform keeps it from its owner (contract 1).
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.calendar import compute_new_year_day, compute_year
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import DUE_HAND_OVER, DUE_MAJORITY, add_due
from chain.contract.halves import Party, cosign
from chain.contract.member_calls import GuardianHandOver
from chain.contract.member_events import GuardianCeased, HandOverAsked, MemberHandedOver
from chain.contract.member_key_tables import HAND_OVER, HandOverRecord
from chain.contract.organisations import get_terms, get_today, require_plan
from chain.contract.persons import is_gone, require_known_member
from chain.contract.tables import MEMBER, MEMBER_STATUS_NAMES, SIGNER, MemberRecord, PlanRecord
from chain.crypto import sha256
from chain.errors import Refusal
from chain.state import Overlay
from chain.types import ZERO_HASH

MAJORITY_YEARS: Final = 18
HAND_OVER_DAYS: Final = 90
"""After so many days the guardian's signatures cease."""
NO_KEY: Final = ZERO_HASH
"""Key of a membership that nobody signs for: no signature verifies under it (a point of small order)."""


def compute_majority_year(*, last_cover_year: int, age_limit_years: int) -> int:
    """Return the year in which a person turns 18, whose last cover year is the last wholly below the age limit."""
    return last_cover_year - age_limit_years + MAJORITY_YEARS + 1


def set_majority(state: Overlay, member_id: bytes, member: MemberRecord, plan: PlanRecord) -> None:
    """Note when a child that is admitted is of age; for anybody else nothing.

    By the age limit that the bank's word rests on: a version that the member pins later may have another.
    """
    if member.guardian is None:
        return
    limit = get_terms(state, member.plan, member.version).pinned.age_limit_years
    year = max(0, compute_majority_year(last_cover_year=member.last_cover_year, age_limit_years=limit))
    state.put(HAND_OVER, HandOverRecord(majority_year=year, due_day=0, has_key=False), member_id)
    day = compute_new_year_day(year + 1)
    add_due(state, member.plan, day, DUE_MAJORITY, compute_day_start_ms(day, plan.utc_offset_minutes), member_id)


def apply_guardian_hand_over(state: Overlay, context: Context, call: GuardianHandOver) -> tuple[int, ...]:
    """Give the membership of a grown child its own key, once the guardian's and the new key have sent the same call.

    Refused: member_unknown; member_state where it has ended; guardian_missing where it is nobody's child; not_verified
    before it was admitted; not_of_age before the year in which it turns 18; already where its own
    key is there; key_in_use where an organisation, the guardian or the child's recovery has the new key; wrong_role,
    already (halves.py).
    """
    member = require_known_member(state, call.member)
    if member.guardian is None:
        raise Refusal("guardian_missing", member=call.member.hex())
    if is_gone(member):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    record = state.get(HAND_OVER, call.member)
    if record is None:
        raise Refusal("not_verified", member=call.member.hex())
    if record.has_key:
        raise Refusal("already")
    plan = require_plan(state, member.plan)
    if compute_year(get_today(context, plan)) < record.majority_year:
        raise Refusal("not_of_age", year=record.majority_year)
    guardian_key = state.require(MEMBER, member.guardian).key
    is_used = call.new_key == guardian_key or sha256(call.new_key) == member.recovery_hash
    if is_used or state.get(SIGNER, call.new_key) is not None:
        raise Refusal("key_in_use", new_key=call.new_key.hex())
    parties = (Party(key=guardian_key), Party(key=call.new_key))
    if cosign(state, context, plan=member.plan, call=call, parties=parties) is None:
        return ()
    state.put(MEMBER, replace(member, key=call.new_key), call.member)
    if record.due_day == 0:
        record = _start(state, context, call.member, plan, member.plan, record)
    state.put(HAND_OVER, replace(record, has_key=True), call.member)
    context.emit(MemberHandedOver(member=call.member, new_key=call.new_key, due_day=record.due_day))
    return ()


def on_majority_due(state: Overlay, context: Context, member_id: bytes) -> None:
    """Ask for the hand-over: the child has turned 18, and the guardian's days begin to run."""
    record = state.get(HAND_OVER, member_id)
    if record is None or record.due_day:
        return
    member = state.require(MEMBER, member_id)
    if is_gone(member):
        state.delete(HAND_OVER, member_id)
        return
    record = _start(state, context, member_id, require_plan(state, member.plan), member.plan, record)
    context.emit(HandOverAsked(member=member_id, due_day=record.due_day))


def on_hand_over_due(state: Overlay, context: Context, member_id: bytes, day: int) -> None:
    """Let the guardian's signatures cease; `day` is the day that the deadline was set for."""
    record = state.get(HAND_OVER, member_id)
    if record is None or record.due_day != day:
        return
    if not record.has_key:
        member = state.require(MEMBER, member_id)
        state.put(MEMBER, replace(member, key=NO_KEY), member_id)
    end_guardianship(state, context, member_id, has_key=record.has_key)


def end_guardianship(state: Overlay, context: Context, member_id: bytes, *, has_key: bool) -> None:
    """Let a membership stand on its own: its own key alone signs, and its guardian may leave without it."""
    member = state.require(MEMBER, member_id)
    if state.get(HAND_OVER, member_id) is not None:
        state.delete(HAND_OVER, member_id)
    if member.guardian is None:
        return
    if not is_gone(member):
        guardian = state.require(MEMBER, member.guardian)
        state.put(MEMBER, replace(guardian, children=guardian.children - 1), member.guardian)
    state.put(MEMBER, replace(member, guardian=None), member_id)
    context.emit(GuardianCeased(member=member_id, has_key=has_key))


def _start(
    state: Overlay, context: Context, member_id: bytes, plan: PlanRecord, name: str, record: HandOverRecord
) -> HandOverRecord:
    """Let the guardian's days begin; `plan` is the record of the plan `name`."""
    due_day = get_today(context, plan) + HAND_OVER_DAYS
    due_ms = compute_day_start_ms(due_day, plan.utc_offset_minutes)
    add_due(state, name, due_day, DUE_HAND_OVER, due_ms, member_id)
    record = replace(record, due_day=due_day)
    state.put(HAND_OVER, record, member_id)
    return record
