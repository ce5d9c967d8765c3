"""Claims for which the end of a plan waits (contract 3.5 *wind-down*)."""

import pytest
from msgspec.structs import replace

from chain.contract.claim_calls import ClaimConfirm, ClaimDecide, ClaimFile
from chain.contract.claim_open import WAIT_DAYS, drop, get_open_claims, note_ended
from chain.contract.claim_tables import (
    CLAIM,
    CLAIM_APPEALED,
    CLAIM_NOTICED,
    CLAIM_PAID,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
)
from chain.contract.tables import MEMBER, PLAN
from chain.contract.wind_tables import OPEN_CLAIM, OpenClaimRecord
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import PLAN_NAME, name_hash


@pytest.fixture
def path() -> ClaimPath:
    return ClaimPath()


def join(path: ClaimPath) -> bytes:
    for number in range(1, 12):
        path.join(f"m{number}", 20_000)
    member = path.join("m0", 20_000)
    path.advance(3)
    return member


def is_open(path: ClaimPath, claim: bytes) -> bool:
    return path.state.get(OPEN_CLAIM, PLAN_NAME, path.claim(claim).number) is not None


def count(path: ClaimPath) -> int:
    return get_open_claims(path.state, PLAN_NAME).count


def test_claim_is_open_from_its_filing_until_it_is_paid(path: ClaimPath) -> None:
    member = join(path)
    claim = path.file("m0", member, day=path.today, row=1, cause=1)
    assert (is_open(path, claim), count(path)) == (True, 1)
    path.draw()
    path.report(claim)
    path.succeed("platform", ClaimDecide(claim=claim, is_approved=True, row=1, clauses=()))
    while path.claim(claim).status != CLAIM_NOTICED or path.today < path.claim(claim).due_day + 1:
        path.advance(1)
    period = path.claim(claim).period
    confirmer, cosigner = ("audit-one", "audit-two") if period % 2 == 0 else ("audit-two", "audit-one")
    path.succeed(confirmer, ClaimConfirm(items=(claim,)))
    while path.pool.settlements == period:
        path.advance(1)
    assert is_open(path, claim)
    path.sign_batch(period, ("platform", cosigner))
    for instruction in path.ready_instructions():
        path.acknowledge(instruction)
    assert path.claim(claim).status == CLAIM_PAID
    assert (is_open(path, claim), count(path)) == (False, 0)


def test_refused_claim_is_waited_for_as_long_as_it_may_be_appealed(path: ClaimPath) -> None:
    member = join(path)
    call = ClaimFile(
        member=member,
        cause=0,
        diagnosed_day=path.today - 300,
        evidence_root=name_hash("evidence"),
        bill_tags=(),
        asked_row=1,
        payee_kind=0,
    )
    path.succeed(name_hash("member", "m0"), call)
    claim = path.last_tx
    assert (path.claim(claim).status, is_open(path, claim)) == (CLAIM_REFUSED, True)
    path.advance(WAIT_DAYS - 1)
    assert is_open(path, claim)
    path.advance(1)
    assert (is_open(path, claim), count(path)) == (False, 0)


@pytest.mark.parametrize("status", [CLAIM_REJECTED, CLAIM_APPEALED])
def test_claim_that_was_appealed_is_waited_for_anew(path: ClaimPath, status: int) -> None:
    member = join(path)
    claim = path.file("m0", member, day=path.today, row=1, cause=1)
    path.state.put(CLAIM, replace(path.claim(claim), status=CLAIM_REJECTED), claim)
    note_ended(path.state, claim, path.claim(claim))
    # The appeal makes it the member's open one again, whatever its status says meanwhile.
    path.state.put(CLAIM, replace(path.claim(claim), status=status), claim)
    assert path.member(member).claim == claim
    path.advance(WAIT_DAYS + 1)
    assert is_open(path, claim)
    path.state.put(CLAIM, replace(path.claim(claim), status=CLAIM_REJECTED), claim)
    path.state.put(MEMBER, replace(path.member(member), claim=None), member)
    note_ended(path.state, claim, path.claim(claim))
    path.advance(WAIT_DAYS)
    assert not is_open(path, claim)


def test_beginning_of_the_open_claims_moves_over_those_that_are_gone(path: ClaimPath) -> None:
    plan = path.plan
    path.state.put(PLAN, replace(plan, claims_filed=40), PLAN_NAME)
    for number in range(1, 41):
        claim = OpenClaimRecord(claim=name_hash("claim", number), aside=0, is_over=False)
        path.state.put(OPEN_CLAIM, claim, PLAN_NAME, number)
    for number in range(2, 40):
        drop(path.state, PLAN_NAME, number)
        assert get_open_claims(path.state, PLAN_NAME).first == 1
    drop(path.state, PLAN_NAME, 1)
    assert get_open_claims(path.state, PLAN_NAME).first == 17
    drop(path.state, PLAN_NAME, 40)
    assert get_open_claims(path.state, PLAN_NAME).first == 33
