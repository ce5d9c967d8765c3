"""Answers about plans, members, claims and money, from one snapshot (`answers_plan.py` holds their form).

Balances, cover, suspension and lapse are computed by the contract's own pure functions at the snapshot's
share index and day, so that the explorer can never disagree with a settlement.
"""

from msgspec import UNSET, Struct

from chain.contract.context import compute_day
from chain.contract.custody_tables import ACCOUNT
from chain.contract.deposit_code import format_deposit_code
from chain.contract.shares import (
    compute_shares_paid,
    get_arrears,
    get_balance,
    get_suspension_day,
    is_covered,
    is_lapsed,
    is_suspended,
)
from chain.contract.tables import (
    MEMBER_SHARING,
    MEMBER_STATUS_NAMES,
    PLAN_STATUS_NAMES,
    POOL,
    VERSION,
    MemberRecord,
    PlanRecord,
    PoolRecord,
    VersionRecord,
)
from chain.contract.terms import Benefit, PlanTerms
from chain.contract.version_tables import get_pin
from explorer.answers_plan import (
    BenefitAnswer,
    CountAnswer,
    IntervalAnswer,
    MemberAnswer,
    MemberSummary,
    PlanAnswer,
    PlanSummary,
    PoolAnswer,
    PoolTermsAnswer,
    VersionAnswer,
)
from explorer.reader import ChainSnapshot
from explorer.represent import (
    Money,
    build_money,
    format_day,
    format_set_day,
    get_name,
)
from explorer.views_chain import require


class MemberCondition(Struct, frozen=True):
    """What follows from a member's record at one height."""

    status: str
    balance: int
    arrears: int
    shares_paid: int
    is_suspended: bool
    is_lapsed: bool
    is_waiting: bool
    is_covered: bool
    suspended_day: int | None


class PoolReader:
    """Reads pools and terms once for all members of one answer."""

    def __init__(self, snapshot: ChainSnapshot) -> None:
        self._snapshot = snapshot
        self._state = snapshot.state
        self._pools: dict[tuple[str, int], PoolRecord] = {}
        self._terms: dict[tuple[str, int], PlanTerms] = {}

    def get_pool(self, plan: str, pool: int) -> PoolRecord:
        """Return a pool that exists."""
        record = self._pools.get((plan, pool))
        if record is None:
            record = self._pools[plan, pool] = require(self._snapshot, POOL, plan, pool)
        return record

    def get_terms(self, plan: str, version: int) -> PlanTerms:
        """Return the terms of a version that exists."""
        terms = self._terms.get((plan, version))
        if terms is None:
            terms = self._terms[plan, version] = require(self._snapshot, VERSION, plan, version).terms
        return terms

    def get_version_in_force(self, member_id: bytes, member: MemberRecord) -> int:
        """Return the rule version under which a diagnosis of today would be claimed for."""
        terms = self.get_terms(member.plan, self.get_pool(member.plan, member.pool).version).pool
        today = compute_day(self._snapshot.head.timestamp_ms, terms.utc_offset_minutes)
        return get_pin(self._state, member_id, member, today).version

    def compute_condition(self, member: MemberRecord) -> MemberCondition:
        """Return what the member owns, owes and is covered for at this height (contract 3.3, 3.6)."""
        pool = self.get_pool(member.plan, member.pool)
        terms = self.get_terms(member.plan, pool.version).pool
        today = compute_day(self._snapshot.head.timestamp_ms, terms.utc_offset_minutes)
        index = pool.share_index
        suspended = is_suspended(member, index)
        lapsed = suspended and is_lapsed(self._state, member, pool, terms.grace_periods)
        waiting = member.is_leaf and today < member.cover_from
        covered = is_covered(self._state, member, pool, today, is_accident=False)
        status = MEMBER_STATUS_NAMES[member.status]
        if member.status == MEMBER_SHARING:
            status = "waiting" if waiting else "covered"
            if suspended:
                status = "lapsed" if lapsed else "suspended"
        return MemberCondition(
            status=status,
            balance=get_balance(member, index),
            arrears=get_arrears(member, index),
            shares_paid=compute_shares_paid(member, index),
            is_suspended=suspended,
            is_lapsed=lapsed,
            is_waiting=waiting,
            is_covered=covered,
            suspended_day=get_suspension_day(self._state, member, pool) if suspended else None,
        )


# --- plans --------------------------------------------------------------------------------------------------


def build_plan_summary(plan: str, record: PlanRecord, terms: PlanTerms) -> PlanSummary:
    """Return one line of the list of plans."""
    return PlanSummary(
        plan=plan,
        name=terms.name,
        status=get_name(PLAN_STATUS_NAMES, record.status),
        since=format_day(record.since_day),
        pools=record.pools,
        versions=record.versions,
        members_applied=record.members_applied,
        claims_filed=record.claims_filed,
    )


def build_plan(snapshot: ChainSnapshot, plan: str, record: PlanRecord) -> PlanAnswer:
    """Return a plan with all its versions and pools."""
    versions = [require(snapshot, VERSION, plan, number) for number in range(record.versions)]
    newest = versions[require(snapshot, POOL, plan, 0).version].terms
    return PlanAnswer(
        plan=plan,
        name=newest.name,
        currency=newest.currency,
        status=get_name(PLAN_STATUS_NAMES, record.status),
        since=format_day(record.since_day),
        stopped_days=record.stopped_days,
        day=format_day(compute_day(snapshot.head.timestamp_ms, newest.pool.utc_offset_minutes)),
        members_applied=record.members_applied,
        claims_filed=record.claims_filed,
        versions=[_build_version(number, version) for number, version in enumerate(versions)],
        pools=[build_pool(snapshot, plan, number) for number in range(record.pools)],
    )


def _build_version(number: int, record: VersionRecord) -> VersionAnswer:
    terms = record.terms
    return VersionAnswer(
        version=number,
        active_from=format_set_day(record.active_day),
        rules_hash=record.terms_hash.hex(),
        pool_terms=build_pool_terms(terms),
        waiting_days=terms.pinned.waiting_days,
        claim_window_days=terms.pinned.claim_window_days,
        age_min_days=terms.pinned.age_min_days,
        age_limit_years=terms.pinned.age_limit_years,
        benefits=build_benefits(terms.pinned.benefits),
    )


def build_benefits(benefits: tuple[Benefit, ...]) -> list[BenefitAnswer]:
    """Return the rows of a benefit table, numbered as claims name them."""
    return [
        BenefitAnswer(
            row=2 * band + is_mild,
            age_from_years=benefit.age_from_years,
            age_to_years=benefit.age_to_years,
            grade=("severe", "mild")[is_mild],
            amount=build_money(benefit.mild_fen if is_mild else benefit.severe_fen),
        )
        for band, benefit in enumerate(benefits)
        for is_mild in range(2)
    ]


def build_pool_terms(terms: PlanTerms) -> PoolTermsAnswer:
    """Return what all members of a pool share."""
    pool = terms.pool
    return PoolTermsAnswer(
        utc_offset_minutes=pool.utc_offset_minutes,
        notice_days_of_month=list(pool.notice_days_of_month),
        charge_days_of_month=list(pool.charge_days_of_month),
        notice_full_days_min=pool.notice_full_days_min,
        fee_bp=pool.fee_bp,
        cap_per_case=_build_cap(pool.cap_per_case_fen),
        cap_per_period=_build_cap(pool.cap_per_period_fen),
        cap_per_year=_build_cap(pool.cap_per_year_fen),
        deposit_min=build_money(pool.deposit_min_fen),
        deposit_max=build_money(pool.deposit_max_fen),
        grace_periods=pool.grace_periods,
        members_min=pool.members_min,
        launch_days=pool.launch_days,
        residue_to=pool.residue_to,
    )


def _build_cap(cap_fen: int | None) -> Money | None:
    return None if cap_fen is None else build_money(cap_fen)


def build_pool(snapshot: ChainSnapshot, plan: str, number: int) -> PoolAnswer:
    """Return the money, the share index and the proven count of one pool."""
    pool = require(snapshot, POOL, plan, number)
    account = require(snapshot, ACCOUNT, pool.account)
    everybody = snapshot.read_pool_sums((plan, number), 0)
    paying = snapshot.read_pool_sums((plan, number), pool.share_index)
    return PoolAnswer(
        pool=number,
        account=pool.account,
        version=pool.version,
        share_index=build_money(pool.share_index),
        settlements=pool.settlements,
        is_window=pool.is_window,
        period=pool.period,
        count=CountAnswer(
            members=everybody.count,
            members_paying=paying.count,
            units_paying=paying.weight,
            money=build_money(paying.weight_x - pool.share_index * paying.weight + everybody.rem),
        ),
        cash=build_money(pool.cash),
        member_money=build_money(pool.tree_money),
        plain=build_money(pool.plain),
        carry=build_money(pool.carry),
        aid_payable=build_money(pool.aid_payable),
        fee_held=build_money(pool.fee_held),
        fee_payable=build_money(pool.fee_payable),
        outgoing=build_money(pool.outgoing),
        unmatched=build_money(pool.unmatched),
        collected=build_money(pool.collected),
        spent=build_money(pool.spent),
        statement_closed_to=format_set_day(account.closed_day),
        is_statement_matched=account.is_matched,
    )


# --- members ------------------------------------------------------------------------------------------------


def build_member_summary(pools: PoolReader, member_id: bytes, member: MemberRecord) -> MemberSummary:
    """Return one line of the list of members."""
    condition = pools.compute_condition(member)
    return MemberSummary(
        member=member_id.hex(),
        plan=member.plan,
        pool=member.pool,
        status=condition.status,
        weight=member.weight,
        balance=build_money(condition.balance),
        since=format_day(member.since_day),
    )


def build_member(pools: PoolReader, member_id: bytes, member: MemberRecord) -> MemberAnswer:
    """Return one member; indexes, account tokens, commitments and the open claim stay out (contract 6)."""
    condition = pools.compute_condition(member)
    return MemberAnswer(
        member=member_id.hex(),
        plan=member.plan,
        pool=member.pool,
        status=condition.status,
        written_status=MEMBER_STATUS_NAMES[member.status],
        weight=member.weight,
        version=member.version,
        version_in_force=pools.get_version_in_force(member_id, member),
        deposit_code=member.deposit_code,
        remittance_text=format_deposit_code(member.deposit_code),
        key=member.key.hex(),
        since=format_day(member.since_day),
        balance=build_money(condition.balance),
        shares_paid=build_money(condition.shares_paid),
        arrears=build_money(condition.arrears),
        aid_received=build_money(member.aid_received),
        is_sharing=member.is_leaf,
        is_suspended=condition.is_suspended,
        is_lapsed=condition.is_lapsed,
        is_waiting=condition.is_waiting,
        is_covered=condition.is_covered,
        suspended_since=None if condition.suspended_day is None else format_day(condition.suspended_day),
        cover_from=format_day(member.cover_from) if member.is_leaf else None,
        accident_cover_from=format_day(member.accident_from) if member.is_leaf else None,
        past_cover=[
            IntervalAnswer(from_day=format_day(cover_from), to_day=format_day(to_day))
            for cover_from, to_day, _ in member.past
            if cover_from <= to_day
        ],
        leaf_index=member.x if member.is_leaf else UNSET,
    )
