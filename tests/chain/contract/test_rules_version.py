"""Versions of the rules from their publishing to the end of their days (contract 2 *Rules*, 3.0)."""

import pytest
from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.clauses import KIND_RIGHT, Clause
from chain.contract.custody_tables import ACCOUNT
from chain.contract.plan_calls import Pause, RulesPublish
from chain.contract.plan_events import PoolOpened, RulesActivated, RulesDisclosed, RulesStopped, RulesSuperseded
from chain.contract.plan_stops import BY_VOTE, begin_pause
from chain.contract.rules_version import (
    DISCLOSURE_DAYS,
    POOLS_MAX,
    resume_version,
    stop_version,
)
from chain.contract.settlement_tables import PERIOD
from chain.contract.shares import get_pinned, open_book
from chain.contract.tables import PLAN, ROSTER, VERSION, RosterRecord
from chain.contract.terms import hash_terms
from chain.contract.version_tables import (
    PIN,
    VERSION_ACTIVE,
    VERSION_CLOSED,
    VERSION_DISCLOSED,
    VERSION_STATE,
    VERSION_STOPPED,
    VERSIONS_MAX,
    get_effective_version,
    get_pin,
)
from chain.contract.wind_down import begin_wind_down
from chain.contract.wind_tables import CAUSE_VOTE
from chain.errors import Refusal
from chain.genesis import ROLE_ASSESSOR
from tests.chain.contract.claim_world import list_pending
from tests.chain.contract.rules_world import SECOND_ACCOUNT, RulesWorld, build_rules_world, change_terms, run_signers
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, name_hash

RIGHT = Clause("2.9", KIND_RIGHT, "可免费查询。", "May ask for free.")


@pytest.fixture
def world() -> RulesWorld:
    return build_rules_world()


def refused(world: RulesWorld, act: object) -> str:
    changes = list_pending(world.state)
    with pytest.raises(Refusal) as refusal:
        assert callable(act)
        act()
    assert list_pending(world.state) == changes
    return refusal.value.code


# --- publishing ---


def test_version_is_disclosed_by_platform_and_auditor_and_active_after_thirty_days(world: RulesWorld) -> None:
    rules = change_terms(world.terms, name="cheaper", fee_bp=700)
    call = world.build_publication(rules)
    world.succeed("platform", call)
    assert world.plan.versions == 1
    world.succeed("audit-two", call)
    assert world.version(1).status == VERSION_DISCLOSED
    assert world.version(1).published_by == ("platform", "audit-two")
    assert world.state.require(VERSION, PLAN_NAME, 1).active_day == 0
    disclosed = next(event for event in world.last_events if isinstance(event, RulesDisclosed))
    assert (disclosed.rules_hash, disclosed.due_day) == (hash_terms(rules), world.today + DISCLOSURE_DAYS)

    world.advance(DISCLOSURE_DAYS - 1)
    assert (world.version(1).status, world.pool.version) == (VERSION_DISCLOSED, 0)
    world.advance(1)
    assert (world.version(1).status, world.version(0).status) == (VERSION_ACTIVE, VERSION_CLOSED)
    assert world.state.require(VERSION, PLAN_NAME, 1).active_day == world.today
    assert world.pool.version == 1


def test_new_members_pin_the_newest_active_version_and_no_other(world: RulesWorld) -> None:
    rules = change_terms(world.terms, fee_bp=700)
    number = world.publish(rules)
    key = name_hash("member", "early")
    assert world.refuse(key, world.apply_under("early", rules)) == "rules_unknown"
    world.succeed(key, world.apply_under("early", world.terms))
    early = world.last_tx
    world.advance(DISCLOSURE_DAYS)
    key = name_hash("member", "late")
    assert world.refuse(key, world.apply_under("late", world.terms)) == "rules_unknown"
    world.succeed(key, world.apply_under("late", rules))
    assert (world.member(early).version, world.member(world.last_tx).version) == (0, number)
    assert world.refuse(key, replace(world.apply_under("late", rules), pool=1)) == "pool_unknown"


def test_lower_fee_and_caps_hold_for_the_pool_from_the_activation_on(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.activate(change_terms(world.terms, fee_bp=100, cap_per_case_fen=50))
    book = open_book(world.state, world.context("automatic"), PLAN_NAME, 0)
    assert (book.terms.pool.fee_bp, book.terms.pool.cap_per_case_fen) == (100, 50)
    assert world.member(member).version == 0
    claim = world.add_claim(member, 10_000, fee_bp=100)
    number = world.pool.settlements
    assert world.settlement(0).version == 0
    while world.pool.settlements == number:
        world.advance(1)
    settled = world.settlement(number)
    assert (settled.version, settled.per_max) == (1, 50)
    assert [item.claim for item in settled.items] == [claim]


@pytest.mark.parametrize("signer", ["firm-a", "clinic", "stranger"])
def test_nobody_else_publishes_rules(world: RulesWorld, signer: str) -> None:
    call = world.build_publication(change_terms(world.terms, fee_bp=1))
    assert world.refuse(signer, call) == "wrong_role"


def test_bank_has_no_say_in_rules_that_open_no_pool(world: RulesWorld) -> None:
    call = world.build_publication(change_terms(world.terms, fee_bp=1))
    assert world.refuse("bank", call) == "wrong_role"
    world.succeed("platform", call)
    assert world.refuse("platform", call) == "already"


def test_version_must_be_the_next_of_a_known_plan(world: RulesWorld) -> None:
    call = world.build_publication(world.terms)
    assert world.refuse("platform", replace(call, plan="other")) == "plan_unknown"
    assert world.refuse("platform", replace(call, version=2)) == "version_number"
    assert world.refuse("platform", replace(call, version=0)) == "version_number"
    assert world.refuse("platform", replace(call, pool=2)) == "pool_unknown"


def test_rules_that_contradict_themselves_are_refused(world: RulesWorld) -> None:
    rules = change_terms(world.terms, jury_size=12)
    assert world.refuse("platform", world.build_publication(rules)) == "rules_invalid"


def test_fewer_than_four_firms_launch_nothing(world: RulesWorld) -> None:
    call = world.build_publication(change_terms(world.terms, fee_bp=1))
    world.state.put(ROSTER, RosterRecord(names=("firm-a", "firm-b", "firm-c")), ROLE_ASSESSOR)
    assert world.refuse("platform", call) == "assessors_too_few"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fee_bp": 801}, "rules_unfit_fee"),
        ({"cap_per_case_fen": 401}, "rules_unfit_caps"),
        ({"grace_periods": 1}, "rules_unfit_grace"),
        ({"notice_days_of_month": (6, 20)}, "rules_unfit_calendar"),
        ({"deposit_min_fen": 900}, "rules_unfit_deposits"),
        ({"unpaid": 1}, "rules_unfit_unpaid"),
        ({"members_min": 5}, "rules_unfit_terms"),
        ({"age_limit_years": 70}, "rules_unfit_ages"),
        ({"exclusions": (), "clauses": (RIGHT,)}, "rules_unfit_exclusions"),
        ({"waiting_days": 30}, "rules_unfit_waiting"),
    ],
)
def test_version_that_does_not_fit_its_pool_is_refused(
    world: RulesWorld, changes: dict[str, object], code: str
) -> None:
    assert world.refuse("platform", world.build_publication(change_terms(world.terms, **changes))) == code


def test_benefit_above_the_ceiling_does_not_fit_and_a_changed_ceiling_neither(world: RulesWorld) -> None:
    benefit = world.terms.pinned.benefits[0]
    higher = (replace(benefit, severe_fen=benefit.severe_fen + 1),)
    rules = change_terms(world.terms, benefits=higher)
    assert world.refuse("platform", world.build_publication(rules)) == "rules_invalid"
    rules = change_terms(world.terms, benefits=higher, benefit_ceiling=higher)
    assert world.refuse("platform", world.build_publication(rules)) == "rules_unfit_ceiling"


def test_later_version_is_measured_by_the_one_that_is_disclosed_before_it(world: RulesWorld) -> None:
    world.publish(change_terms(world.terms, fee_bp=500))
    call = world.build_publication(change_terms(world.terms, fee_bp=600))
    assert world.refuse("platform", call) == "rules_unfit_fee"
    world.publish(change_terms(world.terms, fee_bp=500, grace_periods=3))
    world.advance(DISCLOSURE_DAYS)
    assert [world.version(number).status for number in range(3)] == [VERSION_CLOSED, VERSION_CLOSED, VERSION_ACTIVE]
    assert world.pool.version == 2


def test_numbers_of_versions_and_pools_are_bounded(world: RulesWorld) -> None:
    call = world.build_publication(world.terms)
    world.state.put(PLAN, replace(world.plan, versions=VERSIONS_MAX), PLAN_NAME)
    assert world.refuse("platform", replace(call, version=VERSIONS_MAX)) == "limit_reached"
    world.state.put(PLAN, replace(world.plan, versions=1, pools=POOLS_MAX), PLAN_NAME)
    assert world.refuse("platform", replace(call, pool=POOLS_MAX)) == "limit_reached"
    world.state.put(PLAN, replace(world.plan, pools=1), PLAN_NAME)


def test_nothing_is_published_once_the_plan_winds_down(world: RulesWorld) -> None:
    world.state.put(PLAN, replace(world.plan, wind_day=world.today), PLAN_NAME)
    assert world.refuse("platform", world.build_publication(world.terms)) == "plan_not_active"


# --- pools of their own ---


def test_version_that_fits_no_pool_opens_the_next_one_with_the_account_that_the_bank_names(world: RulesWorld) -> None:
    rules = change_terms(world.terms, name="dearer", fee_bp=1_000, waiting_days=0)
    call = world.build_publication(rules, pool=1, account=SECOND_ACCOUNT)
    run_signers(world, call, ("platform", "audit-one"))
    assert world.plan.versions == 1
    world.succeed("bank", call)
    assert world.version(1).published_by == ("platform", "audit-one", "bank")
    world.advance(DISCLOSURE_DAYS)
    assert world.plan.pools == 2
    pool = world.get_pool(1)
    assert (pool.account, pool.version, pool.cash, pool.start_day) == (SECOND_ACCOUNT, 1, 0, world.today)
    told = PoolOpened(plan=PLAN_NAME, pool=1, version=1, account=SECOND_ACCOUNT, day=world.today)
    assert world.events.count(told) == 1
    account = world.state.require(ACCOUNT, SECOND_ACCOUNT)
    assert (account.plan, account.pool, account.closed_day) == (PLAN_NAME, 1, world.today - 1)
    assert world.state.require(PERIOD, PLAN_NAME, 1, 0).notice_day > world.today
    assert world.version(0).status == VERSION_ACTIVE


def test_two_pools_charge_their_own_members_alone(world: RulesWorld) -> None:
    first = world.join("a", 5_000)
    _, rules = world.open_second_pool(fee_bp=0)
    second = world.join_under("b", 4_000, rules, pool=1)
    assert (world.member(second).version, world.pool.entered, world.get_pool(1).entered) == (1, 1, 1)
    world.add_claim(first, 100)
    before = world.pool.settlements
    while world.pool.settlements == before:
        world.advance(1)
    assert world.balance_in(first) == 5_000 - 108
    assert world.balance_in(second) == 4_000
    assert world.get_pool(1).share_index == 0
    assert (world.pool.cash, world.get_pool(1).cash) == (5_000, 4_000)
    world.commit_block_checks()


def test_account_goes_with_a_new_pool_and_with_no_other(world: RulesWorld) -> None:
    rules = change_terms(world.terms, fee_bp=1)
    assert world.refuse("platform", world.build_publication(rules, account=SECOND_ACCOUNT)) == "pool_account"
    assert world.refuse("platform", world.build_publication(rules, pool=1)) == "pool_account"
    call = world.build_publication(rules, pool=1, account=ACCOUNT_NAME)
    assert world.refuse("platform", call) == "account_in_use"


def test_new_pool_keeps_the_days_and_the_currency_of_the_plan(world: RulesWorld) -> None:
    rules = change_terms(world.terms, utc_offset_minutes=540)
    call = world.build_publication(rules, pool=1, account=SECOND_ACCOUNT)
    assert world.refuse("platform", call) == "rules_unfit_calendar"
    rules = change_terms(world.terms, currency="USD")
    call = world.build_publication(rules, pool=1, account=SECOND_ACCOUNT)
    assert world.refuse("platform", call) == "rules_unfit_terms"


def test_only_one_new_pool_is_disclosed_at_a_time(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=900), pool=1, account=SECOND_ACCOUNT)
    call = world.build_publication(change_terms(world.terms, fee_bp=950), pool=1, account="care-third")
    assert world.refuse("platform", call) == "pool_pending"
    stop_version(world.state, world.context("vote"), PLAN_NAME, number)
    world.publish(change_terms(world.terms, fee_bp=950), pool=1, account="care-third")
    world.advance(DISCLOSURE_DAYS)
    assert (world.version(1).status, world.version(2).status) == (VERSION_STOPPED, VERSION_ACTIVE)
    assert world.get_pool(1).account == "care-third"


# --- stopped ---


def test_vote_stops_a_disclosed_version_and_lets_its_days_begin_anew(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=1))
    world.advance(20)
    context = world.context("vote")
    stop_version(world.state, context, PLAN_NAME, number)
    assert context.events == [RulesStopped(plan=PLAN_NAME, version=number, code=None)]
    world.advance(1)
    resume_version(world.state, world.context("vote"), PLAN_NAME, number)
    world.advance(DISCLOSURE_DAYS - 1)
    assert world.version(number).status == VERSION_DISCLOSED
    world.advance(1)
    assert world.version(number).status == VERSION_ACTIVE


def test_stopped_version_stays_stopped_when_its_day_comes(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=1))
    stop_version(world.state, world.context("vote"), PLAN_NAME, number)
    world.advance(DISCLOSURE_DAYS + 1)
    assert (world.version(number).status, world.pool.version) == (VERSION_STOPPED, 0)


def test_vote_stops_and_resumes_only_what_is_in_that_state(world: RulesWorld) -> None:
    context = world.context("vote")
    number = world.publish(change_terms(world.terms, fee_bp=1))
    assert refused(world, lambda: stop_version(world.state, context, PLAN_NAME, 9)) == "rules_version_unknown"
    assert refused(world, lambda: resume_version(world.state, context, PLAN_NAME, 9)) == "rules_version_unknown"
    assert refused(world, lambda: stop_version(world.state, context, PLAN_NAME, 0)) == "version_state"
    assert refused(world, lambda: resume_version(world.state, context, PLAN_NAME, number)) == "version_state"
    stop_version(world.state, context, PLAN_NAME, number)
    assert refused(world, lambda: stop_version(world.state, context, PLAN_NAME, number)) == "version_state"
    world.state.put(PLAN, replace(world.plan, wind_day=world.today), PLAN_NAME)
    assert refused(world, lambda: resume_version(world.state, context, PLAN_NAME, number)) == "plan_not_active"


def test_version_that_no_longer_fits_on_its_day_is_stopped_with_the_code(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=600))
    stop_version(world.state, world.context("vote"), PLAN_NAME, number)
    cheaper = world.publish(change_terms(world.terms, fee_bp=500))
    world.advance(1)
    resume_version(world.state, world.context("vote"), PLAN_NAME, number)
    world.advance(DISCLOSURE_DAYS)
    assert world.pool.version == cheaper
    code = get_entry("rules_unfit_fee").number
    assert (world.version(number).status, world.version(number).reason) == (VERSION_STOPPED, code)
    assert RulesStopped(plan=PLAN_NAME, version=number, code=code) in world.events


def test_account_that_another_pool_took_meanwhile_opens_no_second_one(world: RulesWorld) -> None:
    first = world.publish(change_terms(world.terms, fee_bp=900), pool=1, account=SECOND_ACCOUNT)
    stop_version(world.state, world.context("vote"), PLAN_NAME, first)
    world.activate(change_terms(world.terms, fee_bp=950), pool=1, account=SECOND_ACCOUNT)
    resume_version(world.state, world.context("vote"), PLAN_NAME, first)
    world.advance(DISCLOSURE_DAYS)
    assert world.version(first).reason == get_entry("pool_pending").number
    assert world.plan.pools == 2


def test_account_that_something_else_took_meanwhile_opens_no_pool(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=900), pool=1, account=SECOND_ACCOUNT)
    world.state.put(ACCOUNT, world.state.require(ACCOUNT, ACCOUNT_NAME), SECOND_ACCOUNT)
    world.advance(DISCLOSURE_DAYS)
    assert world.version(number).reason == get_entry("account_in_use").number
    assert world.plan.pools == 1


def test_with_too_few_firms_on_its_day_a_version_waits_until_there_are_enough(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=1))
    firms = world.state.require(ROSTER, ROLE_ASSESSOR)
    world.advance(DISCLOSURE_DAYS - 1)
    world.state.put(ROSTER, RosterRecord(names=firms.names[:3]), ROLE_ASSESSOR)
    world.advance(3)
    assert world.version(number).status == VERSION_DISCLOSED
    world.state.put(ROSTER, firms, ROLE_ASSESSOR)
    world.advance(1)
    assert world.version(number).status == VERSION_ACTIVE


def test_days_in_which_the_plan_is_stopped_do_not_count_for_the_disclosure(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=1))
    day = world.today
    world.advance(3)
    world.succeed("bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("reason")))
    world.advance_to(day + DISCLOSURE_DAYS + 6)
    assert (world.plan.stopped_days, world.version(number).status) == (7, VERSION_DISCLOSED)
    world.advance(1)
    assert world.version(number).status == VERSION_ACTIVE


def test_wind_down_stops_what_is_disclosed(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=1))
    begin_wind_down(world.state, world.context("vote"), PLAN_NAME, cause=CAUSE_VOTE, by=BY_VOTE)
    world.advance(DISCLOSURE_DAYS)
    assert world.version(number).reason == get_entry("plan_not_active").number


def test_version_may_be_published_while_the_plan_is_paused(world: RulesWorld) -> None:
    begin_pause(world.state, world.context("vote"), PLAN_NAME, by=BY_VOTE, reason_hash=name_hash("reason"))
    assert world.publish(change_terms(world.terms, fee_bp=1)) == 1


# --- old members ---


def test_old_members_have_a_version_that_is_at_least_as_good_without_any_record_of_theirs(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    record = world.member(member)
    before = world.today
    number = world.activate(change_terms(world.terms, clauses=(*world.terms.pinned.clauses, RIGHT)))
    superseded = world.version(0)
    assert (superseded.superseded_by, superseded.superseded_day) == (number, world.today)
    assert RulesSuperseded(plan=PLAN_NAME, version=0, successor=number, day=world.today) in world.events
    assert world.member(member) == record
    assert world.state.get(PIN, member) is None
    book = open_book(world.state, world.context("automatic"), PLAN_NAME, 0)
    assert RIGHT in get_pinned(world.state, book, record).clauses
    assert get_pin(world.state, member, record, before).version == 0
    assert get_pin(world.state, member, record, world.today).version == number


def test_version_that_is_worse_in_one_clause_leaves_old_members_where_they_are(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    benefit = replace(world.terms.pinned.benefits[0], mild_fen=49_999)
    number = world.activate(change_terms(world.terms, benefits=(benefit,)))
    assert (world.version(0).status, world.version(0).superseded_by) == (VERSION_CLOSED, None)
    book = open_book(world.state, world.context("automatic"), PLAN_NAME, 0)
    assert book.pool.version == number
    assert get_pinned(world.state, book, world.member(member)).benefits == world.terms.pinned.benefits


def test_upgrades_follow_each_other_each_from_its_own_day(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    record = world.member(member)
    first_day = world.today + DISCLOSURE_DAYS
    one = world.activate(change_terms(world.terms, claim_window_days=200))
    two = world.activate(change_terms(world.terms, claim_window_days=220))
    versions = [get_pin(world.state, member, record, day).version for day in (first_day - 1, first_day, world.today)]
    assert versions == [0, one, two]
    assert get_effective_version(world.state, PLAN_NAME, 0, world.today) == two


def test_upgrade_skips_a_version_that_was_worse_and_takes_its_members_too(world: RulesWorld) -> None:
    world.activate(change_terms(world.terms, claim_window_days=100))
    three = world.activate(change_terms(world.terms, claim_window_days=180))
    assert (world.version(0).superseded_by, world.version(1).superseded_by) == (three, three)


def test_version_that_a_vote_held_up_closes_the_newer_ones_that_overtook_it(world: RulesWorld) -> None:
    number = world.publish(change_terms(world.terms, fee_bp=400))
    stop_version(world.state, world.context("vote"), PLAN_NAME, number)
    newer = world.activate(change_terms(world.terms, fee_bp=500))
    resume_version(world.state, world.context("vote"), PLAN_NAME, number)
    world.advance(DISCLOSURE_DAYS)
    assert (world.pool.version, world.version(number).status) == (number, VERSION_ACTIVE)
    assert (world.version(newer).status, world.version(newer).superseded_by) == (VERSION_CLOSED, number)


# --- counting ---


def test_applicants_and_members_are_counted_under_the_version_that_they_pinned(world: RulesWorld) -> None:
    member = world.join("a", 5_000)
    world.apply("b")
    assert world.pinned(0) == 2
    rules = change_terms(world.terms, claim_window_days=100)
    number = world.activate(rules)
    assert (world.pinned(0), world.pinned(number)) == (1, 0)
    world.join_under("c", 5_000, rules)
    assert (world.pinned(0), world.pinned(number)) == (1, 1)
    world.accept("a", member, number, rules)
    assert (world.pinned(0), world.pinned(number)) == (0, 2)


def test_settlement_writes_no_version_record(world: RulesWorld) -> None:
    world.join("a", 5_000)
    world.advance_to(20_498)
    keys = [key for key, _ in world.state.get_changes()]
    assert world.pool.settlements == 1
    assert not [key for key in keys if key.startswith(VERSION_STATE.prefix(arity=2))]
    assert not [key for key in keys if b"version_members" in key]


def test_activation_of_the_version_of_genesis_is_its_first_day(world: RulesWorld) -> None:
    assert world.version(0).status == VERSION_ACTIVE
    assert world.state.require(VERSION, PLAN_NAME, 0).active_day == world.today
    assert not [event for event in world.events if isinstance(event, RulesActivated)]
    assert isinstance(world.build_publication(world.terms), RulesPublish)
