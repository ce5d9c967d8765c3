"""Sealed reports, blind to each other, the third firm, and the certificate."""

import hashlib
from functools import partial

import pytest
from msgspec.structs import replace

from chain.contract.claim_calls import ReportCommit, ReportReveal
from chain.contract.claim_report import apply_report_commit, hash_report
from chain.contract.claim_status import DUE_COMMIT, DUE_DECISION, DUE_REVEAL, get_majority
from chain.contract.claim_tables import CLAIM_APPROVED, CLAIM_ASSIGNED, CLAIM_INVESTIGATED
from chain.contract.tables import ROSTER
from tests.chain.contract.claim_world import ROW_MILD, ClaimWorld, name_hash


@pytest.fixture
def world() -> ClaimWorld:
    world = ClaimWorld()
    world.add_member("ann")
    return world


# --- commit ---


def test_a_report_is_sealed_once_and_never_exchanged(world: ClaimWorld) -> None:
    claim_id, first, _ = world.assign()
    assert world.refused(lambda: world.commit(claim_id, first)) == "claim_state"
    world.accept(claim_id, first)
    world.commit(claim_id, first)
    assert world.refused(lambda: world.commit(claim_id, first)) == "already"
    assert world.refused(lambda: world.commit(claim_id, first, row=ROW_MILD)) == "conflict"


def test_only_drawn_firms_seal_reports(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    other = next(name for name in world.state.require(ROSTER, 3).names if name not in (first, second))
    assert world.refused(lambda: world.commit(claim_id, other)) == "not_drawn"
    assert world.refused(lambda: world.commit(claim_id, "ann")) == "wrong_role"
    unknown = ReportCommit(claim=name_hash("none"), hash=name_hash("hash"))
    act = lambda: apply_report_commit(world.state, world.build_context(first), unknown)  # noqa: E731
    assert world.refused(act) == "claim_unknown"


def test_the_days_of_revealing_begin_when_both_have_committed(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    world.accept(claim_id, second)
    world.commit(claim_id, first)
    assert world.get_claim(claim_id).due_kind == DUE_COMMIT
    world.advance(1)
    world.commit(claim_id, second)
    claim = world.get_claim(claim_id)
    assert (claim.due_kind, claim.due_day) == (DUE_REVEAL, world.today + 3)


# --- reveal ---


def test_a_report_is_opened_only_after_every_seat_has_committed(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    world.accept(claim_id, second)
    world.commit(claim_id, first)
    assert world.refused(lambda: world.open_report(claim_id, first)) == "reveal_too_early"
    world.commit(claim_id, second)
    world.open_report(claim_id, first)


def test_while_a_silent_firm_is_replaced_the_sealed_report_stays_sealed(world: ClaimWorld) -> None:
    """Opened now, it could be copied by whoever takes the vacant seat."""
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    world.accept(claim_id, second)
    world.commit(claim_id, first)
    world.advance(20)
    assert world.list_firms(claim_id) == [first]
    assert world.refused(lambda: world.open_report(claim_id, first)) == "reveal_too_early"
    world.advance(1)
    third = world.list_firms(claim_id)[1]
    world.seal(claim_id, third)
    assert world.get_claim(claim_id).due_kind == DUE_REVEAL
    world.open_report(claim_id, first)
    world.open_report(claim_id, third)
    assert world.get_claim(claim_id).status == CLAIM_INVESTIGATED


def test_a_firm_that_never_reveals_is_replaced_and_the_revealed_report_stays(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, second)
    world.open_report(claim_id, first)
    world.advance(3)
    assert world.list_firms(claim_id) == [first]
    world.advance(1)
    third = world.list_firms(claim_id)[1]
    world.seal(claim_id, third)
    world.open_report(claim_id, third)
    assert world.get_claim(claim_id).status == CLAIM_INVESTIGATED


@pytest.mark.parametrize(
    "change",
    [
        {"finding": 0},
        {"established_day": 20_000},
        {"row": ROW_MILD},
        {"clauses": ("9.9",)},
        {"report_root": name_hash("other")},
        {"salt": name_hash("other")},
    ],
)
def test_what_is_revealed_must_be_what_was_committed(world: ClaimWorld, change: dict[str, object]) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, second)
    assert world.refused(lambda: world.open_report(claim_id, first, **change)) == "commit_mismatch"


def test_a_commitment_copied_from_another_firm_cannot_be_opened(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    world.accept(claim_id, second)
    world.commit(claim_id, first)
    copied = world.get_claim(claim_id).firms[0].commit_hash
    assert copied is not None
    call = ReportCommit(claim=claim_id, hash=copied)
    apply_report_commit(world.state, world.build_context(second), call)
    world.open_report(claim_id, first)
    stolen = world.build_reveal(claim_id, first)
    assert hash_report(second, stolen) != copied
    code = world.refused(lambda: world.open_report(claim_id, second, **_get_secrets(stolen)))
    assert code == "commit_mismatch"


def _get_secrets(report: ReportReveal) -> dict[str, object]:
    return {"salt": report.salt, "report_root": report.report_root}


def test_the_commitment_is_the_written_hash_of_a_golden_report() -> None:
    report = ReportReveal(
        claim=bytes(32),
        finding=1,
        established_day=20_119,
        row=2,
        clauses=("4.1", "4.2"),
        report_root=bytes([1]) * 32,
        salt=bytes([2]) * 32,
    )
    written = (
        b"gongji/report/v1\n"
        + b"\x92\xa6firm-a"
        + b"\x98\xadreport_reveal\xc4\x20"
        + bytes(32)
        + b"\x01\xcd\x4e\x97\x02\x92\xa34.1\xa34.2\xc4\x20"
        + bytes([1]) * 32
        + b"\xc4\x20"
        + bytes([2]) * 32
    )
    assert hash_report("firm-a", report) == hashlib.sha256(written).digest()
    assert hash_report("firm-b", report) != hash_report("firm-a", report)
    assert hash_report("firm-a", replace(report, claim=bytes([3]) * 32)) != hash_report("firm-a", report)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"established_day": 20_200}, "day_in_future"),
        ({"row": 4}, "row_unknown"),
        ({"finding": 0, "clauses": ()}, "clauses_missing"),
    ],
)
def test_a_report_that_no_decision_could_rest_on_is_refused(
    world: ClaimWorld, change: dict[str, object], code: str
) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, second, **change)
    assert world.refused(lambda: world.open_report(claim_id, first, **change)) == code


def test_a_report_is_revealed_once(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, second)
    world.open_report(claim_id, first)
    assert world.refused(lambda: world.open_report(claim_id, first)) == "already"
    world.open_report(claim_id, second)
    assert world.refused(lambda: world.open_report(claim_id, second)) == "claim_state"


def test_two_reports_that_say_the_same_go_to_the_platform_for_fifteen_days(world: ClaimWorld) -> None:
    claim = world.get_claim(world.investigate())
    assert claim.status == CLAIM_INVESTIGATED
    assert (claim.escalation, claim.due_kind, claim.due_day) == (0, DUE_DECISION, world.today + 15)


# --- the third firm ---


@pytest.mark.parametrize(
    "change", [{"finding": 0}, {"established_day": 20_110}, {"row": ROW_MILD}], ids=["finding", "day", "row"]
)
def test_any_difference_in_finding_day_or_row_asks_a_third_firm(world: ClaimWorld, change: dict[str, object]) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first)
    world.seal(claim_id, second, **change)
    world.open_report(claim_id, first)
    world.open_report(claim_id, second, **change)
    claim = world.get_claim(claim_id)
    assert (claim.status, claim.seats) == (CLAIM_ASSIGNED, 3)
    world.advance(2)
    third = world.list_firms(claim_id)[2]
    world.seal(claim_id, third)
    world.open_report(claim_id, third)
    claim = world.get_claim(claim_id)
    majority = get_majority(claim)
    assert claim.status == CLAIM_INVESTIGATED
    assert majority is not None
    assert majority.organisation == first
    world.certify(claim_id)
    world.decide(claim_id)
    assert world.get_claim(claim_id).status == CLAIM_APPROVED


def test_clauses_and_report_roots_may_differ_without_a_third_firm(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first)
    world.seal(claim_id, second, clauses=("4.2",))
    world.open_report(claim_id, first)
    world.open_report(claim_id, second, clauses=("4.2",))
    assert world.get_claim(claim_id).status == CLAIM_INVESTIGATED


# --- the certificate ---


@pytest.mark.parametrize("source", [0, 1])
def test_a_hospital_certifies_a_record_or_an_e_bill_before_or_after_the_draw(source: int) -> None:
    world = ClaimWorld()
    world.add_member("ann")
    claim_id = world.file("ann", bill_tags=(name_hash("bill"),))
    world.certify(claim_id, source=source)
    assert world.get_claim(claim_id).certificate == (source, name_hash("record"))
    assert world.refused(lambda: world.certify(claim_id, source=source)) == "already"
    assert world.refused(lambda: world.certify(claim_id, source=source, document="other")) == "conflict"
    assert world.refused(lambda: world.certify(claim_id, source=1 - source)) == "conflict"


def test_a_visit_counts_when_two_drawn_firms_attest_the_same(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.certify(claim_id, first, source=2, document="mistaken")
    world.certify(claim_id, second, source=2)
    assert world.get_claim(claim_id).certificate is None
    assert world.refused(lambda: world.certify(claim_id, second, source=2)) == "already"
    world.certify(claim_id, first, source=2)
    assert world.get_claim(claim_id).certificate == (2, name_hash("record"))


def test_the_attestation_of_a_replaced_firm_does_not_count(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.accept(claim_id, first)
    world.certify(claim_id, second, source=2)
    world.advance(3)
    world.certify(claim_id, first, source=2)
    assert world.get_claim(claim_id).certificate is None


def test_a_certificate_covers_exactly_the_claims_bills(world: ClaimWorld) -> None:
    """Else a member could hand in tags of bills that do not exist, and use each real bill as often as he likes."""
    one, two = name_hash("bill", 1), name_hash("bill", 2)
    claim_id = world.file("ann", bill_tags=(one, two))
    for bills in ((), (one,), (two, one), (one, two, name_hash("bill", 3))):
        assert world.refused(partial(world.certify, claim_id, bills=bills)) == "bills_not_certified"
    world.certify(claim_id)
    assert world.get_claim(claim_id).certificate is not None


def test_an_e_bill_certifies_no_claim_without_bills(world: ClaimWorld) -> None:
    claim_id = world.file("ann")
    assert world.refused(lambda: world.certify(claim_id, source=1)) == "bills_not_certified"
    world.certify(claim_id, source=0)


def test_a_report_cites_clauses_of_the_rules_that_the_member_pinned(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    world.seal(claim_id, first, second, clauses=("4.1", "99.9"))
    assert world.refused(lambda: world.open_report(claim_id, first, clauses=("4.1", "99.9"))) == "clause_unknown"


def test_each_source_has_its_own_signers(world: ClaimWorld) -> None:
    claim_id, first, second = world.assign()
    other = next(name for name in world.state.require(ROSTER, 3).names if name not in (first, second))
    assert world.refused(lambda: world.certify(claim_id, first, source=0)) == "wrong_role"
    assert world.refused(lambda: world.certify(claim_id, "platform", source=1)) == "wrong_role"
    assert world.refused(lambda: world.certify(claim_id, "clinic", source=2)) == "wrong_role"
    assert world.refused(lambda: world.certify(claim_id, "ann", source=0)) == "wrong_role"
    assert world.refused(lambda: world.certify(claim_id, other, source=2)) == "not_drawn"
    assert world.refused(lambda: world.certify(name_hash("none"), bills=())) == "claim_unknown"


def test_a_decided_claim_takes_no_certificate(world: ClaimWorld) -> None:
    claim_id = world.approve()
    assert world.refused(lambda: world.certify(claim_id)) == "claim_state"
