"""The draw of assessor firms: when it runs, whom it may choose, that it favours nobody; accepting."""

from collections import Counter

import pytest
from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract import beacon, claim_draw, claim_roster
from chain.contract.claim_events import FirmAccepted, FirmDrawn, FirmReplaced
from chain.contract.claim_status import DUE_ACCEPT, DUE_COMMIT
from chain.contract.claim_tables import BEACON, CLAIM_ASSIGNED, CLAIM_ELIGIBLE, CLAIM_EXPIRED
from chain.types import Hash
from tests.chain.contract.claim_world import ORGANISATIONS, ClaimWorld, name_hash

FIRMS = ("firm-a", "firm-b", "firm-c", "firm-d")


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    world.add_member("ben")
    return world


def build_grouped_world(groups: dict[str, str]) -> ClaimWorld:
    """Build a world in which some firms share an ownership group."""
    organisations = [(name, role, groups.get(name, group)) for name, role, group in ORGANISATIONS]
    world = ClaimWorld(organisations)
    world.add_member("ann")
    return world


# --- when ---


def test_a_claim_is_drawn_at_the_first_midnight_after_f_plus_one_proposers(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    world.reveal(2, 2, 2)
    claim_draw.run_draws(world.state, world.build_context(), "care", world.today + 1)
    assert world.get_claim(claim_id).status == CLAIM_ELIGIBLE
    world.reveal(3)
    world.advance(1)
    claim = world.get_claim(claim_id)
    assert claim.status == CLAIM_ASSIGNED
    assert (claim.due_kind, claim.due_day) == (DUE_ACCEPT, world.today + 2)
    assert {firm.drawn_day for firm in claim.firms} == {world.today}


def test_a_reveal_in_the_block_of_the_filing_itself_does_not_count(world: ClaimWorld) -> None:
    """Its proposer saw the claim when it revealed."""
    world.reveal(0)
    claim_id = world.file("ann")
    assert world.get_claim(claim_id).filed_height == world.height
    world.reveal(1)
    claim_draw.run_draws(world.state, world.build_context(), "care", world.today)
    assert world.get_claim(claim_id).status == CLAIM_ELIGIBLE


def test_a_younger_claim_waits_while_an_older_one_is_drawn(world: ClaimWorld) -> None:
    old = world.file("ann")
    world.reveal(0, 1)
    young = world.file("ben")
    claim_draw.run_draws(world.state, world.build_context(), "care", world.today + 1)
    assert world.get_claim(old).status == CLAIM_ASSIGNED
    assert world.get_claim(young).status == CLAIM_ELIGIBLE


def test_a_flood_of_claims_is_drawn_over_several_days(world: ClaimWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_draw, "DRAWS_PER_DAY_MAX", 1)
    claims = [world.file("ann"), world.file("ben")]
    world.reveal(0, 1)
    world.advance(1)
    assert [world.get_claim(claim_id).status for claim_id in claims] == [CLAIM_ASSIGNED, CLAIM_ELIGIBLE]
    world.advance(1)
    assert world.get_claim(claims[1]).status == CLAIM_ASSIGNED


# --- whom ---


def test_two_different_firms_of_the_roster_are_drawn_and_the_receipt_lets_anybody_draw_again(
    world: ClaimWorld,
) -> None:
    claim_id = world.file("ann")
    world.reveal(0, 1)
    before = world.get_claim(claim_id)
    world.advance(1)
    events = [event for event in world.events if isinstance(event, FirmDrawn)]
    assert [event.organisation for event in events] == world.list_firms(claim_id)
    choices = claim_roster.list_choices(world.state, before, 2)
    assert len(choices) == 6
    number = beacon.draw(Hash(events[0].value), purpose="assessors-0-2", subject=claim_id, bound=len(choices))
    assert list(choices[number]) == world.list_firms(claim_id)


def test_a_draw_is_a_function_of_the_state_alone(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    world.reveal(0, 1)
    drawn = []
    for _ in range(2):
        mark = world.state.savepoint()
        claim_draw.run_draws(world.state, world.build_context(), "care", world.today + 1)
        drawn.append(world.get_claim(claim_id))
        world.state.rollback(mark)
    assert drawn[0] == drawn[1]
    assert drawn[0].status == CLAIM_ASSIGNED


def test_every_pair_of_firms_is_drawn_equally_often() -> None:
    """Over 1,200 claims with one beacon value each; chi-square with 5 degrees of freedom."""
    world = ClaimWorld()
    world.add_member("ann")
    claim_id = world.file("ann")
    world.reveal(0, 1)
    counts: Counter[tuple[str, ...]] = Counter()
    for number in range(1_200):
        mark = world.state.savepoint()
        record = world.state.require(BEACON)
        world.state.put(BEACON, replace(record, turn_value=name_hash("value", number)))
        claim_draw.run_draws(world.state, world.build_context(), "care", world.today + 1)
        counts[tuple(world.list_firms(claim_id))] += 1
        world.state.rollback(mark)
    assert len(counts) == 6
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 28


def test_firms_of_one_ownership_group_are_never_drawn_together() -> None:
    world = build_grouped_world({"firm-b": "g-a", "firm-d": "g-c"})
    claim_id = world.file("ann")
    choices = claim_roster.list_choices(world.state, world.get_claim(claim_id), 2)
    assert choices == [
        ("firm-a", "firm-c"),
        ("firm-a", "firm-d"),
        ("firm-b", "firm-c"),
        ("firm-b", "firm-d"),
    ]


def test_a_replacement_is_independent_of_the_firm_that_stayed() -> None:
    world = build_grouped_world({"firm-b": "g-a", "firm-d": "g-c"})
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    world.advance(3)
    partner = {"firm-a": "firm-b", "firm-b": "firm-a", "firm-c": "firm-d", "firm-d": "firm-c"}
    assert world.list_firms(claim_id) == [first, partner[second]]


def test_where_no_independent_pair_exists_the_second_auditor_takes_a_seat() -> None:
    world = build_grouped_world({"firm-b": "g-a", "firm-c": "g-a", "firm-d": "g-a"})
    claim_id = world.file("ann")
    world.reveal(0, 1)
    world.advance(1)
    first, second = world.list_firms(claim_id)
    assert first == "audit-two"
    assert second in FIRMS


# --- accepting ---


def test_the_days_of_the_reports_begin_when_both_firms_have_accepted(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    assert world.get_claim(claim_id).due_kind == DUE_ACCEPT
    world.advance(1)
    world.accept(claim_id, second)
    claim = world.get_claim(claim_id)
    assert (claim.due_kind, claim.due_day) == (DUE_COMMIT, world.today + 20)
    assert [event.organisation for event in world.events if isinstance(event, FirmAccepted)] == [
        first,
        second,
    ]


def test_only_drawn_firms_accept_and_each_once(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    other = next(firm for firm in FIRMS if firm not in (first, second))
    assert world.refused(lambda: world.accept(claim_id, other)) == "not_drawn"
    assert world.refused(lambda: world.accept(claim_id, "platform")) == "not_drawn"
    assert world.refused(lambda: world.accept(claim_id, "ann")) == "wrong_role"
    assert world.refused(lambda: world.accept(name_hash("none"), first)) == "claim_unknown"
    world.accept(claim_id, first)
    assert world.refused(lambda: world.accept(claim_id, first)) == "already"


def test_a_claim_that_is_not_drawn_yet_cannot_be_accepted(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    assert world.refused(lambda: world.accept(claim_id, "firm-a")) == "claim_state"


# --- replacing ---


def test_a_firm_that_does_not_accept_is_replaced_and_the_other_keeps_its_seat(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    world.advance(2)
    assert any(isinstance(event, FirmReplaced) and event.organisation == second for event in world.events)
    assert world.list_firms(claim_id) == [first]
    assert world.refused(lambda: world.accept(claim_id, second)) == "not_drawn"
    world.advance(1)
    seats = world.list_firms(claim_id)
    assert seats[0] == first
    assert seats[1] not in (first, second)


def test_a_replacement_needs_reveals_after_the_silence(world: ClaimWorld) -> None:
    claim_id, first, _ = world.assign()
    world.accept(claim_id, first)
    world.advance(2)
    claim = world.get_claim(claim_id)
    assert claim.draw_height > claim.filed_height
    assert (claim.redraws, claim.due_day) == (1, 0)


def test_when_all_four_firms_were_silent_the_claim_expires_and_may_be_filed_again(world: ClaimWorld) -> None:
    """Both seats change once; then one could be the auditor's, but nobody is left for the other."""
    claim_id, first, second = world.assign()
    world.advance(3)
    assert set(world.list_firms(claim_id)) == set(FIRMS) - {first, second}
    world.advance(4)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.reason) == (CLAIM_EXPIRED, get_entry("assessors_silent").number)
    assert world.get_member(claim.member).claim is None
    assert world.get_claim(world.file("ann", diagnosed_day=claim.diagnosed_day)).status == CLAIM_ELIGIBLE


def test_one_diligent_firm_meets_the_second_auditor_after_its_peers_were_silent(world: ClaimWorld) -> None:
    claim_id, first, _ = world.assign()
    world.accept(claim_id, first)
    world.advance(9)
    assert world.list_firms(claim_id) == [first, "audit-two"]
    world.accept(claim_id, "audit-two")
    assert world.get_claim(claim_id).due_kind == DUE_COMMIT


def test_a_silent_second_auditor_ends_the_claim(world: ClaimWorld) -> None:
    claim_id, first, _ = world.assign()
    world.accept(claim_id, first)
    world.advance(12)
    assert world.get_claim(claim_id).status == CLAIM_EXPIRED


def test_no_firm_is_ever_asked_twice_on_one_claim() -> None:
    names = tuple(f"firm-{letter}" for letter in "abcdefghijklmnop")
    others = [item for item in ORGANISATIONS if item[1] != 3]
    world = ClaimWorld([*others, *((name, 3, f"g-{name}") for name in names)])
    world.add_member("ann")
    claim_id = world.file("ann")
    world.advance(60)
    claim = world.get_claim(claim_id)
    asked = [firm.organisation for firm in claim.firms]
    assert claim.status == CLAIM_EXPIRED
    assert len(asked) == len(set(asked))
    assert claim.redraws == claim_draw.REDRAWS_END + 1
    assert asked.index("audit-two") == 2 * (claim_draw.REDRAWS_MAX + 1)
