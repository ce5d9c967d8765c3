"""A member's own signature under another version of the rules (contract 3.0, 5 *member_accept_rules*).

In the same pool the version is pinned from tomorrow: a diagnosis of today or before keeps the version that held on its
day, also if the claim is filed later. A version of another pool makes the member change pool (pool_move.py).
"""

from typing import Final

from msgspec.structs import replace

from chain.contract.context import Context
from chain.contract.member_calls import MemberAcceptRules
from chain.contract.membership import require_member
from chain.contract.organisations import get_today, is_winding_down, require_plan
from chain.contract.persons import is_gone
from chain.contract.plan_events import RulesAccepted
from chain.contract.pool_move import ask_move, pin_version
from chain.contract.rules_version import require_version
from chain.contract.shares import open_book
from chain.contract.tables import MEMBER, MEMBER_LEAVING, MEMBER_MOVING, MEMBER_WAITING, VERSION
from chain.contract.version_tables import MOVE, VERSION_ACTIVE, get_pin
from chain.contract.window import set_waiting_end
from chain.errors import Refusal
from chain.state import Overlay

NEXT_DAY: Final = 1


def apply_member_accept_rules(state: Overlay, context: Context, call: MemberAcceptRules) -> tuple[int, ...]:
    """Pin another version from tomorrow, or begin the change to its pool.

    Refused: member_unknown, not_owner; rules_version_unknown; rules_unknown where the hash is another text's;
    plan_not_active in a wind-down; member_state of one who leaves or left; move_under_way; version_state for a version
    that takes nobody; already. For another pool also what pool_move.ask_move refuses.
    """
    member = require_member(state, context, call.member)
    record = require_version(state, member.plan, call.version)
    if state.require(VERSION, member.plan, call.version).terms_hash != call.rules_hash:
        raise Refusal("rules_unknown", rules_hash=call.rules_hash.hex())
    plan = require_plan(state, member.plan)
    if is_winding_down(plan):
        raise Refusal("plan_not_active", plan=member.plan)
    if member.status == MEMBER_MOVING or state.get(MOVE, call.member) is not None:
        raise Refusal("move_under_way", member=call.member.hex())
    if is_gone(member) or member.status == MEMBER_LEAVING:
        raise Refusal("member_state", status=member.status)
    if record.status != VERSION_ACTIVE:
        raise Refusal("version_state", version=call.version)
    day = get_today(context, plan) + NEXT_DAY
    held = get_pin(state, call.member, member, day)
    if (held.version, held.pool) == (call.version, record.pool):
        raise Refusal("already")
    if record.pool != member.pool:
        ask_move(state, context, call.member, member, version=call.version, to_pool=record.pool)
        return ()
    pin_version(state, call.member, member, version=call.version, pool=member.pool, from_day=day)
    after = replace(member, version=call.version)
    state.put(MEMBER, after, call.member)
    if member.status == MEMBER_WAITING:
        # The date that was set is that of the version of before, and nothing else lets him in.
        set_waiting_end(state, open_book(state, context, member.plan, member.pool), call.member, after)
    context.emit(RulesAccepted(member=call.member, version=call.version, day=day))
    return ()
