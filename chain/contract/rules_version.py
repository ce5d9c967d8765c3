"""Versions of the rules: published, disclosed, active (contract 2 *Rules*, 3.0).

    (P + A sign; for a new pool B too) --> DISCLOSED --30 days, and it still fits--> ACTIVE --newer one--> CLOSED
                                              |  ^  +--it no longer fits its pool--> STOPPED
                                         vote v  | vote: its days begin anew
                                             STOPPED

A version enters an existing pool only where `fits_pool` holds, or opens the next pool with a custody account of its own
that the bank names by its signature (ADR 0015). At its activation the newest version of a pool takes the new members,
its pool terms hold for the pool (they are never worse for a payer), and whoever pinned a version that it is at least
as good as, clause by clause, has it from that day on: no record of a member is touched.
"""

from typing import Final

from msgspec.structs import replace

from chain.catalogue import SUCCESS, get_entry
from chain.contract.calendar import compute_year
from chain.contract.context import Context, compute_day_start_ms
from chain.contract.custody_tables import ACCOUNT, AccountRecord
from chain.contract.due import DUE_VERSION, add_due
from chain.contract.halves import Party, cosign
from chain.contract.organisations import get_terms, get_today, is_winding_down, require_plan
from chain.contract.plan_calls import RulesPublish
from chain.contract.plan_events import (
    PoolOpened,
    RulesActivated,
    RulesDisclosed,
    RulesStopped,
    RulesSuperseded,
)
from chain.contract.rules_compare import Misfit, find_misfit, is_at_least_as_good
from chain.contract.settlement import build_period
from chain.contract.settlement_tables import PERIOD
from chain.contract.tables import PLAN, POOL, ROSTER, SIGNER, VERSION, PlanRecord, PoolRecord, VersionRecord
from chain.contract.terms import PlanTerms, hash_terms, validate_terms
from chain.contract.version_tables import (
    VERSION_ACTIVE,
    VERSION_CLOSED,
    VERSION_DISCLOSED,
    VERSION_STATE,
    VERSION_STOPPED,
    VERSIONS_MAX,
    VersionStateRecord,
)
from chain.errors import ConfigError, Refusal
from chain.genesis import ASSESSORS_MIN, ROLE_ASSESSOR, ROLE_AUDITOR, ROLE_CUSTODIAN, ROLE_PLATFORM
from chain.state import Overlay

DISCLOSURE_DAYS: Final = 30
POOLS_MAX: Final = 64
"""Pools of one plan: each is looked at on every day."""


# --- publishing ---


def apply_rules_publish(state: Overlay, context: Context, call: RulesPublish) -> tuple[int, ...]:
    """Disclose a version once platform and auditor have signed it, for a new pool the bank too.

    Refused: wrong_role; plan_unknown; plan_not_active in a wind-down; version_number; rules_invalid; pool_unknown;
    pool_account where the account does not go with the pool; account_in_use; pool_pending while another version that
    opens a pool is disclosed; assessors_too_few; limit_reached; a rules_unfit code that names the field.
    """
    signer = state.get(SIGNER, context.signer)
    if signer is None or signer.role not in (ROLE_PLATFORM, ROLE_AUDITOR, ROLE_CUSTODIAN):
        raise Refusal("wrong_role")
    plan = require_plan(state, call.plan)
    if is_winding_down(plan):
        raise Refusal("plan_not_active", plan=call.plan)
    if call.version != plan.versions:
        raise Refusal("version_number", version=call.version, expected=plan.versions)
    if call.version >= VERSIONS_MAX or call.pool >= POOLS_MAX:
        raise Refusal("limit_reached", versions_max=VERSIONS_MAX, pools_max=POOLS_MAX)
    _validate_rules(call.rules)
    _validate_firms(state)
    is_new_pool = call.pool == plan.pools
    if is_new_pool:
        _validate_new_pool(state, call, plan)
    else:
        _validate_entry(state, call)
    parties = [Party(role=ROLE_PLATFORM), Party(role=ROLE_AUDITOR)]
    if is_new_pool:
        parties.append(Party(role=ROLE_CUSTODIAN))
    signed_by = cosign(state, context, plan=call.plan, call=call, parties=parties)
    if signed_by is not None:
        _disclose(state, context, call, signed_by, is_new_pool=is_new_pool)
    return ()


def _validate_rules(rules: PlanTerms) -> None:
    try:
        validate_terms(rules)
    except ConfigError as error:
        raise Refusal("rules_invalid", **error.values) from error


def _validate_firms(state: Overlay) -> None:
    """Raise `assessors_too_few`: two firms must be left to draw, and two in reserve, for every claim."""
    firms = len(state.require(ROSTER, ROLE_ASSESSOR).names)
    if firms < ASSESSORS_MIN:
        raise Refusal("assessors_too_few", firms=firms, needed=ASSESSORS_MIN)


def _validate_entry(state: Overlay, call: RulesPublish) -> None:
    """Check a version that enters a pool against the newest that is there or is disclosed for it."""
    pool = state.get(POOL, call.plan, call.pool)
    if pool is None:
        raise Refusal("pool_unknown", plan=call.plan, pool=call.pool)
    if call.account is not None:
        raise Refusal("pool_account", pool=call.pool)
    first = state.require(VERSION_STATE, call.plan, pool.version).first
    newest = pool.version
    for number in range(call.version - 1, pool.version, -1):
        record = state.require(VERSION_STATE, call.plan, number)
        if record.pool == call.pool and record.status == VERSION_DISCLOSED:
            newest = number
            break
    misfit = find_misfit(call.rules, pool=get_terms(state, call.plan, newest), first=get_terms(state, call.plan, first))
    if misfit is not None:
        raise Refusal(misfit.code, field=misfit.field)


def _validate_new_pool(state: Overlay, call: RulesPublish, plan: PlanRecord) -> None:
    if call.account is None:
        raise Refusal("pool_account", pool=call.pool)
    if call.rules.pool.utc_offset_minutes != plan.utc_offset_minutes:
        raise Refusal("rules_unfit_calendar", field="utc_offset_minutes")
    if call.rules.currency != get_terms(state, call.plan, 0).currency:
        raise Refusal("rules_unfit_terms", field="currency")
    for number in range(plan.versions):
        record = state.require(VERSION_STATE, call.plan, number)
        if record.pool == call.pool and record.status == VERSION_DISCLOSED:
            raise Refusal("pool_pending", version=number)
    if state.get(ACCOUNT, call.account) is not None:
        raise Refusal("account_in_use", account=call.account)


def _disclose(
    state: Overlay, context: Context, call: RulesPublish, signed_by: tuple[str, ...], *, is_new_pool: bool
) -> None:
    plan = require_plan(state, call.plan)
    today = get_today(context, plan)
    rules_hash = hash_terms(call.rules)
    state.put(PLAN, replace(plan, versions=call.version + 1), call.plan)
    version = VersionRecord(terms=call.rules, terms_hash=rules_hash, active_day=0)
    state.put(VERSION, version, call.plan, call.version)
    first = call.version
    if not is_new_pool:
        first = state.require(VERSION_STATE, call.plan, state.require(POOL, call.plan, call.pool).version).first
    record = VersionStateRecord(
        pool=call.pool,
        status=VERSION_DISCLOSED,
        first=first,
        account=call.account,
        disclosed_day=today,
        text_hash=call.text_hash,
        published_by=signed_by,
        reason=SUCCESS,
        superseded_by=None,
        superseded_day=0,
    )
    state.put(VERSION_STATE, record, call.plan, call.version)
    _start_disclosure(state, call.plan, call.version, plan=plan, today=today)
    context.emit(
        RulesDisclosed(
            plan=call.plan,
            version=call.version,
            pool=call.pool,
            rules_hash=rules_hash,
            text_hash=call.text_hash,
            due_day=today + DISCLOSURE_DAYS,
        )
    )


def _start_disclosure(state: Overlay, plan_name: str, number: int, *, plan: PlanRecord, today: int) -> None:
    due_day = today + DISCLOSURE_DAYS
    due_ms = compute_day_start_ms(due_day, plan.utc_offset_minutes)
    add_due(state, plan_name, due_day, DUE_VERSION, due_ms, number.to_bytes(8, "big"))


# --- by vote ---


def require_version(state: Overlay, plan: str, number: int) -> VersionStateRecord:
    """Return what became of a version; raise `rules_version_unknown`."""
    record = state.get(VERSION_STATE, plan, number)
    if record is None:
        raise Refusal("rules_version_unknown", plan=plan, version=number)
    return record


def stop_version(state: Overlay, context: Context, plan: str, number: int) -> None:
    """Stop a disclosed version by vote; raise `rules_version_unknown`, or `version_state` where it is not disclosed."""
    record = require_version(state, plan, number)
    if record.status != VERSION_DISCLOSED:
        raise Refusal("version_state", version=number)
    _stop(state, context, plan, number, record, reason=None)


def resume_version(state: Overlay, context: Context, plan: str, number: int) -> None:
    """Disclose a stopped version anew by vote: its days begin again, and then it must still fit.

    Raises rules_version_unknown; version_state for one that is not stopped; plan_not_active in a wind-down.
    """
    record = require_version(state, plan, number)
    plan_record = require_plan(state, plan)
    if record.status != VERSION_STOPPED:
        raise Refusal("version_state", version=number)
    if is_winding_down(plan_record):
        raise Refusal("plan_not_active", plan=plan)
    today = get_today(context, plan_record)
    state.put(
        VERSION_STATE, replace(record, status=VERSION_DISCLOSED, disclosed_day=today, reason=SUCCESS), plan, number
    )
    _start_disclosure(state, plan, number, plan=plan_record, today=today)
    version = state.require(VERSION, plan, number)
    context.emit(
        RulesDisclosed(
            plan=plan,
            version=number,
            pool=record.pool,
            rules_hash=version.terms_hash,
            text_hash=record.text_hash or version.terms_hash,
            due_day=today + DISCLOSURE_DAYS,
        )
    )


def _stop(
    state: Overlay, context: Context, plan: str, number: int, record: VersionStateRecord, *, reason: int | None
) -> None:
    state.put(VERSION_STATE, replace(record, status=VERSION_STOPPED, reason=reason or SUCCESS), plan, number)
    context.emit(RulesStopped(plan=plan, version=number, code=reason))


# --- activation ---


def on_version_due(state: Overlay, context: Context, plan: str, due_id: bytes, set_for: int) -> None:
    """Make a disclosed version active, or stop one that no longer fits; with too few assessor firms it waits a day."""
    number = int.from_bytes(due_id, "big")
    record = state.require(VERSION_STATE, plan, number)
    if record.status != VERSION_DISCLOSED or set_for < record.disclosed_day + DISCLOSURE_DAYS:
        return
    plan_record = require_plan(state, plan)
    if is_winding_down(plan_record):
        _stop(state, context, plan, number, record, reason=get_entry("plan_not_active").number)
        return
    today = get_today(context, plan_record)
    if len(state.require(ROSTER, ROLE_ASSESSOR).names) < ASSESSORS_MIN:
        due_ms = compute_day_start_ms(today + 1, plan_record.utc_offset_minutes)
        add_due(state, plan, today + 1, DUE_VERSION, due_ms, due_id)
        return
    version = state.require(VERSION, plan, number)
    reason = _find_bar(state, plan, plan_record, record, version.terms)
    if reason is not None:
        _stop(state, context, plan, number, record, reason=get_entry(reason).number)
        return
    state.put(VERSION, replace(version, active_day=today), plan, number)
    state.put(VERSION_STATE, replace(record, status=VERSION_ACTIVE), plan, number)
    context.emit(RulesActivated(plan=plan, version=number, pool=record.pool, day=today))
    if record.account is not None:
        _open_pool(state, context, plan, number, record.account, version.terms, today=today)
    else:
        _renew_pool(state, context, plan, record.pool, number, version.terms, today=today)


def _find_bar(
    state: Overlay, plan: str, plan_record: PlanRecord, record: VersionStateRecord, terms: PlanTerms
) -> str | None:
    """Return the code of what has come between a version and its pool during the disclosure, or None."""
    if record.account is not None:
        if record.pool != plan_record.pools:
            return "pool_pending"
        return None if state.get(ACCOUNT, record.account) is None else "account_in_use"
    pool = state.require(POOL, plan, record.pool)
    misfit: Misfit | None = find_misfit(
        terms, pool=get_terms(state, plan, pool.version), first=get_terms(state, plan, record.first)
    )
    return None if misfit is None else misfit.code


def _renew_pool(
    state: Overlay, context: Context, plan: str, pool_number: int, number: int, terms: PlanTerms, *, today: int
) -> None:
    """Let a version hold for its pool: new members, pool terms, and those older versions that it is as good as."""
    pool = state.require(POOL, plan, pool_number)
    state.put(POOL, replace(pool, version=number), plan, pool_number)
    for older in range(require_plan(state, plan).versions):
        record = state.require(VERSION_STATE, plan, older)
        # By number it may be a later one: a version that a vote held up comes after those that overtook it.
        is_older = older != number and record.status in (VERSION_ACTIVE, VERSION_CLOSED)
        if record.pool != pool_number or not is_older:
            continue
        changed = replace(record, status=VERSION_CLOSED)
        if record.superseded_by is None and is_at_least_as_good(terms.pinned, get_terms(state, plan, older).pinned):
            changed = replace(changed, superseded_by=number, superseded_day=today)
            context.emit(RulesSuperseded(plan=plan, version=older, successor=number, day=today))
        if changed != record:
            state.put(VERSION_STATE, changed, plan, older)


def _open_pool(
    state: Overlay, context: Context, plan: str, number: int, account: str, terms: PlanTerms, *, today: int
) -> None:
    """Open the pool of a version: own account, index, carry, tree and period."""
    plan_record = require_plan(state, plan)
    pool = plan_record.pools
    state.put(PLAN, replace(plan_record, pools=pool + 1), plan)
    state.put(POOL, build_pool(account=account, version=number, today=today), plan, pool)
    state.put(ACCOUNT, build_account(plan=plan, pool=pool, today=today), account)
    state.put(PERIOD, build_period(terms.pool, after_day=today), plan, pool, 0)
    context.emit(PoolOpened(plan=plan, pool=pool, version=number, account=account, day=today))


def build_account(*, plan: str, pool: int, today: int) -> AccountRecord:
    """Return an empty custody account whose first statement begins today."""
    return AccountRecord(
        plan=plan, pool=pool, closed_day=today - 1, closing=0, expected=0, is_matched=True, statements=0, former=None
    )


def build_pool(*, account: str, version: int, today: int) -> PoolRecord:
    """Return an empty pool that opens today."""
    return PoolRecord(
        account=account,
        version=version,
        share_index=0,
        settlements=0,
        carry=0,
        year=compute_year(today),
        year_index=0,
        is_window=False,
        period=0,
        cash=0,
        tree_money=0,
        plain=0,
        aid_payable=0,
        fee_held=0,
        fee_payable=0,
        outgoing=0,
        unmatched=0,
        collected=0,
        arrears_paid=0,
        interest=0,
        recovered=0,
        unclaimed=0,
        spent=0,
        entered=0,
        exited=0,
        queue_exits=(0, 0),
        queue_entries=(0, 0),
        items=(0, 0),
        instructions=0,
        start_day=today,
    )
