"""Any call by any key in any order, claims and money together, and what must hold whatever happens.

Nothing here knows what a call should do: the model of test_money.py does. Required is that no call breaks an
invariant, that the bank's real balance is the chain's, that every member's money is in the sums, that nobody lives
twice or gets the main benefit twice, and that each record and event can be read back from its bytes.
"""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from chain.codec import encode
from chain.contract.calls import Call
from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AssessorAccept,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.claim_status import get_active
from chain.contract.claim_tables import CLAIM_ASSIGNED, CLAIM_INVESTIGATED, CLAIM_NOTICED, CLAIM_PAID
from chain.contract.context import DAY_MS
from chain.contract.custody_tables import INSTRUCTION_COMPUTED, INSTRUCTION_READY
from chain.contract.events import AutomaticFault, InstructionCreated
from chain.contract.member_calls import (
    AccountVerify,
    AccountVerifyItem,
    IndexIssue,
    IndexIssueItem,
    MemberAdmit,
    MemberAmend,
    MemberApply,
    MemberLeave,
    MemberRefuse,
    MemberRefuseItem,
    MemberWeight,
    MemberWithdraw,
)
from chain.contract.money_calls import DepositCredit, DepositCreditItem, InstructionAck, InstructionAckItem
from chain.contract.plan_calls import BatchSign
from chain.contract.rules import Outcome
from chain.contract.schedule import STAGE_DONE
from chain.contract.settlement_check import verify_settlement
from chain.contract.settlement_tables import PERIOD_COMPUTED
from chain.contract.shares import get_balance
from chain.contract.tables import (
    MEMBER_APPLIED,
    MEMBER_LEAVING,
    MEMBER_QUEUED,
    MEMBER_SHARING,
    MEMBER_VERIFIED,
    MEMBER_WAITING,
    PERSON,
)
from chain.contract.terms import hash_terms
from chain.receipt import Receipt, receipt_codec
from chain.types import ZERO_HASH, Hash
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, build_terms, name_hash

FAULT = 1
TERMS = (
    {"cap_per_case_fen": "", "cap_per_year_fen": ""},
    {"waiting_days": "3", "claim_window_days": "30", "cap_per_case_fen": "700", "grace_periods": "1"},
    {"waiting_days": "2", "waiting_members_share": "false", "cap_per_case_fen": "", "unpaid": '"end"'},
    {"waiting_days": "0", "carry_periods_max": "0", "cap_per_case_fen": "300", "deposit_min_fen": "1"},
    {"waiting_days": "5", "cap_per_case_fen": "50", "cap_per_year_fen": "", "members_min": "2", "launch_days": "30"},
)
ORGANISATIONS = ("platform", "bank", "audit-one", "audit-two", "firm-a", "firm-b", "firm-c", "firm-d", "clinic")
AUDITORS = ("audit-one", "audit-two")
LIVING = (MEMBER_VERIFIED, MEMBER_QUEUED, MEMBER_SHARING, MEMBER_LEAVING, MEMBER_WAITING)
MEMBERS_MAX, PERSONS = 50, 25


class Crowd(ClaimPath):
    """A plan in which everybody does whatever comes to mind."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        terms = build_terms(**TERMS[seed % len(TERMS)])
        super().__init__(terms, drain_max=self.random.choice([1, 2, 5, 200]))
        self.members: list[Hash] = []
        self.persons: dict[bytes, Hash] = {}
        self.filed: list[Hash] = []
        self.reports: dict[tuple[bytes, str], ReportReveal] = {}
        self.waiting: list[bytes] = []
        self.bank_fen = 0
        self.outcomes: Counter[str] = Counter()
        self.blocks_behind = 0
        self._seen = self._verified = 0

    # --- what every block and every call must satisfy ---

    def call(self, signer: str | bytes, call: Call) -> Outcome:
        outcome = super().call(signer, call)
        assert outcome.number != FAULT, call
        receipt = Receipt(
            tx_id=self.last_tx, outcome=outcome.number, items=outcome.items, events=tuple(self.last_events)
        )
        receipt_codec.decode(encode(receipt))
        if outcome.number == 0:
            self.outcomes[type(call).__name__] += 1
        return outcome

    def next_block(self, *, ms: int = 1_000) -> None:
        for _, codec, record in self.state.written(0):
            if record is not None:
                assert codec.decode(encode(record)) == record
        super().next_block(ms=ms)
        receipt = Receipt(tx_id=ZERO_HASH, outcome=0, items=(), events=tuple(self.block_events))
        receipt_codec.decode(encode(receipt))
        is_behind = (self.plan.day, self.plan.stage) != (self.today, STAGE_DONE)
        self.blocks_behind = self.blocks_behind + 1 if is_behind else 0
        assert self.blocks_behind < 400, "the days do not come to an end"

    def check(self) -> None:
        for event in self.events[self._seen :]:
            assert not isinstance(event, AutomaticFault), event
            if isinstance(event, InstructionCreated):
                self.waiting.append(event.instruction)
        self._seen = len(self.events)
        self.commit_block_checks()
        pool = self.pool
        assert self.bank_fen == pool.cash
        records = [self.member(member) for member in self.members]
        balances = sum(get_balance(record, pool.share_index) for record in records)
        assert balances == pool.tree_money + pool.plain
        living = [record.person_index for record in records if record.is_admitted and record.status in LIVING]
        assert len(dict.fromkeys(living)) == len(living), "a person lives twice"
        assert all(self.state.get(PERSON, PLAN_NAME, person or b"") is not None for person in living)
        self._check_claims()
        for number in range(self._verified, pool.settlements):
            verify_settlement(self.settlement(number), self.terms.pool)
        self._verified = pool.settlements

    def _check_claims(self) -> None:
        main: Counter[bytes] = Counter()
        for claim_id in self.filed:
            claim = self.claim(claim_id)
            assert claim.paid <= claim.granted <= claim.amount
            if claim.status == CLAIM_PAID and claim.row == 0 and not claim.is_shares_refund:
                main[self.persons[claim.member]] += 1
        assert not main or max(main.values()) == 1, "the main benefit was paid twice"

    # --- acts ---

    def key(self, member: bytes) -> bytes:
        return self.member(member).key

    def apply_somebody(self) -> Hash | None:
        if len(self.members) >= MEMBERS_MAX:
            return None
        name = f"p{len(self.members)}"
        guardian = self.random.choice(self.members) if self.members and self.random.random() < 0.2 else None
        call = MemberApply(
            plan=PLAN_NAME,
            pool=0,
            weight=self.random.choice([1, 1, 1, 2, 100]),
            rules_hash=hash_terms(self.terms),
            field_commitments_root=name_hash("fields", name),
            blob_hash=name_hash("blob", name),
            consent_hash=name_hash("consent", name),
            recovery_hash=name_hash("recovery", name),
            guardian=guardian,
        )
        if self.call(name_hash("member", name) if guardian is None else self.key(guardian), call).number:
            return None
        member = Hash(self.last_tx)
        self.members.append(member)
        self.persons[member] = name_hash("person", self.random.randrange(PERSONS))
        return member

    def verify_members(self, members: list[Hash]) -> None:
        items = tuple(
            AccountVerifyItem(
                member=member,
                person_index=self.persons[member],
                account_token=name_hash("token", member.hex()),
                holder_kind=0,
                key_challenge_hash=ZERO_HASH,
                last_cover_year=self.random.choice([2026, 2060, 2060]),
            )
            for member in members
        )
        self.call("bank", AccountVerify(items=items))
        halves = tuple(IndexIssueItem(member=item.member, person_index=item.person_index, epoch=0) for item in items)
        self.call(self.random.choice(AUDITORS), IndexIssue(items=halves))

    def join_somebody(self) -> None:
        member = self.apply_somebody()
        if member is not None:
            self.verify_members([member])
            self.call("platform", MemberAdmit(items=(member,)))
            pool = self.terms.pool
            amount = self.random.choice([pool.deposit_min_fen, pool.deposit_max_fen]) * self.member(member).weight
            self.book([self.credit_item(member, amount)])

    def admit_or_refuse(self) -> None:
        for member in [member for member in self.members if self.member(member).status == MEMBER_APPLIED][:2]:
            if self.random.random() < 0.5:
                self.verify_members([member, self.random.choice(self.members)])
            elif self.random.random() < 0.8:
                self.call("platform", MemberAdmit(items=(member, member)))
            else:
                self.call("platform", MemberRefuse(items=(MemberRefuseItem(member=member, reason=3),)))

    def choose_amount(self) -> int:
        pool = self.terms.pool
        bounds = [1, 2, 49, pool.deposit_min_fen, pool.deposit_max_fen, pool.deposit_max_fen * 100]
        return self.random.choice([*bounds, self.random.randint(1, pool.deposit_max_fen * 3)])

    def book(self, items: list[DepositCreditItem]) -> None:
        outcome = self.call("bank", DepositCredit(account=ACCOUNT_NAME, items=tuple(items)))
        booked = zip(items, outcome.items, strict=True)
        self.bank_fen += sum(item.amount for item, number in booked if number == 0)

    def credit_somebody(self) -> None:
        items: list[DepositCreditItem] = []
        for _ in range(self.random.choice([1, 1, 3])):
            lag = self.random.choice([0, 0, 1, 5, 30])
            member = self.random.choice([*self.members, None])
            item = self.credit_item(member, self.choose_amount(), value_day=self.today - lag)
            items.append(replace(item, booking_day=self.today - self.random.choice([0, 0, 0, 1])))
            if self.random.random() < 0.2:
                items += [items[-1], replace(items[-1], amount=item.amount + 1)]
        self.book(items)

    def reinstate_somebody(self) -> None:
        index = self.pool.share_index
        records = [(member, self.member(member)) for member in self.members]
        owing = [entry for entry in records if entry[1].is_leaf and entry[1].x < index]
        if owing:
            member, record = self.random.choice(owing)
            missing = (index - record.x) * record.weight - record.rem - record.cash
            amount = missing + self.random.choice([-1, 0, 0, 1])
            if amount > 0:
                lag = self.random.choice([0, 0, 3, 30])
                self.book([self.credit_item(member, amount, value_day=self.today - lag)])

    def act_as_member(self) -> None:
        member = self.random.choice(self.members)
        calls: list[Call] = [
            MemberWithdraw(member=member, amount=self.random.choice([1, self.choose_amount()])),
            MemberWeight(member=member, weight=self.random.choice([1, 2, 3, 100])),
            MemberAmend(
                member=member,
                field_commitments_root=ZERO_HASH,
                blob_hash=name_hash("blob"),
                is_health_changed=self.random.random() < 0.5,
            ),
        ]
        if self.random.random() < 0.3:
            calls.append(MemberLeave(member=member))
        self.call(self.key(member), self.random.choice(calls))

    def file_somebody(self) -> None:
        member = self.random.choice(self.members)
        call = ClaimFile(
            member=member,
            cause=self.random.randrange(2),
            diagnosed_day=self.today - self.random.choice([0, 0, 1, 5, 20]),
            evidence_root=ZERO_HASH,
            bill_tags=(name_hash("bill", self.random.randrange(60)),),
            asked_row=self.random.randrange(2),
            payee_kind=self.random.choice([0, 0, 1]),
        )
        if self.call(self.key(member), call).number == 0:
            self.filed.append(Hash(self.last_tx))

    def push_claims(self) -> None:
        """Let those who are asked about each claim do their part, most of them in time."""
        for claim_id in self.filed:
            status = self.claim(claim_id).status
            if self.random.random() < 0.3:
                continue
            if status == CLAIM_ASSIGNED:
                self.push_reports(claim_id)
            elif status == CLAIM_INVESTIGATED:
                self.decide(claim_id)
            elif status == CLAIM_NOTICED:
                for auditor in AUDITORS:
                    self.call(auditor, ClaimConfirm(items=(claim_id, claim_id)))

    def push_reports(self, claim_id: bytes) -> None:
        claim = self.claim(claim_id)
        for firm in get_active(claim):
            name = firm.organisation
            report = self.reports.get((claim_id, name))
            if not firm.is_accepted:
                self.call(name, AssessorAccept(claim=claim_id))
            elif report is None or firm.commit_hash is None:
                row = claim.asked_row if self.random.random() < 0.9 else 1 - claim.asked_row
                report = self.reports[claim_id, name] = ReportReveal(
                    claim=claim_id,
                    finding=int(self.random.random() < 0.9),
                    established_day=claim.diagnosed_day - self.random.choice([0, 0, 0, 1]),
                    row=row,
                    clauses=("1.1",),
                    report_root=ZERO_HASH,
                    salt=name_hash(name),
                )
                self.call(name, ReportCommit(claim=claim_id, hash=hash_report(name, report)))
            else:
                self.call(name, report)

    def decide(self, claim_id: bytes) -> None:
        claim = self.claim(claim_id)
        if self.random.random() < 0.8:
            root = compute_bill_root(claim.bill_tags)
            record = name_hash("record")
            call = CertificateAttach(claim=claim_id, source=0, document_hash=record, bill_root=root)
            self.call("clinic", call)
        asked = ("platform", *AUDITORS)[min(claim.escalation, 2)]
        is_approved = self.random.random() < 0.85
        self.call(asked, ClaimDecide(claim=claim_id, is_approved=is_approved, row=claim.asked_row, clauses=("1.1",)))

    def sign_batches(self) -> None:
        for number in range(self.pool.settlements):
            period = self.period(number)
            if period.status == PERIOD_COMPUTED:
                for signer in self.random.sample(("platform", *AUDITORS), 3):
                    root = period.batch_root
                    self.call(signer, BatchSign(plan=PLAN_NAME, pool=0, period=number, batch_root=root))

    def answer(self) -> None:
        for instruction in self.waiting:
            record = self.instruction(instruction)
            if record.state != INSTRUCTION_READY or self.random.random() < 0.5:
                continue
            is_settled = self.random.random() < 0.85
            item = InstructionAckItem(
                instruction=instruction,
                is_settled=is_settled,
                amount=record.amount,
                booking_day=self.today - self.random.choice([0, 0, 0, 1]),
                ref_token=name_hash("ack", instruction.hex()),
                reason=0 if is_settled else 3,
            )
            items = (item, item, replace(item, amount=item.amount + 1), replace(item, ref_token=ZERO_HASH))
            outcome = self.call("bank", InstructionAck(account=ACCOUNT_NAME, items=items))
            assert sum(number == 0 for number in outcome.items) <= 1
            if outcome.items[0] == 0 and is_settled:
                self.bank_fen -= record.amount
        open_states = (INSTRUCTION_COMPUTED, INSTRUCTION_READY)
        self.waiting = [item for item in self.waiting if self.instruction(item).state in open_states]

    def meddle(self) -> None:
        """Let any key make any call."""
        keys: list[str | bytes] = [*ORGANISATIONS, name_hash("stranger"), self.key(self.random.choice(self.members))]
        signer = self.random.choice(keys)
        claim = self.random.choice([*self.filed, name_hash("none")])
        member = self.random.choice(self.members)
        calls: list[Call] = [
            AssessorAccept(claim=claim),
            ReportCommit(claim=claim, hash=ZERO_HASH),
            ClaimDecide(claim=claim, is_approved=True, row=0, clauses=()),
            ClaimConfirm(items=(claim,)),
            CertificateAttach(claim=claim, source=self.random.randrange(3), document_hash=ZERO_HASH),
            MemberAdmit(items=(member,)),
            BatchSign(plan=PLAN_NAME, pool=0, period=self.random.randrange(3), batch_root=ZERO_HASH),
        ]
        self.call(signer, self.random.choice(calls))

    def pass_time(self) -> None:
        days = self.random.choice([0, 1, 1, 1, 2, 3, 7])
        if days in (0, 7):
            self.next_block(ms=days * DAY_MS or 1_000)
            self.post_statements()
        else:
            self.advance(days)


def run_crowd(seed: int, steps: int) -> Counter[str]:
    """Let a crowd act; return which calls succeeded how often."""
    crowd = Crowd(seed)
    for _ in range(15):
        crowd.join_somebody()
    acts: list[Callable[[], object]] = [
        crowd.join_somebody, crowd.apply_somebody, crowd.admit_or_refuse, crowd.credit_somebody,
        crowd.reinstate_somebody, crowd.reinstate_somebody, crowd.act_as_member, crowd.act_as_member,
        crowd.file_somebody, crowd.file_somebody, crowd.push_claims, crowd.push_claims, crowd.push_claims,
        crowd.sign_batches, crowd.answer, crowd.meddle,
        crowd.pass_time, crowd.pass_time, crowd.pass_time, crowd.pass_time,
    ]  # fmt: skip
    for _ in range(steps):
        crowd.random.choice(acts)()
        crowd.check()
    return crowd.outcomes


def test_whoever_calls_whatever_no_fen_and_no_person_is_counted_twice() -> None:
    outcomes = sum((run_crowd(seed, 300) for seed in range(5)), Counter[str]())
    # Whoever changes the driver sees here that it still reaches what it is for.
    for name in (
        "MemberLeave",
        "MemberWithdraw",
        "ClaimFile",
        "ReportReveal",
        "ClaimDecide",
        "ClaimConfirm",
        "BatchSign",
    ):
        assert outcomes[name] >= 3, name


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150, 5))
def test_whoever_calls_whatever_for_years_no_fen_and_no_person_is_counted_twice(seed: int) -> None:
    for offset in range(5):
        run_crowd(seed + offset, 1_000)
