"""Parameters and versions change by vote, and nothing that can be voted for stops the chain (pitfalls C33)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.codec import Codec, encode
from chain.contract.governance_calls import SetParameter, UpgradeProtocol
from chain.contract.parameter_changes import RANGES, find_contradiction, get_parameter, validate_set_parameter
from chain.errors import Refusal
from chain.genesis import Parameters
from chain.round_record import PARAMETERS, PROTOCOL, get_protocol_version
from chain.state import Overlay
from tests.chain.contract.governance_world import GovernanceWorld
from tests.chain.contract.test_proposals import refuse
from tests.chain.contract.world import MemoryBase


@pytest.fixture
def world() -> GovernanceWorld:
    return GovernanceWorld()


# --- parameters ---


def test_the_default_parameters_lie_in_the_ranges_and_fit_each_other() -> None:
    assert find_contradiction(Parameters()) is None
    for name, (least, most) in RANGES.items():
        assert least <= get_parameter(Parameters(), name) <= most, name


def test_every_parameter_is_either_changeable_or_known_to_be_fixed() -> None:
    fixed = {"validity_window_ms", "tenure", "skip_tenures"}
    assert set(Parameters.__struct_fields__) == fixed | set(RANGES)


@pytest.mark.parametrize("name", ["validity_window_ms", "tenure", "skip_tenures", "version", "nothing", "__class__"])
def test_what_signatures_and_leaders_rest_on_never_changes(world: GovernanceWorld, name: str) -> None:
    refuse(world, "bank", SetParameter(name=name, value=60_000), "parameter_fixed")


@pytest.mark.parametrize("name", sorted(RANGES))
def test_c33_a_value_outside_the_range_of_its_parameter_is_refused(world: GovernanceWorld, name: str) -> None:
    least, most = RANGES[name]
    if least:
        refuse(world, "bank", SetParameter(name=name, value=least - 1), "parameter_unsafe")
        refuse(world, "bank", SetParameter(name=name, value=0), "parameter_unsafe")
    refuse(world, "bank", SetParameter(name=name, value=most + 1), "parameter_unsafe")
    refuse(world, "bank", SetParameter(name=name, value=2**53 - 1), "parameter_unsafe")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("view_timeout_base_ms", 9_000),
        ("view_timeout_cap_ms", 1_000),
        ("block_gap_ms", 400),
        ("request_timeout_ms", 1_000),
        ("past_max_ms", 2_000),
        ("block_transactions_max", 5_000),
    ],
)
def test_c33_a_value_that_contradicts_the_others_is_refused(world: GovernanceWorld, name: str, value: int) -> None:
    if name == "past_max_ms":
        world.state.put(PARAMETERS, replace(world.parameters, view_timeout_base_ms=3_000))
    refuse(world, "bank", SetParameter(name=name, value=value), "parameter_unsafe")


def test_what_holds_already_is_no_proposal(world: GovernanceWorld) -> None:
    refuse(world, "bank", SetParameter(name="drain_max", value=200), "already")


def test_a_change_holds_from_the_block_after_its_day_has_come(world: GovernanceWorld) -> None:
    proposal = world.accept("bank", SetParameter(name="block_gap_ms", value=50))
    world.run_until_effect(proposal)
    assert world.parameters == replace(Parameters(), block_gap_ms=50)
    assert "ParameterChanged" in [type(event).__name__ for event in world.block_events]


def test_two_changes_that_fit_alone_but_not_together_are_not_both_made(world: GovernanceWorld) -> None:
    slow = world.accept("bank", SetParameter(name="block_gap_ms", value=375))
    quick = world.accept("bank", SetParameter(name="view_timeout_base_ms", value=1_000))
    world.run_until_effect(slow)
    assert sorted([world.status(slow), world.status(quick)]) == ["effective", "failed"]
    assert find_contradiction(world.parameters) is None


def test_a_development_chain_keeps_values_that_governance_could_not_set(world: GovernanceWorld) -> None:
    world.state.put(PARAMETERS, replace(world.parameters, request_timeout_ms=500))
    world.carry_out("bank", SetParameter(name="drain_max", value=300))
    assert (world.parameters.request_timeout_ms, world.parameters.drain_max) == (500, 300)


_codec = Codec[Parameters](Parameters, 4_096, "parameters")


@st.composite
def draw_change(draw: st.DrawFn) -> tuple[str, int]:
    """Draw a parameter and a value in or about its range."""
    name = draw(st.sampled_from(sorted(RANGES)))
    least, most = RANGES[name]
    return name, draw(st.integers(max(0, least - 1), most + 1))


CHANGES = st.lists(draw_change(), max_size=16)


@given(CHANGES)
def test_c33_no_sequence_of_changes_gives_parameters_that_contradict_each_other(
    changes: list[tuple[str, int]],
) -> None:
    state = Overlay(MemoryBase())
    state.put(PARAMETERS, Parameters())
    for name, value in changes:
        try:
            validate_set_parameter(state, SetParameter(name=name, value=value))
        except Refusal:
            continue
        state.put(PARAMETERS, replace(state.require(PARAMETERS), **{name: value}))
    final = state.require(PARAMETERS)
    assert find_contradiction(final) is None
    assert _codec.decode(encode(final)) == final


# --- protocol versions ---


def schedule(world: GovernanceWorld, version: int, height: int) -> bytes:
    return world.carry_out("bank", UpgradeProtocol(version=version, height=height))


def version_at(world: GovernanceWorld, height: int) -> int:
    return get_protocol_version(world.state.require(PROTOCOL), height)


def test_a_version_runs_from_its_height_on_and_thirty_days_pass_before(world: GovernanceWorld) -> None:
    proposal = world.accept("bank", UpgradeProtocol(version=2, height=10_000))
    assert world.proposal(proposal).effect_day == world.today + 30
    world.run_until_effect(proposal)
    assert [version_at(world, height) for height in (1, 9_999, 10_000, 99_999)] == [1, 1, 2, 2]
    assert "ProtocolScheduled" in [type(event).__name__ for event in world.block_events]


@pytest.mark.parametrize("version", [1, 3, 300])
def test_versions_follow_each_other(world: GovernanceWorld, version: int) -> None:
    refuse(world, "bank", UpgradeProtocol(version=version, height=10_000), "protocol_version_invalid")


def test_a_height_that_has_passed_or_is_the_next_is_refused(world: GovernanceWorld) -> None:
    refuse(world, "bank", UpgradeProtocol(version=2, height=world.height), "protocol_height_passed")
    refuse(world, "bank", UpgradeProtocol(version=2, height=world.height + 1), "protocol_height_passed")


def test_c33_a_height_that_passes_during_the_delay_lets_the_upgrade_fail(world: GovernanceWorld) -> None:
    proposal = world.accept("bank", UpgradeProtocol(version=2, height=world.height + 3))
    world.run_until_effect(proposal)
    assert (world.status(proposal), world.proposal(proposal).code) == ("failed", 521)
    assert version_at(world, 99_999) == 1


def test_c33_a_version_that_most_nodes_turn_out_not_to_know_is_put_off_within_a_day(world: GovernanceWorld) -> None:
    schedule(world, 2, 10_000)
    proposal = world.accept("bank", UpgradeProtocol(version=2, height=20_000))
    assert world.proposal(proposal).effect_day == world.today + 1
    world.run_until_effect(proposal)
    assert [version_at(world, height) for height in (19_999, 20_000)] == [1, 2]
    refuse(world, "bank", UpgradeProtocol(version=2, height=15_000), "protocol_version_invalid")


def test_a_version_that_runs_is_not_put_off(world: GovernanceWorld) -> None:
    schedule(world, 2, world.height + 40)
    for _ in range(50):
        world.next_block()
    refuse(world, "bank", UpgradeProtocol(version=2, height=10_000), "protocol_version_invalid")
    schedule(world, 3, 20_000)
    assert [version_at(world, height) for height in (10_000, 20_000)] == [2, 3]


def test_the_next_version_comes_after_the_scheduled_one(world: GovernanceWorld) -> None:
    schedule(world, 2, 10_000)
    refuse(world, "bank", UpgradeProtocol(version=3, height=10_000), "protocol_height_passed")
