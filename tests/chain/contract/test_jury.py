"""The jury: drawn by lot from who pays, sealed votes, a quorum, and an end whoever stays silent."""

import pytest
from msgspec.structs import replace

from chain.codec import encode
from chain.contract import beacon, jury
from chain.contract.appeal_events import AppealEnded, BallotsOpened, JuryDrawn, JuryFailed
from chain.contract.appeal_tables import (
    APPEAL_LANE,
    DECIDER_JURY,
    DECIDER_NOBODY,
    JUROR,
    SUBJECT_REJECTED,
)
from chain.contract.claim_calls import BallotCommit, BallotCommitItem, BallotReveal
from chain.contract.jury import COMMIT_DAYS, JURY_MAX, REVEAL_DAYS, compute_jury_size, hash_ballot
from chain.contract.member_calls import DeathReport, MemberAdmit, MemberLeave
from chain.contract.plan_calls import Pause
from chain.contract.shares import is_suspended
from chain.contract.tables import MEMBER, MEMBER_LEFT, MEMBER_VOIDED
from chain.types import Hash
from tests.chain.contract.acts import do, member_key, refuse
from tests.chain.contract.appeal_world import JURORS, AppealWorld
from tests.chain.contract.world import PLAN_NAME, name_hash

UNKNOWN = name_hash("nobody")


@pytest.fixture
def world() -> AppealWorld:
    return AppealWorld()


@pytest.fixture
def case(world: AppealWorld) -> bytes:
    """A case whose jury is drawn."""
    case_id = world.appeal(world.reject(), SUBJECT_REJECTED)
    world.draw()
    return case_id


# --- size and draw ---


@pytest.mark.parametrize(
    ("jury_size", "eligible", "size"),
    [
        (11, 139, 0),
        (11, 140, 7),
        (11, 159, 7),
        (11, 160, 7),
        (11, 180, 9),
        (11, 1_000_000, 11),
        (1_001, 20_019, 999),
        (100_001, 100_000_000, JURY_MAX),
    ],
)
def test_a_jury_is_odd_at_least_seven_and_at_most_a_twentieth(jury_size: int, eligible: int, size: int) -> None:
    assert compute_jury_size(jury_size, eligible) == size


def test_the_lot_waits_for_reveals_after_the_filing_and_runs_at_midnight(world: AppealWorld) -> None:
    case_id = world.appeal(world.reject(), SUBJECT_REJECTED)
    assert world.stage(case_id) == "draw"
    world.advance(1)
    assert world.stage(case_id) == "draw"
    world.draw()
    assert world.stage(case_id) == "commit"
    assert world.state.require(APPEAL_LANE, PLAN_NAME).head == 1


def test_the_jury_is_whom_anybody_draws_again_from_tree_and_beacon(world: AppealWorld, case: bytes) -> None:
    (event,) = [event for event in world.events if isinstance(event, JuryDrawn)]
    tree = world.state.tree((PLAN_NAME, 0))
    drawn: list[bytes] = []
    for attempt in range(100):
        rank = beacon.draw(Hash(event.value), purpose=f"jury-0-{attempt}", subject=case, bound=event.eligible)
        member = tree.select(event.rank_offset + rank)[4:]
        if member not in drawn and member != world.ann:
            drawn.append(member)
        if len(drawn) == event.jurors:
            break
    assert sorted(drawn) == sorted(world.jury(case))
    assert (event.jurors, event.eligible, event.round) == (JURORS, len(world.members), 1)
    assert event.due_day == world.today + COMMIT_DAYS


def test_jurors_are_distinct_and_neither_the_appellant_nor_a_child_nor_who_shares_his_key(world: AppealWorld) -> None:
    children = []
    for number in range(60):
        child = world.apply(f"kid{number}", guardian=world.members[9], key="m9")
        world.verify(f"kid{number}", child, last_cover_year=2074)
        do(world, "platform", MemberAdmit(items=(child,)))
        world.credit(child, 90_000)
        children.append(child)
    case_id = world.appeal(world.reject(), SUBJECT_REJECTED)
    world.draw()
    drawn = world.jury(case_id)
    assert len(drawn) == world.case(case_id).jurors == 9
    assert world.ann not in drawn
    assert all(world.state.get(JUROR, child, case_id) is None for child in children)


def test_a_guardian_does_not_judge_the_claim_of_his_child(world: AppealWorld, case: bytes) -> None:
    guardian, stranger = world.members[20], world.members[21]
    child = replace(world.member(world.ann), guardian=guardian)
    assert not jury.may_judge(world.state, UNKNOWN, world.ann, child, guardian)
    assert not jury.may_judge(world.state, UNKNOWN, world.ann, child, world.ann)
    assert jury.may_judge(world.state, UNKNOWN, world.ann, child, stranger)
    twin = replace(world.member(stranger), key=world.member(world.ann).key)
    world.state.put(MEMBER, twin, stranger)
    assert not jury.may_judge(world.state, UNKNOWN, world.ann, child, stranger)
    juror = world.jury(case)[0]
    assert not jury.may_judge(world.state, case, world.ann, child, juror)


def test_who_pays_judges_and_the_suspended_do_not(world: AppealWorld) -> None:
    """The leaves with X < I come first in the tree; the draw counts from behind them."""
    poor = [world.join(f"poor{number}", 1_000) for number in range(60)]
    world.add_claim(world.members[7], 300_000, fee_bp=0)
    world.advance_to(world.period(0).charge_day + 1)
    assert all(is_suspended(world.member(member), world.pool.share_index) for member in poor)
    case_id = world.appeal(world.reject(), SUBJECT_REJECTED)
    world.draw()
    (event,) = [event for event in world.events if isinstance(event, JuryDrawn)]
    assert (event.eligible, event.rank_offset, event.jurors) == (len(world.members), len(poor), JURORS)
    assert all(world.state.get(JUROR, member, case_id) is None for member in poor)


def test_fewer_than_a_hundred_and_forty_paying_members_have_no_jury() -> None:
    world = AppealWorld(members=139)
    case_id = world.appeal(world.reject(), SUBJECT_REJECTED)
    world.draw()
    assert world.stage(case_id) == "panel"
    assert world.case(case_id).round == 0


# --- sealing ---


def test_votes_are_sealed_for_seven_days_and_opened_in_three(world: AppealWorld, case: bytes) -> None:
    start = world.today
    drawn = world.jury(case)
    for juror in drawn[:4]:
        assert world.seal(juror, case, is_upheld=True).items == (0,)
    world.advance(COMMIT_DAYS - 1)
    assert world.stage(case) == "commit"
    world.advance(1)
    assert world.stage(case) == "reveal"
    assert world.case(case).due_day == start + COMMIT_DAYS + REVEAL_DAYS
    assert any(isinstance(event, BallotsOpened) and event.committed == 4 for event in world.events)
    for juror in drawn[:3]:
        world.open(juror, case, is_upheld=True)
    world.advance(REVEAL_DAYS - 1)
    assert world.stage(case) == "reveal"
    world.advance(1)
    assert world.stage(case) == "draw"


def test_a_phase_in_which_nothing_more_can_come_ends_at_the_next_midnight(world: AppealWorld, case: bytes) -> None:
    for juror in world.jury(case):
        world.seal(juror, case, is_upheld=True)
    assert world.stage(case) == "commit"
    world.advance(1)
    assert world.stage(case) == "reveal"
    for juror in world.jury(case):
        world.open(juror, case, is_upheld=True)
    assert world.stage(case) == "reveal"
    world.advance(1)
    assert world.stage(case) == "upheld"
    world.advance(COMMIT_DAYS + REVEAL_DAYS)
    assert len([event for event in world.events if isinstance(event, AppealEnded)]) == 1


def test_only_the_drawn_seal_and_only_once(world: AppealWorld, case: bytes) -> None:
    juror, other = world.jury(case)[0], next(item for item in world.members if item not in world.jury(case))
    assert world.seal(other, case, is_upheld=True).items == (334,)
    assert world.seal(juror, UNKNOWN, is_upheld=True).items == (330,)
    assert world.seal(juror, case, is_upheld=True).items == (0,)
    assert world.seal(juror, case, is_upheld=True).items == (7,)
    assert world.seal(juror, case, is_upheld=False).items == (8,)
    assert world.case(case).committed == 1


def test_refused_ballots_leave_nothing_behind(world: AppealWorld, case: bytes) -> None:
    juror, other = world.jury(case)[0], next(item for item in world.members if item not in world.jury(case))
    key, other_key = member_key(world.names[juror]), member_key(world.names[other])

    def commit(member: bytes, case_id: bytes, seal: bytes = UNKNOWN) -> BallotCommit:
        return BallotCommit(member=member, items=(BallotCommitItem(case=case_id, hash=seal),))

    assert refuse(world, key, commit(UNKNOWN, case)) == "member_unknown"
    assert refuse(world, other_key, commit(juror, case)) == "not_owner"
    assert refuse(world, other_key, commit(other, case)) == "not_juror"
    assert refuse(world, key, commit(juror, UNKNOWN)) == "appeal_unknown"
    ballot = world.build_ballot(juror, case, is_upheld=True)
    opened = BallotReveal(member=juror, items=(ballot,))
    assert refuse(world, key, opened) == "ballots_sealed"
    world.seal(juror, case, is_upheld=True)
    assert refuse(world, key, commit(juror, case)) == "conflict"
    assert refuse(world, key, commit(juror, case, hash_ballot(juror, ballot))) == "already"
    for later in world.jury(case)[1:4]:
        world.seal(later, case, is_upheld=False)
    world.advance(COMMIT_DAYS)
    silent = world.jury(case)[5]
    silent_key = member_key(world.names[silent])
    assert refuse(world, silent_key, commit(silent, case)) == "deadline_passed"
    unsealed = BallotReveal(member=silent, items=(world.build_ballot(silent, case, is_upheld=True),))
    assert refuse(world, silent_key, unsealed) == "commit_mismatch"
    turned = BallotReveal(member=juror, items=(world.build_ballot(juror, case, is_upheld=False),))
    assert refuse(world, key, turned) == "commit_mismatch"
    do(world, key, opened)
    assert refuse(world, key, opened) == "already"
    world.advance(REVEAL_DAYS)
    late = world.jury(case, 1)[1]
    too_late = BallotReveal(member=late, items=(world.build_ballot(late, case, is_upheld=False),))
    assert refuse(world, member_key(world.names[late]), too_late) == "deadline_passed"


def test_a_copied_seal_opens_nothing(world: AppealWorld, case: bytes) -> None:
    first, second = world.jury(case)[:2]
    ballot = world.build_ballot(first, case, is_upheld=True)
    assert hash_ballot(first, ballot) != hash_ballot(second, ballot)


def test_the_items_of_a_batch_are_independent(world: AppealWorld, case: bytes) -> None:
    juror = world.jury(case)[0]
    items = tuple(BallotCommitItem(case=case_id, hash=UNKNOWN) for case_id in (UNKNOWN, case))
    outcome = world.call(member_key(world.names[juror]), BallotCommit(member=juror, items=items))
    assert (outcome.number, outcome.items) == (0, (330, 0))


# --- verdicts ---


@pytest.mark.parametrize(
    ("votes", "stage"),
    [
        ((True, True, True, True, False, False, False), "upheld"),
        ((True, True, True, False, False, False, False), "dismissed"),
        ((True, True, True, True), "upheld"),
        ((True, True, True, False, False, False), "dismissed"),
    ],
)
def test_more_than_half_of_the_votes_uphold_an_appeal_and_a_tie_does_not(
    world: AppealWorld, case: bytes, votes: tuple[bool, ...], stage: str
) -> None:
    world.vote(case, *votes)
    assert world.stage(case) == stage
    record = world.case(case)
    assert (record.revealed, record.upheld, record.decider) == (len(votes), sum(votes), DECIDER_JURY)
    ended = [event for event in world.events if isinstance(event, AppealEnded)]
    assert [(event.is_upheld, event.votes, event.upheld) for event in ended] == [
        (stage == "upheld", len(votes), sum(votes))
    ]


def test_too_few_seals_end_a_jury_at_once_and_another_one_is_drawn_from_others(world: AppealWorld, case: bytes) -> None:
    first = world.jury(case)
    for juror in first[:3]:
        world.seal(juror, case, is_upheld=True)
    world.advance(COMMIT_DAYS)
    assert world.stage(case) == "draw"
    claim_id = world.case(case).claim
    assert JuryFailed(case=case, claim=claim_id, round=1, jurors=JURORS, votes=3) in world.events
    world.draw()
    second = world.jury(case)
    assert world.stage(case) == "commit" and world.case(case).round == 2
    assert not set(first) & set(second)
    assert world.seal(first[3], case, is_upheld=True).items == (313,)
    world.vote(case, *([True] * JURORS))
    assert world.stage(case) == "upheld"


def test_jurors_of_a_jury_that_failed_have_no_vote_in_the_next(world: AppealWorld, case: bytes) -> None:
    first = world.jury(case)
    for juror in first[:3]:
        world.seal(juror, case, is_upheld=True)
    world.advance(COMMIT_DAYS)
    world.draw()
    sealed, silent = first[0], first[4]
    opened = BallotReveal(member=sealed, items=(world.build_ballot(sealed, case, is_upheld=True),))
    late = BallotCommit(member=silent, items=(BallotCommitItem(case=case, hash=UNKNOWN),))
    assert world.stage(case) == "commit"
    assert refuse(world, member_key(world.names[silent]), late) == "deadline_passed"
    assert refuse(world, member_key(world.names[sealed]), opened) == "deadline_passed"
    for juror in world.jury(case):
        world.seal(juror, case, is_upheld=False)
    world.advance(1)
    assert world.stage(case) == "reveal"
    assert refuse(world, member_key(world.names[sealed]), opened) == "deadline_passed"
    assert world.case(case).revealed == 0


def test_too_few_opened_votes_are_no_verdict(world: AppealWorld, case: bytes) -> None:
    drawn = world.jury(case)
    for juror in drawn:
        world.seal(juror, case, is_upheld=True)
    world.advance(1)
    for juror in drawn[:3]:
        world.open(juror, case, is_upheld=True)
    world.advance(REVEAL_DAYS)
    assert world.stage(case) == "draw"


def test_two_silent_juries_lead_to_the_panel_and_a_silent_panel_to_the_end(world: AppealWorld) -> None:
    claim_id = world.reject()
    case_id = world.appeal(claim_id, SUBJECT_REJECTED)
    start = world.today
    world.fail_juries(case_id)
    assert world.stage(case_id) == "panel"
    world.advance(10)
    assert (world.stage(case_id), world.case(case_id).decider) == ("dismissed", DECIDER_NOBODY)
    assert world.get_status(claim_id) == "rejected"
    assert world.member(world.ann).claim is None
    assert world.today - start < 40


def test_stopped_days_do_not_count_for_jurors(world: AppealWorld, case: bytes) -> None:
    do(world, "bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("reason")))
    world.advance(COMMIT_DAYS + 3)
    assert world.stage(case) == "commit"
    assert world.seal(world.jury(case)[0], case, is_upheld=True).items == (0,)


def test_what_a_stop_moved_ends_at_the_next_midnight_too_once_nothing_more_can_come(
    world: AppealWorld, case: bytes
) -> None:
    do(world, "bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("reason")))
    world.advance(COMMIT_DAYS + 3)
    for juror in world.jury(case):
        assert world.seal(juror, case, is_upheld=True).items == (0,)
    world.advance(1)
    assert world.stage(case) == "reveal"


# --- who votes ---


def test_a_juror_who_leaves_the_plan_keeps_the_vote(world: AppealWorld, case: bytes) -> None:
    juror = world.jury(case)[0]
    do(world, member_key(world.names[juror]), MemberLeave(member=juror))
    assert world.member(juror).status == MEMBER_LEFT
    assert world.seal(juror, case, is_upheld=True).items == (0,)


def test_a_juror_who_died_or_was_voided_has_no_vote(world: AppealWorld, case: bytes) -> None:
    dead, voided = world.jury(case)[:2]
    do(world, "bank", DeathReport(member=dead, document_hash=name_hash("papers")))
    world.state.put(MEMBER, replace(world.member(voided), status=MEMBER_VOIDED), voided)
    for juror in (dead, voided):
        call = BallotCommit(member=juror, items=(BallotCommitItem(case=case, hash=UNKNOWN),))
        assert refuse(world, member_key(world.names[juror]), call) == "member_state"
        reveal = BallotReveal(member=juror, items=(world.build_ballot(juror, case, is_upheld=True),))
        assert refuse(world, member_key(world.names[juror]), reveal) == "member_state"


def test_no_event_names_a_juror(world: AppealWorld, case: bytes) -> None:
    world.vote(case, *([True] * JURORS))
    drawn = world.jury(case)
    for event in world.events:
        if type(event).__module__.endswith("appeal_events"):
            assert not any(juror in encode(event) for juror in drawn)
            assert world.ann not in encode(event)


# --- many draws at once ---


def test_more_juries_than_a_block_may_draw_go_on_in_the_next_block(
    world: AppealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jury, "SEATS_PER_BLOCK_MAX", 10)
    cases = []
    for number in (3, 4, 5, 6):
        member = world.members[number]
        claim_id = world.file(f"m{number}", member, day=world.today - 30)
        call = replace(world.build_appeal(claim_id, 1), member=member)
        do(world, member_key(f"m{number}"), call)
        cases.append(world.last_tx)
    world.draw()
    assert [world.stage(item) for item in cases] == ["commit", "commit", "draw", "draw"]
    world.next_block()
    assert [world.stage(item) for item in cases] == ["commit"] * 4
    world.next_block()
    assert world.plan.stage_position == 0


def test_an_appeal_that_asked_today_waits_behind_older_ones(world: AppealWorld) -> None:
    claim_id = world.refuse_at_filing()
    case_id = world.appeal(claim_id, 1)
    world.next_block()
    world.next_block()
    young = world.members[40]
    other = world.file("m40", young, day=world.today - 30)
    do(world, member_key("m40"), replace(world.build_appeal(other, 1), member=young))
    later = world.last_tx
    world.advance(1)
    assert (world.stage(case_id), world.stage(later)) == ("commit", "draw")
