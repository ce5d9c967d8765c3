"""Claims of the dead and of children: who signs, and who is paid."""

from functools import partial

import pytest
from msgspec.structs import replace

from chain.contract.claim_calls import ClaimFile, ClaimPayee, ClaimWithdraw
from chain.contract.claim_filing import apply_claim_file
from chain.contract.claim_tables import CLAIM, CLAIM_ELIGIBLE, CLAIM_WITHDRAWN
from chain.contract.half_events import HalfSigned
from chain.contract.halves import HALF, hash_call, on_half_due
from chain.contract.tables import MEMBER_DIED
from chain.types import TxId
from tests.chain.contract.claim_world import FIRST_DAY, PLAN_NAME, START_DAY, ClaimWorld, name_hash

COVER_FROM = START_DAY + 90
HEIR = name_hash("key", "heir")


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ben")
    past = ((COVER_FROM, FIRST_DAY - 10, START_DAY + 1),)
    world.add_member("ann", status=MEMBER_DIED, is_leaf=False, x=0, past=past)
    return world


def build_file(heir: bytes | None = HEIR, payee_kind: int = 2, member: str = "ann") -> ClaimFile:
    return ClaimFile(
        member=name_hash("member", member),
        cause=0,
        diagnosed_day=FIRST_DAY - 20,
        evidence_root=name_hash("evidence"),
        bill_tags=(),
        asked_row=0,
        payee_kind=payee_kind,
        heir=heir,
    )


def file(world: ClaimWorld, signer: str, call: ClaimFile) -> TxId:
    context = world.build_context(signer)
    apply_claim_file(world.state, context, call)
    return context.tx_id


@pytest.mark.parametrize("signers", [("heir", "audit-two"), ("audit-one", "heir")])
def test_an_heir_and_an_auditor_file_for_a_dead_member(world: ClaimWorld, signers: tuple[str, str]) -> None:
    first, second = signers
    half = file(world, first, build_file())
    assert world.state.get(CLAIM, half) is None
    assert isinstance(world.events[-1], HalfSigned)
    claim_id = file(world, second, build_file())
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.member, claim.payee_kind) == (CLAIM_ELIGIBLE, name_hash("member", "ann"), 2)
    assert world.get_member(claim.member).claim == claim_id
    assert world.state.get(HALF, PLAN_NAME, hash_call(build_file())) is None


def test_neither_the_dead_members_key_nor_an_heir_without_an_auditor_files(world: ClaimWorld) -> None:
    assert world.refused(partial(file, world, "ann", build_file(heir=None))) == "heir_invalid"
    assert world.refused(partial(file, world, "ann", build_file(heir=name_hash("key", "ann")))) == "heir_invalid"
    assert world.refused(partial(file, world, "ann", build_file())) == "wrong_role"
    assert world.refused(partial(file, world, "platform", build_file())) == "wrong_role"
    file(world, "heir", build_file())
    assert world.refused(partial(file, world, "heir", build_file())) == "already"
    assert world.get_member(name_hash("member", "ann")).claim is None


def test_an_organisation_is_no_heir(world: ClaimWorld) -> None:
    call = build_file(heir=name_hash("key", "platform"))
    assert world.refused(partial(file, world, "platform", call)) == "heir_invalid"


def test_a_living_member_has_no_heir(world: ClaimWorld) -> None:
    call = build_file(member="ben", payee_kind=0)
    assert world.refused(partial(file, world, "ben", call)) == "heir_invalid"
    assert world.refused(partial(file, world, "heir", call)) == "not_owner"


def test_what_a_filing_must_satisfy_is_asked_of_the_heirs_first_signature_too(world: ClaimWorld) -> None:
    assert world.refused(partial(file, world, "heir", build_file(payee_kind=0))) == "value_out_of_range"
    assert world.refused(partial(file, world, "heir", build_file(payee_kind=1))) == "value_out_of_range"
    assert world.refused(partial(file, world, "audit-one", replace(build_file(), asked_row=99))) == "row_unknown"


def test_a_filing_that_the_auditor_does_not_join_is_forgotten(world: ClaimWorld) -> None:
    file(world, "heir", build_file())
    half = hash_call(build_file())
    due_day = world.state.require(HALF, PLAN_NAME, half).due_day
    on_half_due(world.state, world.build_context(), PLAN_NAME, half, due_day)
    assert world.state.get(HALF, PLAN_NAME, half) is None
    assert world.get_member(name_hash("member", "ann")).claim is None


def test_heir_and_auditor_withdraw_and_name_the_payee_together(world: ClaimWorld) -> None:
    file(world, "heir", build_file())
    claim_id = file(world, "audit-one", build_file())
    member_id = name_hash("member", "ann")
    world.change_claim(claim_id, payee_kind=0)
    payee = ClaimPayee(member=member_id, claim=claim_id, payee_kind=2, heir=HEIR)
    world.act("heir", payee)
    assert world.get_claim(claim_id).payee_kind == 0
    world.act("audit-two", payee)
    assert world.get_claim(claim_id).payee_kind == 2
    alone = ClaimWithdraw(member=member_id, claim=claim_id)
    assert world.refused(partial(world.act, "ann", alone)) == "heir_invalid"
    withdraw = ClaimWithdraw(member=member_id, claim=claim_id, heir=HEIR)
    world.act("audit-two", withdraw)
    assert world.get_claim(claim_id).status == CLAIM_ELIGIBLE
    world.act("heir", withdraw)
    assert world.get_claim(claim_id).status == CLAIM_WITHDRAWN


def test_the_guardian_of_a_child_that_died_still_speaks_for_it(world: ClaimWorld) -> None:
    world.change_member(name_hash("member", "ann"), guardian=name_hash("member", "ben"))
    assert world.refused(partial(file, world, "ben", build_file())) == "heir_invalid"
    claim_id = file(world, "ben", build_file(heir=None, payee_kind=1))
    assert world.get_claim(claim_id).status == CLAIM_ELIGIBLE


def test_a_dead_guardian_speaks_for_nobody(world: ClaimWorld) -> None:
    world.change_member(name_hash("member", "ann"), guardian=name_hash("member", "ben"))
    world.change_member(name_hash("member", "ben"), status=MEMBER_DIED)
    assert world.refused(partial(file, world, "ben", build_file(heir=None))) == "heir_invalid"
    file(world, "heir", build_file())
    assert world.get_claim(file(world, "audit-one", build_file())).status == CLAIM_ELIGIBLE
