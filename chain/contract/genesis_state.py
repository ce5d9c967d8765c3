"""The state of block 0: organisations, plans, pools, accounts and the beacon, as genesis describes them."""

from chain.contract.beacon import build_beacon
from chain.contract.calendar import compute_year
from chain.contract.claim_tables import BEACON
from chain.contract.context import compute_day
from chain.contract.custody_tables import ACCOUNT, AccountRecord
from chain.contract.schedule import STAGE_DONE
from chain.contract.settlement import build_period
from chain.contract.settlement_tables import PERIOD
from chain.contract.tables import (
    ORGANISATION,
    PLAN,
    PLAN_ACTIVE,
    PLANS,
    POOL,
    ROSTER,
    SIGNER,
    VERSION,
    OrganisationRecord,
    PlanRecord,
    PlansRecord,
    PoolRecord,
    RosterRecord,
    SignerRecord,
    VersionRecord,
)
from chain.contract.terms import hash_terms
from chain.genesis import ROLE_NAMES, Genesis, GenesisPlan, compute_chain_id
from chain.state import Overlay


def build_genesis_state(overlay: Overlay, genesis: Genesis) -> None:
    """Write the records that genesis describes; a valid genesis is the caller's to ensure."""
    _build_organisations(overlay, genesis)
    overlay.put(PLANS, PlansRecord(names=tuple(plan.plan for plan in genesis.plans)))
    for plan in genesis.plans:
        _build_plan(overlay, genesis, plan)
    overlay.put(BEACON, build_beacon(compute_chain_id(genesis), genesis.validators))


def _build_organisations(overlay: Overlay, genesis: Genesis) -> None:
    rosters: list[list[str]] = [[] for _ in ROLE_NAMES]
    for organisation in genesis.organisations:
        roster = rosters[organisation.role]
        order = len(roster)
        roster.append(organisation.name)
        overlay.put(
            ORGANISATION,
            OrganisationRecord(
                role=organisation.role,
                order=order,
                group=organisation.group,
                key=organisation.key,
                recovery_key=organisation.recovery_key,
            ),
            organisation.name,
        )
        overlay.put(
            SIGNER,
            SignerRecord(organisation=organisation.name, role=organisation.role, order=order),
            organisation.key,
        )
    for role, names in enumerate(rosters):
        overlay.put(ROSTER, RosterRecord(names=tuple(names)), role)


def _build_plan(overlay: Overlay, genesis: Genesis, plan: GenesisPlan) -> None:
    """Write a plan with its first version, pool 0, its account and its first period, which opens after this day."""
    terms = plan.terms
    today = compute_day(genesis.time_ms, terms.pool.utc_offset_minutes)
    overlay.put(
        PLAN,
        PlanRecord(
            status=PLAN_ACTIVE,
            since_day=today,
            stopped_days=0,
            pools=1,
            versions=1,
            members_applied=0,
            claims_filed=0,
            day=today,
            stage=STAGE_DONE,
            stage_position=0,
            utc_offset_minutes=terms.pool.utc_offset_minutes,
            wind_day=0,
        ),
        plan.plan,
    )
    version = VersionRecord(terms=terms, terms_hash=hash_terms(terms), active_day=today)
    overlay.put(VERSION, version, plan.plan, 0)
    overlay.put(POOL, _build_pool(plan, today=today), plan.plan, 0)
    overlay.put(
        ACCOUNT,
        AccountRecord(
            plan=plan.plan,
            pool=0,
            closed_day=today - 1,
            closing=plan.opening_fen,
            expected=plan.opening_fen,
            is_matched=True,
            statements=0,
        ),
        plan.account,
    )
    overlay.put(PERIOD, build_period(terms.pool, after_day=today), plan.plan, 0, 0)


def _build_pool(plan: GenesisPlan, *, today: int) -> PoolRecord:
    return PoolRecord(
        account=plan.account,
        version=0,
        share_index=0,
        settlements=0,
        carry=0,
        year=compute_year(today),
        year_index=0,
        is_window=False,
        period=0,
        cash=plan.opening_fen,
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
