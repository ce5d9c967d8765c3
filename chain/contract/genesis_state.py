"""The state of block 0: organisations, plans, pools, accounts and the beacon, as genesis describes them."""

from chain.contract.beacon import build_beacon
from chain.contract.claim_tables import BEACON
from chain.contract.context import compute_day
from chain.contract.custody_tables import ACCOUNT
from chain.contract.governance_tables import (
    CONSORTIUM,
    KEY_CHECKPOINT,
    KEY_RECOVERY,
    KEY_SIGNING,
    KEY_VALIDATOR,
    ConsortiumRecord,
)
from chain.contract.org_keys import take_key
from chain.contract.rules_version import build_account, build_pool
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
    RosterRecord,
    SignerRecord,
    VersionRecord,
)
from chain.contract.terms import hash_terms
from chain.contract.version_tables import FIRST_VERSION, VERSION_STATE
from chain.genesis import ROLE_NAMES, Genesis, GenesisPlan, compute_chain_id
from chain.state import Overlay
from chain.types import ZERO_HASH
from chain.validators import VALIDATORS_MIN


def build_genesis_state(overlay: Overlay, genesis: Genesis) -> None:
    """Write the records that genesis describes; a valid genesis is the caller's to ensure."""
    _build_organisations(overlay, genesis)
    overlay.put(PLANS, PlansRecord(names=tuple(plan.plan for plan in genesis.plans)))
    for plan in genesis.plans:
        _build_plan(overlay, genesis, plan)
    overlay.put(BEACON, build_beacon(compute_chain_id(genesis), genesis.validators))
    _build_consortium(overlay, genesis)


def _build_consortium(overlay: Overlay, genesis: Genesis) -> None:
    """Write the government's clock, and the one use of each institution's key."""
    offset = genesis.plans[0].terms.pool.utc_offset_minutes
    record = ConsortiumRecord(
        day=compute_day(genesis.time_ms, offset),
        utc_offset_minutes=offset,
        validators_min=min(VALIDATORS_MIN, len(genesis.validators)),
        set_height=0,
        proposals=0,
        live=(),
        candidates=(),
    )
    overlay.put(CONSORTIUM, record)
    for organisation in genesis.organisations:
        take_key(overlay, organisation.key, use=KEY_SIGNING, owner=organisation.name)
        if organisation.recovery_key != ZERO_HASH:
            take_key(overlay, organisation.recovery_key, use=KEY_RECOVERY, owner=organisation.name)
    for validator in genesis.validators:
        take_key(overlay, validator.key, use=KEY_VALIDATOR, owner=validator.organisation)
        take_key(overlay, validator.checkpoint_key, use=KEY_CHECKPOINT, owner=validator.organisation)


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
                left_day=0,
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
    overlay.put(VERSION_STATE, FIRST_VERSION, plan.plan, 0)
    overlay.put(POOL, build_pool(account=plan.account, version=0, today=today), plan.plan, 0)
    overlay.put(ACCOUNT, build_account(plan=plan.plan, pool=0, today=today), plan.account)
    overlay.put(PERIOD, build_period(terms.pool, after_day=today), plan.plan, 0, 0)
