"""Answers about plans, members, claims and money, from one snapshot (`answers_plan.py` holds their form).

Balances, cover, suspension and lapse are computed by the contract's own pure functions at the snapshot's
share index and day, so that the explorer can never disagree with a settlement.
"""

from msgspec import UNSET, Struct

from chain.contract.context import compute_day
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
    ACCOUNT,
    CLAIM_STATUS_NAMES,
    INSTRUCTION_KIND_NAMES,
    INSTRUCTION_STATE_NAMES,
    MEMBER_SHARING,
    MEMBER_STATUS_NAMES,
    PLAN_STATUS_NAMES,
    POOL,
    VERSION,
    ClaimRecord,
    DrawnFirm,
    InstructionRecord,
    MemberRecord,
    PlanRecord,
    PoolRecord,
    SettlementRecord,
    VersionRecord,
)
from chain.contract.terms import PlanTerms
from explorer.answers_plan import (
    BenefitAnswer,
    ClaimAnswer,
    ClaimSummary,
    CountAnswer,
    FirmAnswer,
    IntervalAnswer,
    MemberAnswer,
    MemberSummary,
    PayoutAnswer,
    PlanAnswer,
    PlanSummary,
    PoolAnswer,
    PoolTermsAnswer,
    SettledItemAnswer,
    SettlementAnswer,
    VersionAnswer,
)
from explorer.privacy import CLAIM_FIELDS_WITHHELD, is_payee_withheld
from explorer.reader import ChainSnapshot
from explorer.represent import (
    FINDING_NAMES,
    ITEM_KIND_NAMES,
    SOURCE_NAMES,
    Money,
    build_money,
    format_day,
    format_set_day,
    get_name,
)
from explorer.views_chain import require

ASKED_NAMES = ("platform", "first_auditor", "second_auditor", "reports")


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
            if suspended:
                status = "lapsed" if lapsed else "suspended"
            else:
                status = "waiting" if waiting else "covered"
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


# --- plans
# ----------------------------------------------------------------------------------------------------------


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
    newest = versions[-1].terms
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
        active_from=format_day(record.active_day),
        rules_hash=record.terms_hash.hex(),
        pool_terms=_build_pool_terms(terms),
        waiting_days=terms.pinned.waiting_days,
        claim_window_days=terms.pinned.claim_window_days,
        age_min_days=terms.pinned.age_min_days,
        age_limit_years=terms.pinned.age_limit_years,
        benefits=[
            BenefitAnswer(
                row=2 * band + is_mild,
                age_from_years=benefit.age_from_years,
                age_to_years=benefit.age_to_years,
                grade=("severe", "mild")[is_mild],
                amount=build_money(benefit.mild_fen if is_mild else benefit.severe_fen),
            )
            for band, benefit in enumerate(terms.pinned.benefits)
            for is_mild in range(2)
        ],
    )


def _build_pool_terms(terms: PlanTerms) -> PoolTermsAnswer:
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


# --- members
# --------------------------------------------------------------------------------------------------------


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
        deposit_code=member.deposit_code,
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


# --- claims
# ---------------------------------------------------------------------------------------------------------


def build_claim_summary(claim_id: bytes, claim: ClaimRecord) -> ClaimSummary:
    """Return one line of the list of claims."""
    return ClaimSummary(
        claim=claim_id.hex(),
        number=claim.number,
        plan=claim.plan,
        pool=claim.pool,
        status=get_name(CLAIM_STATUS_NAMES, claim.status),
        filed=format_day(claim.filed_day),
        amount=build_money(claim.amount),
        granted=build_money(claim.granted),
        paid=build_money(claim.paid),
        period=claim.period,
    )


def build_claim(claim_id: bytes, claim: ClaimRecord) -> ClaimAnswer:
    """Return one claim: its path and its signers, never whose it is."""
    certificate = claim.certificate
    return ClaimAnswer(
        claim=claim_id.hex(),
        number=claim.number,
        plan=claim.plan,
        pool=claim.pool,
        status=get_name(CLAIM_STATUS_NAMES, claim.status),
        filed=format_day(claim.filed_day),
        filed_height=claim.filed_height,
        version=claim.version,
        firms=[_build_firm(firm) for firm in claim.firms],
        certificate_source=None if certificate is None else get_name(SOURCE_NAMES, certificate[0]),
        certificate_hash=None if certificate is None else certificate[1].hex(),
        decided_by=claim.decided_by,
        clauses=list(claim.clauses),
        row=claim.row,
        due=format_set_day(claim.due_day),
        asked=get_name(ASKED_NAMES, claim.escalation),
        period=claim.period,
        amount=build_money(claim.amount),
        granted=build_money(claim.granted),
        paid=build_money(claim.paid),
        is_flagged=claim.is_flagged,
        withheld=list(CLAIM_FIELDS_WITHHELD),
    )


def _build_firm(firm: DrawnFirm) -> FirmAnswer:
    if not firm.is_revealed:
        return FirmAnswer(
            organisation=firm.organisation,
            drawn=format_day(firm.drawn_day),
            is_accepted=firm.is_accepted,
            is_committed=firm.commit_hash is not None,
            is_revealed=False,
        )
    return FirmAnswer(
        organisation=firm.organisation,
        drawn=format_day(firm.drawn_day),
        is_accepted=firm.is_accepted,
        is_committed=True,
        is_revealed=True,
        finding=get_name(FINDING_NAMES, firm.finding),
        row=firm.row,
        established_day=format_day(firm.established_day),
        clauses=list(firm.clauses),
        report_root=None if firm.report_root is None else firm.report_root.hex(),
    )


# --- settlements and payouts
# ----------------------------------------------------------------------------------------


def build_settlement(
    *, plan: str, pool: int, number: int, record: SettlementRecord, has_proofs: bool
) -> SettlementAnswer:
    """Return one settlement."""
    return SettlementAnswer(
        plan=plan,
        pool=pool,
        settlement=number,
        day=format_day(record.day),
        height=record.height,
        units_at_notice=record.units_at_notice,
        members_at_notice=record.members_at_notice,
        members=record.members,
        units=record.units,
        units_full=record.units_full,
        units_part=record.units_part,
        part_paid=build_money(record.part_paid),
        per=build_money(record.per),
        per_max=build_money(record.per_max),
        index_before=build_money(record.index_before),
        cost=build_money(record.cost),
        collected=build_money(record.collected),
        carry_before=build_money(record.carry_before),
        carry_after=build_money(record.carry_after),
        year_index=build_money(record.year_index),
        cases=record.cases,
        is_unfundable=record.is_unfundable,
        items=[
            SettledItemAnswer(
                claim=item.claim.hex(),
                kind=get_name(ITEM_KIND_NAMES, item.kind),
                asked=build_money(item.amount),
                granted=build_money(item.granted),
                fee_bp=item.fee_bp,
                fee=build_money(item.fee),
                rest_carried=build_money(item.rest_carried),
                rest_ended=build_money(item.rest_ended),
                is_carried=item.is_carried,
            )
            for item in record.items
        ],
        tree_root=record.tree_root.hex(),
        proofs=[proof.hex() for proof in record.proofs] if has_proofs else UNSET,
    )


def build_payout(instruction_id: bytes, record: InstructionRecord) -> PayoutAnswer:
    """Return one instruction; account tokens and bank references stay out, and the payee of a claim as
    well."""
    is_withheld = is_payee_withheld(record)
    return PayoutAnswer(
        instruction=instruction_id.hex(),
        kind=get_name(INSTRUCTION_KIND_NAMES, record.kind),
        state=get_name(INSTRUCTION_STATE_NAMES, record.state),
        plan=record.plan,
        pool=record.pool,
        period=record.period,
        amount=build_money(record.amount),
        created=format_day(record.created_day),
        attempt=record.attempt,
        booked=format_set_day(record.booking_day),
        reason=record.reason,
        claim=UNSET if record.claim is None else record.claim.hex(),
        member=UNSET if is_withheld or record.member is None else record.member.hex(),
    )
