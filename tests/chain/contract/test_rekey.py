"""Another key: vouched for with 14 days in which the old one may veto, or recovered at once; children follow."""

import pytest
from msgspec.structs import replace

from chain.contract.half_events import HalfExpired
from chain.contract.halves import HALF, HALF_DAYS, hash_call
from chain.contract.member_calls import (
    DeathReport,
    MemberAdmit,
    MemberLeave,
    MemberRekeyRecover,
    MemberRekeyRequest,
    MemberRekeyVeto,
    MemberWithdraw,
)
from chain.contract.member_events import MemberRekeyed, MemberRekeyRequested, MemberRekeyStopped
from chain.contract.member_key_tables import REKEY
from chain.contract.plan_calls import Pause
from chain.contract.rekey import VETO_DAYS
from chain.contract.tables import MEMBER, SIGNER, SignerRecord
from chain.crypto import sha256
from tests.chain.contract.acts import do, member_key, refuse
from tests.chain.contract.world import PLAN_NAME, World, name_hash

NEW = name_hash("new key")
RECOVERY = name_hash("recovery key")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ann(world: World) -> bytes:
    return world.join("ann", 5_000)


def request(world: World, member: bytes, new_key: bytes = NEW) -> None:
    call = MemberRekeyRequest(member=member, new_key=new_key)
    for signer in ("platform", "audit-two", new_key):
        do(world, signer, call)


def give_recovery_key(world: World, member: bytes) -> None:
    record = world.member(member)
    world.state.put(MEMBER, replace(record, recovery_hash=sha256(RECOVERY)), member)


def may_sign(world: World, key: bytes, member: bytes) -> bool:
    """Tell whether a key signs for a member: by a call whose refusal shows it."""
    return world.call(key, MemberWithdraw(member=member, amount=4_999_999)).number != 3


def test_a_request_of_platform_auditor_and_new_key_replaces_the_key_after_fourteen_days(
    world: World, ann: bytes
) -> None:
    call = MemberRekeyRequest(member=ann, new_key=NEW)
    for signer in (NEW, "audit-one", "platform"):
        assert world.state.get(REKEY, ann) is None
        do(world, signer, call)
    due_day = world.today + VETO_DAYS
    assert MemberRekeyRequested(member=ann, new_key=NEW, due_day=due_day) in world.last_events
    assert may_sign(world, member_key("ann"), ann) and not may_sign(world, NEW, ann)
    world.advance(VETO_DAYS - 1)
    assert world.member(ann).key == member_key("ann")
    world.advance(1)
    assert world.member(ann).key == NEW
    assert MemberRekeyed(member=ann, new_key=NEW, is_recovered=False) in world.events
    assert may_sign(world, NEW, ann) and not may_sign(world, member_key("ann"), ann)
    assert world.state.get(REKEY, ann) is None


@pytest.mark.parametrize("signers", [("platform", "audit-one"), ("platform", NEW), ("audit-one", NEW)])
def test_two_of_the_three_are_not_enough_and_their_half_expires(
    world: World, ann: bytes, signers: tuple[str | bytes, ...]
) -> None:
    call = MemberRekeyRequest(member=ann, new_key=NEW)
    for signer in signers:
        do(world, signer, call)
    assert world.state.get(REKEY, ann) is None
    expired = HalfExpired(call_hash=hash_call(call), name="member_rekey_request")
    world.advance(HALF_DAYS - 1)
    assert expired not in world.events
    world.advance(1)
    assert world.events.count(expired) == 1
    assert world.state.get(HALF, PLAN_NAME, hash_call(call)) is None
    assert world.member(ann).key == member_key("ann")


def test_nobody_else_and_nobody_twice_signs_a_request(world: World, ann: bytes) -> None:
    call = MemberRekeyRequest(member=ann, new_key=NEW)
    assert refuse(world, "bank", call) == "wrong_role"
    assert refuse(world, member_key("thief"), call) == "wrong_role"
    do(world, "audit-one", call)
    assert refuse(world, "audit-two", call) == "wrong_role"
    assert refuse(world, "audit-one", call) == "already"


def test_the_old_key_vetoes_and_a_new_request_starts_anew(world: World, ann: bytes) -> None:
    request(world, ann)
    world.advance(VETO_DAYS - 1)
    do(world, member_key("ann"), MemberRekeyVeto(member=ann))
    assert world.last_events == [MemberRekeyStopped(member=ann, is_vetoed=True)]
    request(world, ann)
    world.advance(VETO_DAYS - 1)
    assert world.member(ann).key == member_key("ann")
    world.advance(1)
    assert world.member(ann).key == NEW


def test_only_the_old_key_vetoes_and_only_what_is_pending(world: World, ann: bytes) -> None:
    veto = MemberRekeyVeto(member=ann)
    assert refuse(world, member_key("ann"), veto) == "rekey_unknown"
    request(world, ann)
    assert refuse(world, NEW, veto) == "not_owner"
    assert refuse(world, "platform", veto) == "not_owner"
    assert refuse(world, NEW, MemberRekeyVeto(member=name_hash("nobody"))) == "member_unknown"
    world.advance(VETO_DAYS)
    assert refuse(world, member_key("ann"), veto) == "not_owner"


def test_one_request_at_a_time_is_pending(world: World, ann: bytes) -> None:
    request(world, ann)
    assert refuse(world, "platform", MemberRekeyRequest(member=ann, new_key=NEW)) == "already"
    other = MemberRekeyRequest(member=ann, new_key=name_hash("other"))
    assert refuse(world, "platform", other) == "rekey_pending"


@pytest.mark.parametrize("key", ["bank", "firm-a", "clinic"])
def test_a_key_of_an_organisation_becomes_nobodys_key(world: World, ann: bytes, key: str) -> None:
    give_recovery_key(world, ann)
    new_key = name_hash("key", key)
    assert refuse(world, "platform", MemberRekeyRequest(member=ann, new_key=new_key)) == "key_in_use"
    assert refuse(world, RECOVERY, MemberRekeyRecover(member=ann, new_key=new_key)) == "key_in_use"


def test_neither_the_present_nor_the_recovery_key_is_a_new_key(world: World, ann: bytes) -> None:
    give_recovery_key(world, ann)
    for new_key in (member_key("ann"), RECOVERY):
        assert refuse(world, "platform", MemberRekeyRequest(member=ann, new_key=new_key)) == "key_in_use"
        assert refuse(world, RECOVERY, MemberRekeyRecover(member=ann, new_key=new_key)) == "key_in_use"


def test_a_key_that_an_organisation_gets_meanwhile_stops_the_request(world: World, ann: bytes) -> None:
    request(world, ann)
    world.state.put(SIGNER, SignerRecord(organisation="firm-e", role=3, order=4), NEW)
    world.advance(VETO_DAYS)
    assert world.member(ann).key == member_key("ann")
    assert MemberRekeyStopped(member=ann, is_vetoed=False) in world.events


def test_the_recovery_key_replaces_the_key_at_once_and_what_was_pending_is_gone(world: World, ann: bytes) -> None:
    give_recovery_key(world, ann)
    request(world, ann, name_hash("thief"))
    do(world, RECOVERY, MemberRekeyRecover(member=ann, new_key=NEW))
    assert world.last_events == [MemberRekeyed(member=ann, new_key=NEW, is_recovered=True)]
    assert world.member(ann).key == NEW
    world.advance(VETO_DAYS)
    assert world.member(ann).key == NEW


def test_only_the_key_behind_the_recovery_hash_recovers(world: World, ann: bytes) -> None:
    call = MemberRekeyRecover(member=ann, new_key=NEW)
    for signer in (RECOVERY, member_key("ann"), NEW):
        assert refuse(world, signer, call) == "not_owner"
    assert refuse(world, RECOVERY, MemberRekeyRecover(member=name_hash("nobody"), new_key=NEW)) == "member_unknown"


def test_stopped_days_do_not_count(world: World, ann: bytes) -> None:
    request(world, ann)
    do(world, "bank", Pause(plan=PLAN_NAME, reason_hash=name_hash("reason")))
    world.advance(VETO_DAYS + 3)
    assert world.member(ann).key == member_key("ann")
    world.advance(5)
    assert world.member(ann).key == NEW


def test_an_ended_membership_gets_a_key_only_while_it_is_owed_something(world: World, ann: bytes) -> None:
    do(world, member_key("ann"), MemberLeave(member=ann))
    call = MemberRekeyRequest(member=ann, new_key=NEW)
    assert refuse(world, "platform", call) == "member_state"
    assert refuse(world, "platform", MemberRekeyRequest(member=name_hash("no"), new_key=NEW)) == "member_unknown"
    (refund,) = world.ready_instructions()
    world.acknowledge(refund, is_settled=False)
    request(world, ann)
    world.advance(VETO_DAYS)
    assert world.member(ann).key == NEW


# --- children ---


def add_child(world: World, parent: bytes, name: str = "kid") -> bytes:
    child = world.apply(name, guardian=parent, key="ann")
    world.verify(name, child, last_cover_year=2074)
    do(world, "platform", MemberAdmit(items=(child,)))
    world.credit(child, 5_000)
    return child


def test_a_guardians_new_key_carries_over_the_children_and_the_old_one_loses_them(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    assert may_sign(world, member_key("ann"), child)
    give_recovery_key(world, ann)
    do(world, RECOVERY, MemberRekeyRecover(member=ann, new_key=NEW))
    assert may_sign(world, NEW, child)
    assert not may_sign(world, member_key("ann"), child)
    do(world, NEW, MemberLeave(member=child))


def test_a_child_whose_guardian_died_gets_a_key_of_its_own(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    do(world, "bank", DeathReport(member=ann, document_hash=name_hash("certificate")))
    request(world, child)
    world.advance(VETO_DAYS)
    record = world.member(child)
    assert (record.key, record.guardian) == (NEW, None)
    assert world.member(ann).children == 0
    assert may_sign(world, NEW, child) and not may_sign(world, member_key("ann"), child)


def test_the_guardian_vetoes_another_key_of_the_child(world: World, ann: bytes) -> None:
    child = add_child(world, ann)
    request(world, child)
    do(world, member_key("ann"), MemberRekeyVeto(member=child))
    world.advance(VETO_DAYS)
    assert world.member(child).guardian == ann
    assert refuse(world, "platform", MemberRekeyRequest(member=child, new_key=member_key("ann"))) == "key_in_use"
