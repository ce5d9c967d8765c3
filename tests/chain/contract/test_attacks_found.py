"""Calls, and orders of calls and days, that once paid twice, never ended, or were signed by the wrong party."""

from msgspec.structs import replace

from chain.catalogue import get_entry
from chain.contract.calendar import compute_new_year_day
from chain.contract.claim_calls import (
    AssessorAccept,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.claim_status import get_active
from chain.contract.claim_tables import CLAIM_EXPIRED, CLAIM_PAID, CLAIM_PAY_FAILED, CLAIM_REJECTED
from chain.contract.custody_tables import INSTRUCTION_FAILED, INSTRUCTION_REFUND, INSTRUCTION_RETURN
from chain.contract.events import AutomaticFault
from chain.contract.guardian import MAJORITY_YEARS
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    DeathReport,
    DeathRevoke,
    GuardianHandOver,
    IndexEpochOpen,
    IndexIssue,
    IndexIssueItem,
    IndexReissue,
    IndexReissueItem,
    MemberAdmit,
    MemberLeave,
    MemberRekeyRecover,
)
from chain.contract.money_calls import InstructionUnclaimed
from chain.contract.settlement_tables import PERIOD_COMPUTED
from chain.contract.tables import (
    MEMBER,
    MEMBER_AGED_OUT,
    MEMBER_CLAIMED_OUT,
    MEMBER_DIED,
    MEMBER_EXPIRED,
    MEMBER_QUEUED,
    MEMBER_VERIFIED,
    PLAN_ACTIVE,
    PLAN_ENDED,
    PLAN_WIND_DOWN,
)
from chain.contract.unclaimed import UNCLAIMED_DAYS
from chain.contract.wind_down import END_DAYS, RUN_OFF_DAYS, begin_wind_down
from chain.contract.wind_tables import CAUSE_VOTE, CLOSED_POOL, WIND_DOWN
from chain.crypto import sha256
from tests.chain.contract.acts import do, member_key, refuse
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, build_terms, name_hash

SEVERE_FEN, MILD_FEN = 300_000, 50_000
SUCCESS = 0


class Path(ClaimPath):
    """Members without waiting days or caps, and the usual way of a claim to its money."""

    def __init__(self, *, members: int = 20, **terms: str) -> None:
        caps = {"cap_per_case_fen": "", "cap_per_year_fen": ""}
        super().__init__(build_terms(waiting_days="0", deposit_max_fen="100_000", **caps, **terms))
        self.reports: list[tuple[str, ReportReveal]] = []
        for number in range(members):
            self.join(f"m{number}", 90_000)

    def leave_window(self) -> None:
        while self.pool.is_window:
            self.advance(1)

    def enter_window(self) -> None:
        while not self.pool.is_window:
            self.advance(1)

    def join_again(self, name: str, person: str) -> bytes:
        """Let a person who has left join anew, verified as the same person."""
        member = self.apply(name)
        index = name_hash("person", person)
        verified = AccountVerifyItem(
            member=member,
            person_index=index,
            account_token=name_hash("token", person),
            holder_kind=0,
            key_challenge_hash=name_hash("challenge", name),
            last_cover_year=2060,
        )
        do(self, "bank", AccountVerify(items=(verified,)))
        do(self, "audit-one", IndexIssue(items=(IndexIssueItem(member=member, person_index=index, epoch=0),)))
        do(self, "platform", MemberAdmit(items=(member,)))
        assert self.credit(member, 90_000).items == (SUCCESS,)
        return member

    def approve(self, claim_id: bytes) -> None:
        self.report(claim_id)
        row = self.claim(claim_id).asked_row
        do(self, "platform", ClaimDecide(claim=claim_id, is_approved=True, row=row, clauses=("4.1",)))

    def build_report(self, claim_id: bytes, firm: str, *, day: int) -> ReportReveal:
        return ReportReveal(
            claim=claim_id,
            finding=1,
            established_day=day,
            row=self.claim(claim_id).asked_row,
            clauses=("4.1",),
            report_root=name_hash("report", firm),
            salt=name_hash("salt", firm),
        )

    def run(self, days: int, *claims: bytes) -> None:
        """Let days pass on which auditors confirm, batches are signed and the bank pays."""
        for _ in range(days):
            for auditor in ("audit-one", "audit-two"):
                for claim_id in claims:
                    self.call(auditor, ClaimConfirm(items=(claim_id,)))
            for number in range(self.pool.settlements):
                period = self.period(number)
                if period.status == PERIOD_COMPUTED:
                    self.sign_batch(number, ("platform", period.cosigner or ""))
            for instruction in self.ready_instructions():
                assert self.acknowledge(instruction).items == (SUCCESS,)
            self.advance(1)


# --- a person who is paid twice ---


def leave_and_join(path: Path) -> tuple[bytes, bytes]:
    """Return the old and the new membership of one person."""
    first = path.join("p", 90_000)
    path.advance(3)
    path.leave_window()
    do(path, member_key("p"), MemberLeave(member=first))
    second = path.join_again("p-again", "p")
    path.advance(2)
    path.leave_window()
    return first, second


def test_one_person_with_an_old_and_a_new_membership_gets_the_main_benefit_once() -> None:
    path = Path()
    first, second = leave_and_join(path)
    old = path.file("p", first, day=path.member(first).past[-1][1], row=0)
    new = path.file("p-again", second, day=path.today, row=0, cause=1)
    path.draw()
    for claim_id in (old, new):
        path.approve(claim_id)
    path.run(60, old, new)
    assert sum(path.claim(claim_id).paid for claim_id in (old, new)) == SEVERE_FEN
    assert {path.claim(claim_id).status for claim_id in (old, new)} == {CLAIM_PAID, CLAIM_REJECTED}
    assert path.member(first).status == path.member(second).status == MEMBER_CLAIMED_OUT


def test_a_mild_benefit_of_the_old_membership_does_not_cost_the_new_one_its_main_benefit() -> None:
    path = Path()
    first, second = leave_and_join(path)
    old = path.file("p", first, day=path.member(first).past[-1][1], row=1)
    new = path.file("p-again", second, day=path.today, row=0, cause=1)
    path.draw()
    for claim_id in (old, new):
        path.approve(claim_id)
    path.run(60, old, new)
    assert [path.claim(claim_id).paid for claim_id in (old, new)] == [MILD_FEN, SEVERE_FEN]


def test_one_diagnosis_is_paid_once_whichever_cause_it_is_filed_under() -> None:
    path = Path()
    member = path.join("p", 90_000)
    path.advance(3)
    day = path.today
    claim_id = path.file("p", member, day=day, row=1, cause=0)
    path.draw()
    path.approve(claim_id)
    path.run(40, claim_id)
    assert path.claim(claim_id).paid == MILD_FEN
    again = ClaimFile(
        member=member,
        cause=1,
        diagnosed_day=day,
        evidence_root=name_hash("evidence"),
        bill_tags=(),
        asked_row=1,
        payee_kind=0,
    )
    assert refuse(path, member_key("p"), again) == "case_decided"
    # Stated for another day, but established for that one by the firms: decided all the same.
    do(path, member_key("p"), replace(again, diagnosed_day=day + 1))
    other = path.last_tx
    path.draw()
    claim = path.claim(other)
    for firm in [firm.organisation for firm in get_active(claim)]:
        do(path, firm, AssessorAccept(claim=other))
        report = path.build_report(other, firm, day=day)
        path.reports.append((firm, report))
        do(path, firm, ReportCommit(claim=other, hash=hash_report(firm, report)))
    for firm, report in path.reports:
        do(path, firm, report)
    decision = ClaimDecide(claim=other, is_approved=True, row=1, clauses=("4.1",))
    assert refuse(path, "platform", decision) == "case_decided"


# --- the end of a plan that never came ---


def end_plan(path: ClaimPath) -> None:
    begin_wind_down(path.state, path.context("vote"), PLAN_NAME, cause=CAUSE_VOTE, by="vote")


def test_a_stranger_who_closes_his_account_does_not_keep_a_plan_from_its_end() -> None:
    path = Path(members=3)
    end_plan(path)
    path.run(RUN_OFF_DAYS - 10)
    assert path.credit(None, 1).items == (SUCCESS,)
    failed: list[bytes] = []
    while not failed or path.today < path.instruction(failed[0]).booking_day + UNCLAIMED_DAYS:
        for instruction in path.ready_instructions():
            is_return = path.instruction(instruction).kind == INSTRUCTION_RETURN
            assert path.acknowledge(instruction, is_settled=not is_return).items == (SUCCESS,)
            failed.extend([instruction] if is_return else [])
        path.advance(1)
    assert path.plan.status == PLAN_WIND_DOWN
    assert (path.pool.cash, path.pool.unmatched + path.pool.outgoing) == (1, 1)
    call = InstructionUnclaimed(account=ACCOUNT_NAME, items=(failed[0],))
    while path.pool.unmatched == 0:
        # Another try is under way: it may still arrive.
        assert refuse(path, "bank", call) == "instruction_state"
        for instruction in path.ready_instructions():
            path.acknowledge(instruction, is_settled=False)
    assert refuse(path, "bank", replace(call, items=(failed[-1],))) == "not_unclaimed_yet"
    do(path, "bank", call)
    do(path, "audit-one", call)
    assert path.pool.unmatched == 0
    path.run(10)
    assert (path.plan.status, path.pool.cash) == (PLAN_ENDED, 0)


def test_a_member_who_died_without_heirs_does_not_keep_a_plan_from_its_end() -> None:
    path = Path(members=3)
    member = path.join("p", 90_000)
    path.advance(2)
    do(path, "bank", DeathReport(member=member, document_hash=name_hash("death")))
    assert path.member(member).status == MEMBER_DIED
    assert path.balance(member) == 90_000
    end_plan(path)
    path.run(RUN_OFF_DAYS + 10)
    assert (path.plan.status, path.pool.cash) == (PLAN_WIND_DOWN, 90_000)
    held = [
        item
        for item in dict.fromkeys(getattr(event, "instruction", None) for event in path.events)
        if item is not None
        and (path.instruction(item).kind, path.instruction(item).state) == (INSTRUCTION_REFUND, INSTRUCTION_FAILED)
    ]
    assert [path.instruction(item).amount for item in held] == [90_000]
    call = InstructionUnclaimed(account=ACCOUNT_NAME, items=tuple(held))
    assert refuse(path, "bank", call) == "not_unclaimed_yet"
    path.advance(UNCLAIMED_DAYS - RUN_OFF_DAYS)
    do(path, "bank", call)
    do(path, "audit-one", call)
    path.run(10)
    assert (path.plan.status, path.pool.cash) == (PLAN_ENDED, 0)


def test_a_claim_for_which_nothing_was_left_to_set_aside_ends_when_it_wins() -> None:
    path = Path(members=3)
    member = path.join("p", 90_000)
    path.advance(3)
    path.leave_window()
    end_plan(path)
    path.advance(150)
    claim_id = path.file("p", member, day=path.plan.wind_day, row=0)
    path.draw()
    path.report(claim_id)
    do(path, "platform", ClaimDecide(claim=claim_id, is_approved=True, row=0, clauses=("4.1",)))
    # Eight notices without a confirmation would end it before the 540 days: so they are over sooner here.
    path.state.put(WIND_DOWN, replace(path.state.require(WIND_DOWN, PLAN_NAME), day=path.today - END_DAYS), PLAN_NAME)
    while path.state.get(CLOSED_POOL, PLAN_NAME, 0) is None:
        path.advance(1)
    assert path.pool.carry == 0
    path.run(20)
    claim = path.claim(claim_id)
    assert (claim.status, claim.reason) == (CLAIM_EXPIRED, get_entry("pool_closed").number)
    assert path.member(member).claim is None
    assert (path.plan.status, path.pool.cash) == (PLAN_ENDED, 0)


def test_somebody_queued_and_wrongly_reported_dead_is_refunded_in_the_end() -> None:
    path = Path(members=3)
    path.enter_window()
    member = path.join("p", 90_000)
    assert path.member(member).status == MEMBER_QUEUED
    do(path, "bank", DeathReport(member=member, document_hash=name_hash("death")))
    assert path.member(member).status == MEMBER_DIED
    end_plan(path)
    path.run(40)
    revoke = DeathRevoke(member=member)
    do(path, member_key("p"), revoke)
    do(path, "audit-one", revoke)
    assert path.member(member).status == MEMBER_VERIFIED
    path.run(RUN_OFF_DAYS + 20)
    assert path.member(member).status == MEMBER_EXPIRED
    assert (path.plan.status, path.pool.cash) == (PLAN_ENDED, 0)


# --- halves of keys that are no more ---


def test_what_a_stolen_key_signed_counts_no_more_once_the_key_was_replaced() -> None:
    path = Path(members=3)
    guardian = path.join("parent", 90_000)
    child = path.apply("child", guardian=guardian, key="parent")
    path.verify("child", child, last_cover_year=2026 + 60 - MAJORITY_YEARS - 1)
    do(path, "platform", MemberAdmit(items=(child,)))
    thief = name_hash("thief")
    stolen = GuardianHandOver(member=child, new_key=thief)
    do(path, member_key("parent"), stolen)
    recovery = name_hash("recovery-key")
    record = path.member(guardian)
    path.state.put(MEMBER, replace(record, recovery_hash=sha256(recovery)), guardian)
    do(path, recovery, MemberRekeyRecover(member=guardian, new_key=name_hash("new")))
    outcome = path.call(thief, stolen)
    assert outcome.number == SUCCESS
    assert path.member(child).key != thief
    do(path, name_hash("new"), GuardianHandOver(member=child, new_key=name_hash("grown")))
    do(path, name_hash("grown"), GuardianHandOver(member=child, new_key=name_hash("grown")))
    assert path.member(child).key == name_hash("grown")


# --- what a claim says of its money ---


def test_a_rest_that_is_ended_does_not_hide_that_an_earlier_part_could_not_be_paid() -> None:
    path = Path(members=3, unpaid='"carry"', carry_periods_max="1")
    member = path.join("p", 90_000)
    path.enter_window()
    claim_id = path.add_claim(member, 600_000)
    while path.pool.settlements == 0:
        path.advance(1)
    path.sign_batch(0)
    (aid,) = [item for item in path.ready_instructions() if path.instruction(item).claim == claim_id]
    assert path.acknowledge(aid, is_settled=False).items == (SUCCESS,)
    assert path.claim(claim_id).status == CLAIM_PAY_FAILED
    path.advance(40)
    claim = path.claim(claim_id)
    assert (claim.rest, claim.paid, claim.granted) == (0, 0, path.instruction(aid).amount)
    assert claim.status == CLAIM_PAY_FAILED


# --- a fault that two careless or colluding institutions could plant ---


def reissue(path: ClaimPath, member: bytes, index: bytes) -> tuple[int, ...]:
    item = IndexReissueItem(member=member, person_index=index)
    path.call("bank", IndexReissue(epoch=1, items=(item,)))
    return path.call("audit-one", IndexReissue(epoch=1, items=(item,))).items


def test_an_index_that_leads_into_anothers_entry_stays_readable_when_that_one_moves_on() -> None:
    path = Path(members=3)
    ann = path.join("ann", 90_000)
    ben = path.join("ben", 90_000, last_cover_year=2026)
    opened = IndexEpochOpen(
        plan=PLAN_NAME, epoch=1, bank_point=name_hash("bank point"), auditor_point=name_hash("auditor point")
    )
    for signer in ("bank", "audit-one"):
        do(path, signer, opened)
    # Bank and auditor say that ben is ann, and then move ann's entry on in the same epoch.
    assert reissue(path, ben, name_hash("person", "ann")) == (SUCCESS,)
    assert reissue(path, ann, name_hash("new", "ann")) == (SUCCESS,)
    assert reissue(path, ben, name_hash("new", "ben")) == (get_entry("conflict").number,)
    # What comes up for ben by itself is no fault that would pause the plan on every day from then on.
    path.advance_to(compute_new_year_day(2027) + 1)
    assert not any(isinstance(event, AutomaticFault) for event in path.events)
    assert path.member(ben).status == MEMBER_AGED_OUT
    assert path.plan.status == PLAN_ACTIVE
