"""The state of block 0."""

from chain.contract.calendar import compute_date
from chain.contract.claim_tables import BEACON
from chain.contract.custody_tables import ACCOUNT
from chain.contract.settlement_tables import PERIOD_OPEN
from chain.contract.tables import ORGANISATION, PLAN_ACTIVE, PLANS, ROSTER, SIGNER, VERSION
from chain.contract.terms import hash_terms
from chain.genesis import ROLE_ASSESSOR, ROLE_AUDITOR
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, START_DAY, World, name_hash


def test_every_organisation_signs_with_the_key_of_genesis_in_its_role_and_order() -> None:
    state = World().state
    assert state.require(ROSTER, ROLE_AUDITOR).names == ("audit-one", "audit-two")
    assert state.require(ROSTER, ROLE_ASSESSOR).names == ("firm-a", "firm-b", "firm-c", "firm-d")
    signer = state.require(SIGNER, name_hash("key", "audit-two"))
    assert (signer.organisation, signer.role, signer.order) == ("audit-two", ROLE_AUDITOR, 1)
    organisation = state.require(ORGANISATION, "bank")
    assert (organisation.key, organisation.recovery_key) == (name_hash("key", "bank"), name_hash("recovery", "bank"))


def test_a_plan_starts_active_and_empty_with_its_first_version() -> None:
    world = World()
    assert world.state.require(PLANS).names == (PLAN_NAME,)
    assert (world.plan.status, world.plan.pools, world.plan.versions) == (PLAN_ACTIVE, 1, 1)
    version = world.state.require(VERSION, PLAN_NAME, 0)
    assert (version.terms, version.terms_hash) == (world.terms, hash_terms(world.terms))
    assert (world.pool.cash, world.pool.share_index, world.pool.start_day) == (0, 0, START_DAY)
    account = world.state.require(ACCOUNT, ACCOUNT_NAME)
    assert (account.plan, account.pool, account.closed_day, account.closing) == (PLAN_NAME, 0, START_DAY - 1, 0)


def test_the_first_period_opens_on_the_first_notice_day_after_genesis() -> None:
    period = World().period(0)
    assert period.status == PERIOD_OPEN
    assert compute_date(period.notice_day) == (2026, 2, 7)
    assert compute_date(period.charge_day) == (2026, 2, 14)
    on_a_notice_day = World(start_day=20_491).period(0)
    assert compute_date(on_a_notice_day.notice_day) == (2026, 2, 21)


def test_the_beacon_starts_from_the_anchors_of_the_validators() -> None:
    links = World().state.require(BEACON).links
    assert links == tuple(name_hash("anchor", name) for name in ("platform", "bank", "audit-one", "audit-two"))
