"""Replacing a member's key: lost, so that others vouch for the new one, or recovered by its owner (contract 5).

    --platform, an auditor and the new key--> PENDING --14 days--> replaced
                                                 +--veto by the old key--> nothing
    --recovery key--> replaced at once, and what was pending is gone

Platform and auditor together cannot take a membership from somebody who reads his messages: he has 14 days in which
his old key stops them. In days in which the plan is stopped the time does not run.

A child's membership is signed for by the guardian's key, whichever that is now, so a guardian's new key carries its
children over without an act of their own. Where a child's own membership gets a key, it stands on its own from then
on: that is the way when a guardian dies or another one is appointed.
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context, compute_day_start_ms
from chain.contract.due import DUE_REKEY, add_due
from chain.contract.failed_payments import has_open_payment
from chain.contract.guardian import end_guardianship
from chain.contract.halves import Party, cosign
from chain.contract.member_calls import MemberRekeyRecover, MemberRekeyRequest, MemberRekeyVeto
from chain.contract.member_events import MemberRekeyed, MemberRekeyRequested, MemberRekeyStopped
from chain.contract.member_key_tables import REKEY, RekeyRecord
from chain.contract.membership import get_signing_keys, require_member
from chain.contract.organisations import get_today, require_plan
from chain.contract.persons import is_gone, require_known_member
from chain.contract.tables import MEMBER, MEMBER_STATUS_NAMES, SIGNER, MemberRecord
from chain.crypto import sha256
from chain.errors import Refusal
from chain.genesis import ROLE_AUDITOR, ROLE_PLATFORM
from chain.state import Overlay

VETO_DAYS: Final = 14


def apply_member_rekey_request(state: Overlay, context: Context, call: MemberRekeyRequest) -> tuple[int, ...]:
    """Ask to replace a key: complete once platform, an auditor and the new key have sent the same call.

    Refused: member_unknown; member_state for an ended membership that nothing is paid to any more; key_in_use where
    an organisation has the new key, or it is the present or the recovery key; already for the request that is pending,
    rekey_pending for another one; wrong_role, already (halves.py).
    """
    member = require_known_member(state, call.member)
    _validate_new_key(state, call.member, member, call.new_key)
    pending = state.get(REKEY, call.member)
    if pending is not None:
        raise Refusal("already" if pending.new_key == call.new_key else "rekey_pending", due_day=pending.due_day)
    parties = (Party(role=ROLE_PLATFORM), Party(role=ROLE_AUDITOR), Party(key=call.new_key))
    if cosign(state, context, plan=member.plan, call=call, parties=parties) is None:
        return ()
    plan = require_plan(state, member.plan)
    due_day = get_today(context, plan) + VETO_DAYS
    due_ms = compute_day_start_ms(due_day, plan.utc_offset_minutes)
    add_due(state, member.plan, due_day, DUE_REKEY, due_ms, call.member)
    state.put(REKEY, RekeyRecord(new_key=call.new_key, due_day=due_day), call.member)
    context.emit(MemberRekeyRequested(member=call.member, new_key=call.new_key, due_day=due_day))
    return ()


def apply_member_rekey_veto(state: Overlay, context: Context, call: MemberRekeyVeto) -> tuple[int, ...]:
    """Stop a pending request; refused: member_unknown, not_owner, rekey_unknown where none is pending."""
    require_member(state, context, call.member)
    if state.get(REKEY, call.member) is None:
        raise Refusal("rekey_unknown", member=call.member.hex())
    _stop(state, context, call.member, is_vetoed=True)
    return ()


def apply_member_rekey_recover(state: Overlay, context: Context, call: MemberRekeyRecover) -> tuple[int, ...]:
    """Replace the key at once, signed by the recovery key whose hash the member left at joining.

    Refused: member_unknown; not_owner for any other key; member_state and key_in_use as for a request.
    """
    member = require_known_member(state, call.member)
    if sha256(context.signer) != member.recovery_hash:
        raise Refusal("not_owner", member=call.member.hex())
    _validate_new_key(state, call.member, member, call.new_key)
    if state.get(REKEY, call.member) is not None:
        state.delete(REKEY, call.member)
    _replace_key(state, context, call.member, call.new_key, is_recovered=True)
    return ()


def on_rekey_due(state: Overlay, context: Context, member_id: bytes, day: int) -> None:
    """Replace the key that nobody defended; `day` is the day that the deadline was set for."""
    pending = state.get(REKEY, member_id)
    if pending is None or pending.due_day != day:
        return
    if state.get(SIGNER, pending.new_key) is not None:
        _stop(state, context, member_id, is_vetoed=False)
        return
    state.delete(REKEY, member_id)
    _replace_key(state, context, member_id, pending.new_key, is_recovered=False)


def _validate_new_key(state: Overlay, member_id: bytes, member: MemberRecord, new_key: bytes) -> None:
    if is_gone(member) and not has_open_payment(state, member_id, member):
        raise Refusal("member_state", status=MEMBER_STATUS_NAMES[member.status])
    is_own = new_key in get_signing_keys(state, member_id, member)
    if is_own or sha256(new_key) == member.recovery_hash or state.get(SIGNER, new_key) is not None:
        raise Refusal("key_in_use", new_key=new_key.hex())


def _stop(state: Overlay, context: Context, member_id: bytes, *, is_vetoed: bool) -> None:
    state.delete(REKEY, member_id)
    context.emit(MemberRekeyStopped(member=member_id, is_vetoed=is_vetoed))


def _replace_key(state: Overlay, context: Context, member_id: bytes, new_key: bytes, *, is_recovered: bool) -> None:
    member = state.require(MEMBER, member_id)
    state.put(MEMBER, replace(member, key=new_key), member_id)
    context.emit(MemberRekeyed(member=member_id, new_key=new_key, is_recovered=is_recovered))
    if member.guardian is not None:
        end_guardianship(state, context, member_id, has_key=True)
