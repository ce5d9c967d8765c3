"""The worked example of docs/contract.md, played with real calls: its dates, states and amounts are what comes out."""

from collections.abc import Sequence

import pytest

from chain.contract import claim_reaudit
from chain.contract.appeal_tables import APPEAL, APPEAL_STATUS_NAMES, JUROR
from chain.contract.calendar import compute_date, compute_day_of_date
from chain.contract.calls import Call
from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AppealFile,
    AssessorAccept,
    BallotCommit,
    BallotCommitItem,
    BallotReveal,
    BallotRevealItem,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ObjectionFile,
    ObjectionRule,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.claim_review_tables import OBJECTION, OBJECTION_STATUS_NAMES, REAUDIT
from chain.contract.claim_status import get_active
from chain.contract.custody_tables import INSTRUCTION_AID, INSTRUCTION_FEE, INSTRUCTION_REFUND, INSTRUCTION_RESIDUE
from chain.contract.jury import hash_ballot
from chain.contract.member_calls import AccountVerify, AccountVerifyItem, IndexIssue, IndexIssueItem, MemberAdmit
from chain.contract.money_calls import CashOther, CashOtherItem, FeeWithdraw
from chain.contract.plan_calls import WindDown
from chain.contract.tables import MEMBER_STATUS_NAMES, PLAN_STATUS_NAMES
from chain.contract.wind_tables import CLOSED_POOL
from chain.types import ZERO_HASH
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, build_terms, name_hash
from tests.doc_pages import cut, find_section, list_code, read_rows

PAGE = "docs/contract.md"

OTHERS = 199
DEPOSIT_FEN = 10_000
MEI = "mei"
YEAR = 2026


class Story(ClaimPath):
    """A plan of 200 members, day by day as the page tells it."""

    def __init__(self) -> None:
        super().__init__(build_terms(cap_per_case_fen="", cap_per_year_fen=""))
        self.others = {self.join(f"m{number}", DEPOSIT_FEN): f"m{number}" for number in range(OTHERS)}
        self.diary: dict[tuple[str, str], str] = {}
        self.figures: dict[str, int] = {}

    # --- the diary ---

    def go_to(self, month: int, day_of_month: int, *, year: int = YEAR) -> None:
        self.advance_to(compute_day_of_date(year=year, month=month, day_of_month=day_of_month))

    def show_date(self, day: int) -> str:
        year, month, day_of_month = compute_date(day)
        return f"{year}-{month:02}-{day_of_month:02}"

    def note(self, subject: str, state: str) -> None:
        self.diary[self.show_date(self.today), subject] = state

    def get_key(self, member: bytes) -> bytes:
        return name_hash("member", self.others[member])

    def note_member(self) -> None:
        self.note("member", MEMBER_STATUS_NAMES[self.member(self.mei).status])

    def note_claim(self, claim_id: bytes) -> None:
        self.note("claim", self.get_status(claim_id))

    # --- the acts ---

    def let_mei_join(self) -> None:
        self.go_to(2, 1)
        self.mei = self.apply(MEI)
        self.note_member()
        self.go_to(2, 2)
        account = AccountVerifyItem(
            member=self.mei,
            person_index=name_hash("person", MEI),
            account_token=name_hash("token", MEI),
            holder_kind=0,
            key_challenge_hash=name_hash("challenge", MEI),
            last_cover_year=2060,
        )
        self.succeed("bank", AccountVerify(items=(account,)))
        index = IndexIssueItem(member=self.mei, person_index=name_hash("person", MEI), epoch=0)
        self.succeed("audit-one", IndexIssue(items=(index,)))
        self.note_member()
        self.go_to(2, 3)
        self.succeed("platform", MemberAdmit(items=(self.mei,)))
        self.note_member()
        self.go_to(2, 4)
        assert self.credit(self.mei, DEPOSIT_FEN).items == (0,)
        self.note_member()
        self.note("cover", self.show_date(self.member(self.mei).cover_from))

    def pay_interest(self, amount: int) -> None:
        item = CashOtherItem(
            kind=0,
            claim=None,
            instruction=None,
            amount=amount,
            booking_day=self.today,
            ref_token=name_hash("interest", self.today),
            payer_token=None,
        )
        self.succeed("bank", CashOther(account=ACCOUNT_NAME, items=(item,)))

    def let_mei_claim(self, *, finding: int) -> bytes:
        """File on 12 June about 10 June, and let the drawn firms and the hospital say what they found."""
        self.go_to(6, 12)
        claim_id = self.file(MEI, self.mei, day=self.today - 2)
        self.note_claim(claim_id)
        self.next_block()
        self.next_block()
        self.advance(1)
        self.note_claim(claim_id)
        claim = self.claim(claim_id)
        firms = [firm.organisation for firm in get_active(claim)]
        self._do_each(firms, [AssessorAccept(claim=claim_id)] * 2)
        self.go_to(6, 20)
        root = compute_bill_root(claim.bill_tags)
        record = CertificateAttach(claim=claim_id, source=0, document_hash=name_hash("record"), bill_root=root)
        self.succeed("clinic", record)
        self.go_to(6, 25)
        reveals = [self._build_reveal(claim_id, firm, finding) for firm in firms]
        seals = [
            ReportCommit(claim=claim_id, hash=hash_report(firm, reveal))
            for firm, reveal in zip(firms, reveals, strict=True)
        ]
        self._do_each(firms, seals)
        self.go_to(6, 26)
        self._do_each(firms, reveals)
        self.note_claim(claim_id)
        self.go_to(6, 30)
        return claim_id

    def _build_reveal(self, claim_id: bytes, firm: str, finding: int) -> ReportReveal:
        return ReportReveal(
            claim=claim_id,
            finding=finding,
            established_day=self.claim(claim_id).diagnosed_day,
            row=0,
            clauses=("4.1",),
            report_root=name_hash("report", firm),
            salt=name_hash("salt", firm),
        )

    def _do_each(self, firms: list[str], calls: Sequence[Call]) -> None:
        for firm, call in zip(firms, calls, strict=True):
            self.succeed(firm, call)

    def confirm(self, claim_id: bytes) -> None:
        """Try each day until the auditor of the period may confirm."""
        period = self.period(self.claim(claim_id).period)
        assert period.confirmer is not None
        while self.call(period.confirmer, ClaimConfirm(items=(claim_id,))).items != (0,):
            self.advance(1)
        self.note_claim(claim_id)

    def pay_all(self, kind: int) -> list[int]:
        """Let the bank pay what is ready of a kind; return the amounts."""
        ready = [item for item in self.ready_instructions() if self.instruction(item).kind == kind]
        for item in ready:
            assert self.acknowledge(item).items == (0,)
        return [self.instruction(item).amount for item in ready]

    def settle(self, claim_id: bytes) -> None:
        """Sign the batch the day after the charge and let the bank pay two days later."""
        number = self.claim(claim_id).period
        record = self.settlement(number)
        self.figures |= {"charge": record.per, "cost": record.cost, "collected": record.collected}
        self.figures["carry afterwards"] = self.pool.carry
        self.note_claim(claim_id)
        self.advance(1)
        cosigner = self.period(number).cosigner
        assert cosigner is not None
        self.sign_batch(number, ("platform", cosigner))
        self.note_claim(claim_id)
        self.advance(2)
        assert self.pay_all(INSTRUCTION_AID) == [self.claim(claim_id).amount]
        self.figures["aid"] = self.claim(claim_id).paid
        self.note_claim(claim_id)
        self.note_member()
        self.advance(1)
        (self.figures["refund"],) = self.pay_all(INSTRUCTION_REFUND)


@pytest.fixture(scope="module")
def told() -> Story:
    """Play the story once: the claim that is paid, the re-audit, and the end of the plan."""
    story = Story()
    story.let_mei_join()
    story.go_to(6, 11)
    story.pay_interest(500)
    claim_id = story.let_mei_claim(finding=1)
    story.succeed("platform", ClaimDecide(claim=claim_id, is_approved=True, row=0, clauses=()))
    story.note_claim(claim_id)
    story.go_to(7, 7)
    story.note_claim(claim_id)
    story.go_to(7, 8)
    neighbour = next(iter(story.others))
    evidence = name_hash("seen at work")
    story.succeed(story.get_key(neighbour), ObjectionFile(member=neighbour, claim=claim_id, evidence_hash=evidence))
    objection = story.last_tx
    story.go_to(7, 9)
    story.succeed("audit-one", ObjectionRule(objection=objection, is_admitted=False))
    story.note("objection", OBJECTION_STATUS_NAMES[story.state.require(OBJECTION, objection).status])
    story.confirm(claim_id)
    story.go_to(7, 14)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claim_reaudit, "LOTS_CHOSEN", claim_reaudit.LOTS)
        story.settle(claim_id)
        story.next_block()
        story.next_block()
        story.advance(2)
    _look_again(story, claim_id)
    _end_plan(story)
    return story


def _look_again(story: Story, claim_id: bytes) -> None:
    record = story.state.require(REAUDIT, claim_id)
    assert record.auditor is not None
    story.go_to(8, 10)
    call: Call = ReauditReport(claim=claim_id, is_clean=True, report_root=name_hash("again"))
    for signer in (record.firms[-1], record.auditor):
        story.succeed(signer, call)
    story.note_claim(claim_id)


def _end_plan(story: Story) -> None:
    story.go_to(8, 31)
    story.pay_interest(900)
    story.go_to(9, 1)
    fee = FeeWithdraw(
        plan=PLAN_NAME, pool=0, amount=story.pool.fee_payable, account_token=name_hash("account of the platform")
    )
    story.figures["fee"] = fee.amount
    story.figures["carry at the end"] = story.pool.carry
    for signer in ("platform", "audit-two"):
        story.succeed(signer, fee)
    for signer in ("platform", "audit-one", "bank"):
        story.succeed(signer, WindDown(plan=PLAN_NAME, reason_hash=ZERO_HASH))
    story.note("plan", PLAN_STATUS_NAMES[story.plan.status])
    while story.state.get(CLOSED_POOL, PLAN_NAME, 0) is None:
        story.advance(1)
    story.note("pool", "closed")
    story.next_block()
    refunds = story.pay_all(INSTRUCTION_REFUND)
    assert len(refunds) == OTHERS
    (story.figures["each of the 199 gets"],) = set(refunds)
    story.advance(1)
    (story.figures["to charity"],) = story.pay_all(INSTRUCTION_RESIDUE)
    story.pay_all(INSTRUCTION_FEE)
    while story.plan.status != PLAN_STATUS_NAMES.index("ended"):
        story.advance(1)
    story.note("plan", "ended")


@pytest.fixture(scope="module")
def appealed() -> Story:
    """Play the other story: both firms find nothing, and nine members judge."""
    story = Story()
    story.let_mei_join()
    story.diary.clear()
    claim_id = story.let_mei_claim(finding=0)
    story.diary.clear()
    story.succeed("platform", ClaimDecide(claim=claim_id, is_approved=False, row=0, clauses=("4.1",)))
    story.note_claim(claim_id)
    story.go_to(7, 2)
    appeal = AppealFile(member=story.mei, subject=0, claim=claim_id, grounds_hash=name_hash("grounds"))
    story.succeed(name_hash("member", MEI), appeal)
    case_id = story.last_tx
    story.note_claim(claim_id)
    story.next_block()
    story.next_block()
    story.advance(1)
    story.note("case", _show_stage(story, case_id))
    jury = [member for member in story.others if story.state.get(JUROR, member, case_id) is not None]
    story.figures["jurors"] = len(jury)
    ballots = [
        (member, BallotRevealItem(case=case_id, is_upheld=place < 5, salt=name_hash("salt", member.hex())))
        for place, member in enumerate(jury[:7])
    ]
    story.go_to(7, 5)
    for member, ballot in ballots:
        sealed = BallotCommitItem(case=case_id, hash=hash_ballot(member, ballot))
        story.succeed(story.get_key(member), BallotCommit(member=member, items=(sealed,)))
    story.go_to(7, 9)
    assert _show_stage(story, case_id) == "commit"
    story.go_to(7, 10)
    story.note("case", _show_stage(story, case_id))
    for member, ballot in ballots:
        story.succeed(story.get_key(member), BallotReveal(member=member, items=(ballot,)))
    story.advance(1)
    story.note("case", _show_stage(story, case_id))
    story.note_claim(claim_id)
    story.go_to(7, 21)
    story.note_claim(claim_id)
    story.confirm(claim_id)
    story.go_to(7, 28)
    story.note_claim(claim_id)
    return story


def _show_stage(story: Story, case_id: bytes) -> str:
    return APPEAL_STATUS_NAMES[story.state.require(APPEAL, case_id).status]


def read_diary(text: str) -> dict[tuple[str, str], str]:
    """Return what a table says of each date: the last column holds pairs like `claim paid`."""
    found: dict[tuple[str, str], str] = {}
    for row in read_rows(text):
        for pair in list_code(row[-1]):
            subject, _, state = pair.partition(" ")
            found[row[0], subject] = state
    return found


@pytest.mark.parametrize("part", ["story", "story-zh"])
def test_diary_of_the_contract_page_is_what_the_contract_does(told: Story, part: str) -> None:
    assert read_diary(cut(PAGE, part)) == told.diary
    assert told.pool.cash == 0


@pytest.mark.parametrize("part", ["appeal", "appeal-zh"])
def test_appeal_of_the_contract_page_is_what_the_contract_does(appealed: Story, part: str) -> None:
    assert read_diary(cut(PAGE, part)) == appealed.diary
    assert str(appealed.figures["jurors"]) in cut(PAGE, part)


def test_figures_of_the_story_are_those_that_the_contract_computes(told: Story) -> None:
    shown = {row[0]: int(row[1].replace(",", "")) for row in read_rows(cut(PAGE, "story-figures"))}
    assert shown == told.figures
    chinese = find_section(PAGE, "\u4e2d\u6587")
    assert all(f"{value:,}" in chinese for value in shown.values())
