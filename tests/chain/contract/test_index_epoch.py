"""Index epochs: admissions wait, every person's entry moves, and nothing can hold the plan up (ADR 0014)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.catalogue import get_entry_by_number
from chain.contract.index_epoch import REISSUE_DAYS
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexEpochOpen,
    IndexIssue,
    IndexIssueItem,
    IndexReissue,
    IndexReissueItem,
    MemberAdmit,
    MemberLeave,
    VoidDecide,
    VoidOpen,
)
from chain.contract.person_events import IndexEpochClosed, PersonsMerged
from chain.contract.person_tables import IndexEpochRecord
from chain.contract.persons import get_index_epoch, is_barred, resolve_index
from chain.contract.tables import (
    ACT_CLAIMED_OUT,
    MEMBER_CLAIMED_OUT,
    MEMBER_LEFT,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_VOIDED,
    PERSON,
    PLAN,
    PLAN_ENDED,
    PersonRecord,
)
from chain.contract.void import APPEAL_DAYS, HEARING_DAYS
from chain.contract.window import exit_member
from tests.chain.contract.acts import refuse
from tests.chain.contract.claim_world import list_pending
from tests.chain.contract.world import PLAN_NAME, World, name_hash

BANK_POINT, AUDITOR_POINT = name_hash("bank point"), name_hash("auditor point")


def index_of(name: str, epoch: int) -> bytes:
    return name_hash("person", name) if epoch == 0 else name_hash("person", name, epoch)


def epoch_call(epoch: int, bank_point: bytes = BANK_POINT) -> IndexEpochOpen:
    return IndexEpochOpen(plan=PLAN_NAME, epoch=epoch, bank_point=bank_point, auditor_point=AUDITOR_POINT)


def open_epoch(world: World, epoch: int = 1) -> None:
    for signer in ("audit-one", "bank"):
        assert world.call(signer, epoch_call(epoch)).number == 0


def get_epoch(world: World) -> IndexEpochRecord:
    return get_index_epoch(world.state, PLAN_NAME)


def send(world: World, signer: str, member: bytes, index: bytes, epoch: int = 1) -> str:
    """Send one item behind one that is always refused, and return its code; a refused one must change nothing."""
    nobody = IndexReissueItem(member=name_hash("nobody"), person_index=name_hash("nobody"))
    call = IndexReissue(epoch=epoch, items=(nobody, IndexReissueItem(member=member, person_index=index)))
    before = list_pending(world.state)
    outcome = world.call(signer, call)
    if not outcome.items:
        return get_entry_by_number(outcome.number).code
    code = get_entry_by_number(outcome.items[1]).code
    assert code == "success" or list_pending(world.state) == before
    return code


def reissue(world: World, member: bytes, name: str, epoch: int = 1) -> None:
    for signer in ("bank", "audit-two"):
        assert send(world, signer, member, index_of(name, epoch), epoch) == "success"


def person(world: World, index: bytes) -> PersonRecord | None:
    return world.state.get(PERSON, PLAN_NAME, index)


def verify(world: World, member: bytes, index: bytes) -> tuple[str, str]:
    item = AccountVerifyItem(
        member=member, person_index=index, account_token=name_hash("t"), holder_kind=0,
        key_challenge_hash=name_hash("c"), last_cover_year=2060,
    )  # fmt: skip
    by_bank = world.call("bank", AccountVerify(items=(item,)))
    issued = IndexIssueItem(member=member, person_index=index, epoch=get_epoch(world).epoch)
    by_auditor = world.call("audit-one", IndexIssue(items=(issued,)))
    return get_entry_by_number(by_bank.items[0]).code, get_entry_by_number(by_auditor.items[0]).code


def admit(world: World, member: bytes) -> str:
    return get_entry_by_number(world.call("platform", MemberAdmit(items=(member,))).items[0]).code


# --- the path ---


def test_without_persons_an_epoch_is_in_force_at_once_so_the_first_points_come_onto_the_chain() -> None:
    world = World()
    assert get_epoch(world).bank_point is None
    open_epoch(world)
    record = get_epoch(world)
    assert (record.epoch, record.bank_point, record.auditor_point, record.pending) == (
        1,
        BANK_POINT,
        AUDITOR_POINT,
        None,
    )
    assert IndexEpochClosed(plan=PLAN_NAME, epoch=1, is_in_force=True, left=0) in world.last_events
    member = world.apply("ann")
    assert verify(world, member, index_of("ann", 1)) == ("success", "success")
    assert admit(world, member) == "success"
    assert get_epoch(world).persons == 1


def test_every_entry_moves_and_the_last_one_brings_the_epoch_into_force() -> None:
    world = World()
    ann, ben = world.join("ann", 5_000), world.join("ben", 5_000)
    assert get_epoch(world).persons == 2
    open_epoch(world)
    pending = get_epoch(world).pending
    assert pending is not None
    assert (pending.left, pending.due_day) == (2, world.today + REISSUE_DAYS)
    reissue(world, ann, "ann")
    assert person(world, index_of("ann", 0)) is None
    assert person(world, index_of("ann", 1)) == PersonRecord(member=ann, is_barred=False)
    assert get_epoch(world).epoch == 0
    reissue(world, ben, "ben")
    assert (get_epoch(world).epoch, get_epoch(world).pending, get_epoch(world).persons) == (1, None, 2)
    assert resolve_index(world.state, PLAN_NAME, index_of("ben", 0)) == (index_of("ben", 1), 1)


def test_admissions_wait_while_an_epoch_is_pending_and_use_the_new_one_afterwards() -> None:
    world = World()
    ann = world.join("ann", 5_000)
    early, late = world.apply("early"), world.apply("late")
    assert verify(world, early, index_of("early", 0)) == ("success", "success")
    open_epoch(world)
    assert verify(world, late, index_of("late", 1)) == ("index_epoch_open", "index_epoch_open")
    assert admit(world, early) == "index_epoch_open"
    assert world.credit(ann, 1_000).items == (0,), "money does not wait"
    reissue(world, ann, "ann")
    assert admit(world, early) == "index_outdated"
    assert verify(world, early, index_of("early", 1)) == ("success", "success")
    assert admit(world, early) == "success"
    assert verify(world, late, index_of("late", 1)) == ("success", "success")
    assert admit(world, late) == "success"
    assert world.member(late).status == MEMBER_VERIFIED
    again = world.apply("again")
    assert verify(world, again, index_of("ann", 1)) == ("success", "person_duplicate")


def test_an_auditors_index_of_an_older_epoch_is_refused() -> None:
    world = World()
    open_epoch(world)
    member = world.apply("ann")
    item = IndexIssueItem(member=member, person_index=index_of("ann", 0), epoch=0)
    assert world.call("audit-one", IndexIssue(items=(item,))).items == (9,)


def test_halves_of_an_older_epoch_count_no_more_and_both_are_given_anew() -> None:
    world = World()
    ann = world.join("ann", 5_000)
    member = world.apply("ben")
    verify(world, member, index_of("ben", 0))
    open_epoch(world)
    reissue(world, ann, "ann")
    item = IndexIssueItem(member=member, person_index=index_of("ben", 1), epoch=1)
    assert world.call("audit-one", IndexIssue(items=(item,))).items == (0,)
    assert (world.member(member).person_index, world.member(member).auditor_index) == (None, index_of("ben", 1))
    assert admit(world, member) == "not_verified"


# --- dropping ---


def test_an_epoch_that_is_not_complete_in_thirty_days_is_dropped_and_the_old_keys_go_on() -> None:
    world = World()
    ann, ben = world.join("ann", 5_000), world.join("ben", 5_000)
    open_epoch(world)
    reissue(world, ann, "ann")
    world.advance(REISSUE_DAYS - 1)
    assert get_epoch(world).pending is not None
    world.advance(1)
    assert (get_epoch(world).epoch, get_epoch(world).pending) == (0, None)
    assert IndexEpochClosed(plan=PLAN_NAME, epoch=1, is_in_force=False, left=1) in world.events
    # Both persons are still found by the keys in force, moved or not.
    for name in ("ann", "ben"):
        again = world.apply("again " + name)
        assert verify(world, again, index_of(name, 0)) == ("success", "person_duplicate")
    assert send(world, "bank", ben, index_of("ben", 1)) == "index_epoch_unknown"
    # Who leaves and comes back is held where the old index leads.
    assert world.call(name_hash("member", "ann"), MemberLeave(member=ann)).number == 0
    assert person(world, index_of("ann", 1)) is None
    back = world.apply("ann")
    assert verify(world, back, index_of("ann", 0)) == ("success", "success")
    assert admit(world, back) == "success"
    assert person(world, index_of("ann", 1)) == PersonRecord(member=back, is_barred=False)
    assert get_epoch(world).persons == 2


def test_after_a_dropped_epoch_another_number_is_opened_and_moves_everybody() -> None:
    world = World()
    ann, ben = world.join("ann", 5_000), world.join("ben", 5_000)
    open_epoch(world)
    reissue(world, ann, "ann")
    world.advance(REISSUE_DAYS)
    assert refuse(world, "bank", epoch_call(1)) == "value_out_of_range"
    open_epoch(world, 2)
    pending = get_epoch(world).pending
    assert pending is not None
    assert pending.left == 2
    reissue(world, ann, "ann", 2)
    reissue(world, ben, "ben", 2)
    assert get_epoch(world).epoch == 2
    for old in (0, 1):
        assert resolve_index(world.state, PLAN_NAME, index_of("ann", old)) == (index_of("ann", 2), 2)


def test_the_last_person_who_leaves_completes_the_epoch_at_midnight() -> None:
    world = World()
    ann = world.join("ann", 5_000)
    open_epoch(world)
    assert world.call(name_hash("member", "ann"), MemberLeave(member=ann)).number == 0
    assert get_epoch(world).pending is not None
    world.advance(1)
    assert (get_epoch(world).epoch, get_epoch(world).persons) == (1, 0)


def test_a_moved_person_who_leaves_or_is_barred_is_counted_once() -> None:
    world = World()
    ann, ben, cid = (world.join(name, 5_000) for name in ("ann", "ben", "cid"))
    open_epoch(world)
    reissue(world, ann, "ann")
    reissue(world, ben, "ben")
    assert world.call(name_hash("member", "ann"), MemberLeave(member=ann)).number == 0
    exit_member(world.state, world.context("automatic"), ben, ACT_CLAIMED_OUT)
    pending = get_epoch(world).pending
    assert pending is not None
    assert (pending.left, get_epoch(world).persons) == (1, 2)
    reissue(world, cid, "cid")
    assert get_epoch(world).epoch == 1
    assert person(world, index_of("ben", 1)) == PersonRecord(member=ben, is_barred=True)
    assert is_barred(world.state, world.member(ben))
    again = world.apply("again")
    assert verify(world, again, index_of("ben", 1)) == ("success", "person_duplicate")


def test_an_entry_that_moves_on_under_the_index_of_somebody_who_left_is_counted_once() -> None:
    world = World()
    ann, ben, cid = (world.join(name, 5_000) for name in ("ann", "ben", "cid"))
    assert world.call(name_hash("member", "ann"), MemberLeave(member=ann)).number == 0
    open_epoch(world)
    # Bank and auditor, wrongly: the new index of ben is the old one of ann.
    for signer in ("bank", "audit-two"):
        assert send(world, signer, ben, index_of("ann", 0)) == "success"
    reissue(world, ann, "ann")
    pending = get_epoch(world).pending
    assert pending is not None, "cid has not moved"
    assert (pending.left, get_epoch(world).persons) == (1, 2)
    assert person(world, index_of("ann", 1)) == PersonRecord(member=ben, is_barred=False)
    reissue(world, cid, "cid")
    assert get_epoch(world).epoch == 1


# --- those who left ---


def test_somebody_who_left_is_found_by_his_old_index_when_a_late_claim_bars_him() -> None:
    world = World()
    old = world.join("ann", 5_000)
    assert world.call(name_hash("member", "ann"), MemberLeave(member=old)).number == 0
    new = world.join("ann", 5_000)
    open_epoch(world)
    reissue(world, new, "ann")
    assert get_epoch(world).epoch == 1
    exit_member(world.state, world.context("automatic"), old, ACT_CLAIMED_OUT)
    assert person(world, index_of("ann", 1)) == PersonRecord(member=old, is_barred=True)
    assert world.member(old).status == MEMBER_CLAIMED_OUT
    assert world.member(new).status == MEMBER_CLAIMED_OUT
    assert get_epoch(world).persons == 1


def test_somebody_who_left_is_reissued_later_and_barred_under_the_new_index() -> None:
    world = World()
    ann, ben = world.join("ann", 5_000), world.join("ben", 5_000)
    assert world.call(name_hash("member", "ann"), MemberLeave(member=ann)).number == 0
    assert world.member(ann).status == MEMBER_LEFT
    open_epoch(world)
    reissue(world, ben, "ben")
    assert get_epoch(world).epoch == 1
    exit_member(world.state, world.context("automatic"), ann, ACT_CLAIMED_OUT)
    assert person(world, index_of("ann", 0)) == PersonRecord(member=ann, is_barred=True)
    reissue(world, ann, "ann")
    assert person(world, index_of("ann", 1)) == PersonRecord(member=ann, is_barred=True)
    assert get_epoch(world).persons == 2
    again = world.apply("again")
    assert verify(world, again, index_of("ann", 1)) == ("success", "person_duplicate")


def test_who_was_verified_in_the_epoch_in_force_is_not_moved_within_it() -> None:
    world = World()
    open_epoch(world)
    member = world.apply("ann")
    verify(world, member, index_of("ann", 1))
    admit(world, member)
    assert send(world, "bank", member, name_hash("elsewhere")) == "conflict"


# --- two memberships of one person ---


@pytest.mark.parametrize("is_second_barred", [False, True])
def test_two_memberships_with_one_new_index_become_one_entry_for_all_to_see(is_second_barred: bool) -> None:
    world = World()
    ann, twin = world.join("ann", 5_000), world.join("twin", 5_000)
    if is_second_barred:
        exit_member(world.state, world.context("automatic"), twin, ACT_CLAIMED_OUT)
    open_epoch(world)
    reissue(world, ann, "ann")
    assert send(world, "bank", twin, index_of("ann", 1)) == "success"
    assert send(world, "audit-one", twin, index_of("ann", 1)) == "success"
    assert PersonsMerged(member=twin, other=ann, epoch=1, is_barred=is_second_barred) in world.last_events
    assert (get_epoch(world).epoch, get_epoch(world).persons) == (1, 1)
    # A barred entry names the membership that barred it: a void of that one counts for the claims of the other.
    named = twin if is_second_barred else ann
    assert person(world, index_of("ann", 1)) == PersonRecord(member=named, is_barred=is_second_barred)
    assert is_barred(world.state, world.member(ann)) is is_second_barred


@pytest.mark.parametrize("is_first_barred", [False, True])
def test_a_membership_that_goes_on_sharing_after_the_merge_is_ended_by_a_hearing(*, is_first_barred: bool) -> None:
    world = World()
    ann, twin = world.join("ann", 5_000), world.join("twin", 5_000)
    barred, sharing = (ann, twin) if is_first_barred else (twin, ann)
    exit_member(world.state, world.context("automatic"), barred, ACT_CLAIMED_OUT)
    open_epoch(world)
    reissue(world, ann, "ann")
    reissue(world, twin, "ann")
    assert world.member(sharing).status == MEMBER_SHARING
    assert is_barred(world.state, world.member(sharing))
    for signer in ("platform", "firm-a"):
        call = VoidOpen(member=sharing, finding_root=name_hash("finding"))
        assert world.call(signer, call).number == 0
    world.advance(HEARING_DAYS)
    assert world.call("audit-one", VoidDecide(member=sharing, is_void=True)).number == 0
    world.advance(APPEAL_DAYS)
    assert world.member(sharing).status == MEMBER_VOIDED
    assert person(world, index_of("ann", 1)) == PersonRecord(member=sharing, is_barred=True)


# --- guards ---


def test_an_epoch_needs_bank_and_auditor_with_the_same_points() -> None:
    world = World()
    for signer in ("platform", "firm-a", "clinic", "stranger"):
        assert refuse(world, signer, epoch_call(1)) == "wrong_role"
    assert world.call("bank", epoch_call(1)).number == 0
    assert refuse(world, "bank", epoch_call(1)) == "already"
    assert world.call("audit-one", epoch_call(1, name_hash("another"))).number == 0
    assert get_epoch(world).epoch == 0
    assert world.call("audit-two", epoch_call(1)).number == 0
    assert get_epoch(world).epoch == 1


def test_epochs_only_rise_and_one_is_pending_at_a_time() -> None:
    world = World()
    world.join("ann", 5_000)
    unknown = IndexEpochOpen(plan="nothing", epoch=1, bank_point=BANK_POINT, auditor_point=AUDITOR_POINT)
    assert refuse(world, "bank", unknown) == "plan_unknown"
    open_epoch(world, 5)
    assert refuse(world, "bank", epoch_call(6)) == "index_epoch_open"
    world.advance(REISSUE_DAYS)
    for epoch in (1, 5):
        assert refuse(world, "bank", epoch_call(epoch)) == "value_out_of_range"
    world.state.put(PLAN, replace(world.plan, status=PLAN_ENDED), PLAN_NAME)
    assert refuse(world, "bank", epoch_call(6)) == "plan_not_active"


@pytest.mark.parametrize("signer", ["platform", "firm-a", "clinic", "stranger"])
def test_only_bank_and_auditors_reissue(signer: str) -> None:
    world = World()
    ann = world.join("ann", 5_000)
    open_epoch(world)
    item = IndexReissueItem(member=ann, person_index=index_of("ann", 1))
    assert refuse(world, signer, IndexReissue(epoch=1, items=(item,))) == "wrong_role"


def test_each_guard_of_a_reissue_has_its_code() -> None:
    world = World()
    ann, ben = world.join("ann", 5_000), world.join("ben", 5_000)
    applicant = world.apply("cid")
    assert send(world, "bank", ann, index_of("ann", 1)) == "index_epoch_unknown"
    open_epoch(world)
    assert send(world, "bank", name_hash("?"), index_of("ann", 1)) == "member_unknown"
    assert send(world, "bank", applicant, index_of("cid", 1)) == "not_verified"
    assert send(world, "bank", ann, index_of("ann", 1), 2) == "index_epoch_unknown"
    assert send(world, "bank", ann, index_of("ann", 0)) == "conflict"
    assert send(world, "bank", ann, index_of("ann", 1)) == "success"
    assert send(world, "bank", ann, index_of("ann", 1)) == "already"
    assert send(world, "audit-one", ann, name_hash("other")) == "index_mismatch"
    assert send(world, "bank", ann, name_hash("other")) == "success", "a slip is mended before both agree"
    assert send(world, "audit-one", ann, name_hash("other")) == "success"
    assert send(world, "audit-two", ann, name_hash("other")) == "already"
    assert send(world, "bank", ann, index_of("ann", 1)) == "conflict"
    assert send(world, "bank", ben, index_of("ann", 0)) == "conflict", "an index that leads on is no new index"


def test_auditors_share_one_half() -> None:
    world = World()
    ann = world.join("ann", 5_000)
    open_epoch(world)
    assert send(world, "audit-one", ann, index_of("ann", 1)) == "success"
    assert send(world, "audit-two", ann, index_of("ann", 1)) == "already"
    assert get_epoch(world).pending is not None
    assert send(world, "bank", ann, index_of("ann", 1)) == "success"
    assert get_epoch(world).pending is None


# --- whatever the order ---


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_entries_and_counters_agree_in_any_order_of_reissues_leaves_and_days(data: st.DataObject) -> None:
    world = World()
    names = ("ann", "ben", "cid", "dan")
    members = {name: world.join(name, 5_000) for name in names}
    epoch, gone = 0, set[str]()
    for _ in range(12):
        pending = get_epoch(world).pending
        act = data.draw(st.sampled_from(("open", "bank", "auditor", "leave", "bar", "day", "rest")))
        name = data.draw(st.sampled_from(names))
        if act == "open" and pending is None:
            epoch += 1
            open_epoch(world, epoch)
        elif act in ("bank", "auditor") and pending is not None:
            send(world, "bank" if act == "bank" else "audit-one", members[name], index_of(name, epoch), epoch)
        elif act == "leave" and name not in gone:
            gone.add(name)
            assert world.call(name_hash("member", name), MemberLeave(member=members[name])).number == 0
        elif act == "bar" and name not in gone:
            gone.add(name)
            exit_member(world.state, world.context("automatic"), members[name], ACT_CLAIMED_OUT)
        elif act == "day":
            world.advance(1)
        elif act == "rest" and pending is not None:
            world.advance(REISSUE_DAYS)
        entries = []
        for person_name in names:
            indexes = [index_of(person_name, number) for number in range(epoch + 1)]
            found = [index for index in indexes if person(world, index) is not None]
            assert len(found) <= 1
            entries += found
            is_held = person_name not in gone or is_barred(world.state, world.member(members[person_name]))
            assert bool(found) is is_held
            if found:
                assert resolve_index(world.state, PLAN_NAME, index_of(person_name, 0))[0] == found[0]
        record = get_epoch(world)
        assert record.persons == len(entries)
        if record.pending is not None:
            moved = [index for index in entries if index in {index_of(n, record.pending.epoch) for n in names}]
            assert record.pending.left == len(entries) - len(moved)
