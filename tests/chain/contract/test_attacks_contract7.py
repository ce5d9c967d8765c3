"""The attacks of contract 7 on who is a member and who is ill, each by signed transactions on a ledger.

Each docstring names the rule that refuses the attack, or the public number that shows it. Here: ghosts and invented
patients. Payees, bills, objections and rules are in test_attacks_contract7_claims.py, custody in _money.py, count and
the history in _proofs.py.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chain.contract.claim_events import ThirdFirmAsked
from chain.contract.custody_tables import INSTRUCTION_AID
from chain.contract.ghost_audit import SAMPLE_SIZE, compute_ghost_bound, draw_ranks
from chain.contract.member_calls import GhostAuditReport, MemberAdmit
from chain.contract.person_tables import GHOST_DRAW
from chain.types import Hash
from tests.chain.contract.attack_chain import HONEST_FINDING, AttackChain, name_people, open_chain, start
from tests.chain.contract.attack_ledger import PLAN_NAME, hash_of

BRIBED = "assessor-1"


# --- ten thousand ghost members ---


def test_the_platform_alone_admits_no_ghost(tmp_path: Path) -> None:
    """Contract 5 *index_issue*, *member_admit*: `not_verified` without bank and auditor, `index_mismatch` where they do
    not mean the same person."""
    with open_chain(tmp_path) as chain:
        chain.apply(["ghost", "other"])
        admission = MemberAdmit(items=(chain.members["ghost"],))
        assert chain.send("platform", admission) == "not_verified"
        assert chain.send("platform", chain.build_verification(["ghost"])) == "wrong_role"
        assert chain.send("platform", chain.build_index(["ghost"])) == "wrong_role"
        assert chain.send("custodian", chain.build_verification(["ghost"])) == "success"
        assert chain.send("platform", admission) == "not_verified"
        assert chain.send("auditor-1", chain.build_index(["ghost"], person="somebody else")) == "index_mismatch"
        assert chain.send("platform", admission) == "not_verified"
        assert chain.pool.entered == 0


def test_one_person_is_one_member_however_many_names_he_applies_under(tmp_path: Path) -> None:
    """Contract 4, 5 *index_issue*: the blind index is free once, `person_duplicate` after that, in a batch too."""
    with open_chain(tmp_path) as chain:
        masks = name_people("mask", 40)
        chain.apply(masks)
        verified, issued, admitted = chain.send_all(
            ("custodian", chain.build_verification(masks, person="mr li")),
            ("auditor-1", chain.build_index(masks, person="mr li")),
            ("platform", MemberAdmit(items=tuple(chain.members[name] for name in masks))),
        )
        assert (verified.code, issued.code) == ("success", "success")
        assert admitted.items == ("success", *["person_duplicate"] * 39)
        again = name_people("late", 1)
        chain.apply(again)
        assert chain.send("custodian", chain.build_verification(again, person="mr li")) == "success"
        assert chain.send("auditor-1", chain.build_index(again, person="mr li")) == "person_duplicate"


def count_ghosts(chain: AttackChain) -> tuple[int, int]:
    """Let the auditor visit the drawn sample; return (ghosts in it, parts per million that the report excludes)."""
    draw = chain.require(GHOST_DRAW, PLAN_NAME, 0, 0)
    ranks = draw_ranks(
        Hash(draw.value), subject=(PLAN_NAME, 0, 0), members=draw.members, size=min(SAMPLE_SIZE, draw.members)
    )
    assert len(ranks) == len(dict.fromkeys(draw.sample)) == len(draw.sample)
    ghosts = [member for name, member in chain.members.items() if name.startswith("ghost")]
    in_sample = sum(member in ghosts for member in draw.sample)
    report = GhostAuditReport(
        plan=PLAN_NAME,
        pool=0,
        draw=0,
        sample_size=len(draw.sample),
        found=len(draw.sample) - in_sample,
        report_root=hash_of("visits"),
    )
    other = next(name for name in ("auditor-1", "auditor-2") if name != draw.auditor)
    assert chain.send(other, report) == "not_your_turn"
    assert chain.send(draw.auditor, replace(report, sample_size=10, found=10)) == "sample_mismatch"
    assert chain.send(draw.auditor, report) == "success"
    return in_sample, chain.require(GHOST_DRAW, PLAN_NAME, 0, 0).bound_ppm


def test_ghosts_of_platform_bank_and_auditor_stand_in_the_drawn_sample(tmp_path: Path) -> None:
    """ADR 0012: the public number is `bound_ppm` of the drawn sample; a third of ghosts shows as a third, and only a
    report of everybody found would exclude 1 % of them."""
    with open_chain(tmp_path) as chain:
        chain.join(name_people("member", 60))
        chain.join(name_people("ghost", 30))
        chain.advance(16)
        in_sample, bound = count_ghosts(chain)
        assert in_sample == 30
        assert bound == -(-30 * 1_000_000 // 90)
    assert compute_ghost_bound(members=1_000_000, sample_size=300, found=300) < 10_000
    assert compute_ghost_bound(members=30_000, sample_size=300, found=200) > 333_333


@pytest.mark.slow
def test_ten_thousand_ghosts_are_a_sixth_of_the_sample_and_of_the_published_bound(tmp_path: Path) -> None:
    """As above with ten thousand: 300 of 12,000 are drawn, so that none is missed with a chance below 6^-300."""
    with open_chain(tmp_path) as chain:
        chain.join(name_people("ghost", 10_000))
        chain.join(name_people("member", 2_000))
        chain.advance(16)
        # Twelve thousand deadlines of admission, all met, come up on the day of the charge: some blocks of reading.
        for _ in range(20):
            chain.send_all()
        in_sample, bound = count_ghosts(chain)
        assert in_sample > 200
        assert bound > 750_000


# --- three invented patients, one bribed assessor, one bribed hospital ---


def test_three_invented_patients_with_a_bribed_assessor_and_a_bribed_hospital_get_nothing(tmp_path: Path) -> None:
    """Contract 2, 5 *claim_decide*: an approval needs a majority of drawn firms (`no_majority`), the third firm is
    drawn where two differ, and silence of platform and auditors lets the reports decide: REJECTED."""
    with open_chain(tmp_path) as chain:
        people = start(chain)
        claims = [chain.file(name) for name in people[:3]]
        findings = {name: 1 if name == BRIBED else HONEST_FINDING for name in chain.organisations}
        for claim in claims:
            assert chain.certify(claim) == "success"
        chain.draw()
        assert [len(chain.list_firms(claim)) for claim in claims] == [2, 2, 2]
        for claim in claims:
            chain.report(claim, findings)
        disputed = [claim for claim in claims if BRIBED in chain.list_firms(claim)]
        assert chain.count_events(ThirdFirmAsked) == len(disputed)
        chain.draw()
        for claim in disputed:
            chain.report(claim, findings)
        for claim in claims:
            assert chain.status(claim) == "investigated"
            assert chain.send("platform", chain.build_decision(claim)) == "no_majority"
            assert chain.send("auditor-1", chain.build_decision(claim)) == "not_your_turn"
        chain.advance(15)
        assert chain.send("platform", chain.build_decision(claims[0])) == "deadline_passed"
        chain.advance(20)
        assert [chain.status(claim) for claim in claims] == ["rejected"] * 3
        assert [record for _, record in chain.ready() if record.kind == INSTRUCTION_AID] == []
        assert chain.pool.spent == 0


def test_a_bribed_assessor_takes_no_seat_that_the_lot_did_not_give_and_copies_no_report(tmp_path: Path) -> None:
    """Contract 5 *report_commit*: `not_drawn`, `reveal_too_early` until all have sealed, `commit_mismatch` for what is
    changed after another's report was seen."""
    with open_chain(tmp_path) as chain:
        people = start(chain)
        claim = chain.file(people[0])
        chain.draw()
        drawn = chain.list_firms(claim)
        stranger = next(name for name in chain.organisations if name.startswith("assessor") and name not in drawn)
        reveal = chain.build_report(claim, stranger, finding=1)
        assert chain.send(stranger, reveal) == "not_drawn"
        chain.report(claim, {drawn[0]: 1, drawn[1]: 1})
        assert chain.status(claim) == "investigated"
        assert chain.send(stranger, reveal) == "claim_state"
        second = chain.file(people[1])
        chain.draw()
        firms = chain.list_firms(second)
        reveals = {name: chain.build_report(second, name, finding=1) for name in firms}
        chain.seal(second, firms[0], reveals[firms[0]])
        assert chain.send(firms[0], reveals[firms[0]]) == "reveal_too_early"
        chain.seal(second, firms[1], reveals[firms[1]])
        assert chain.send(firms[1], replace(reveals[firms[1]], finding=0)) == "commit_mismatch"
