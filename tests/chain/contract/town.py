"""A plan in which everybody does what he is asked for, most days, and any party can fall silent for ever.

Nothing here knows a rule: each party tries its calls, and what the contract refuses it tries another day. What must
hold whatever happens is in `check`; how long each state may last is in deadlock_watch.py.
"""

import random
from collections import Counter
from collections.abc import Sequence

from chain.contract.appeal_tables import APPEAL, APPEAL_COMMIT, APPEAL_PANEL, APPEAL_REVEAL, JUROR
from chain.contract.calls import Call
from chain.contract.claim_bills import compute_bill_root
from chain.contract.claim_calls import (
    AppealFile,
    AppealRule,
    AssessorAccept,
    AssessorDecline,
    BallotCommit,
    BallotCommitItem,
    BallotReveal,
    BallotRevealItem,
    CertificateAttach,
    ClaimConfirm,
    ClaimDecide,
    ClaimFile,
    ClaimWithdraw,
    ObjectionFile,
    ObjectionRule,
    ReauditReport,
    ReportCommit,
    ReportReveal,
)
from chain.contract.claim_report import hash_report
from chain.contract.claim_review_tables import REAUDIT
from chain.contract.claim_roster import list_asked
from chain.contract.claim_status import get_active
from chain.contract.claim_tables import (
    CLAIM_APPROVED,
    CLAIM_ASSIGNED,
    CLAIM_INVESTIGATED,
    CLAIM_NOTICED,
    CLAIM_PAID,
    CLAIM_RECHECK,
    CLAIM_REFUSED,
    CLAIM_REJECTED,
)
from chain.contract.events import AutomaticFault, InstructionCreated
from chain.contract.jury import hash_ballot
from chain.contract.member_events import InstructionRetried
from chain.contract.membership import get_signing_keys
from chain.contract.money_calls import InstructionAck, InstructionAckItem
from chain.contract.money_tables import RECONCILIATION
from chain.contract.persons import is_gone
from chain.contract.plan_calls import BatchSign
from chain.contract.rules import Outcome
from chain.contract.schedule import STAGE_DONE
from chain.contract.settlement_tables import PERIOD, PERIOD_COMPUTED
from chain.contract.shares import get_balance
from chain.contract.tables import MemberRecord
from chain.contract.wind_tables import CLOSED_POOL
from chain.types import Hash
from tests.chain.contract.test_claim_path import ClaimPath
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, build_terms, name_hash

FAULT, SILENCE = 1, -1
AUDITORS = ("audit-one", "audit-two")
FIRMS = ("firm-a", "firm-b", "firm-c", "firm-d")
GOVERNORS = ("platform", "bank", *AUDITORS)
PARTIES: dict[str, tuple[str, ...]] = {
    "nobody": (),
    "platform": ("platform",),
    "bank": ("bank",),
    "first auditor": ("audit-one",),
    "second auditor": ("audit-two",),
    "one firm": ("firm-b",),
    "all assessors": FIRMS,
    "hospital": ("clinic",),
    "jurors": ("jurors",),
    "members": ("members", "jurors"),
}
MEMBERS = 150
"""Enough for juries of seven."""


class TownBase(ClaimPath):
    """150 members, their institutions, and who of them has fallen silent."""

    def __init__(self, seed: int, *, silent: str, silent_from: int, **terms: str) -> None:
        self.random = random.Random(seed)
        self.muted: tuple[str, ...] = ()
        self.outcomes: Counter[str] = Counter()
        caps = {"cap_per_case_fen": "", "cap_per_year_fen": ""}
        chosen = {"waiting_days": "3", "deposit_max_fen": "100_000", **caps, **terms}
        super().__init__(build_terms(**chosen), drain_max=self.random.choice([20, 50, 200]))
        self.silent, self.silent_from = silent, self.today + silent_from
        self.start_day = self.today
        self.members: list[Hash] = []
        self.persons: dict[bytes, Hash] = {}
        self.claims: list[Hash] = []
        self.cases: list[Hash] = []
        self.objections: list[Hash] = []
        self.instructions: dict[bytes, None] = {}
        self.reports: dict[tuple[bytes, str], ReportReveal] = {}
        self.bank_fen = 0
        self.failing = 0.05
        self._seen = 0
        for number in range(MEMBERS):
            self.members.append(Hash(self.join(f"m{number}", 90_000)))
            self.persons[self.members[-1]] = name_hash("person", f"m{number}")
            self.bank_fen += 90_000
        self.advance(4)

    # --- silence ---

    def call(self, signer: str | bytes, call: Call) -> Outcome:
        if self.is_mute(signer if isinstance(signer, str) else "members"):
            return Outcome(number=SILENCE, items=())
        outcome = super().call(signer, call)
        assert outcome.number != FAULT, call
        if outcome.number == 0:
            self.outcomes[type(call).__name__] += 1
        return outcome

    def is_mute(self, name: str) -> bool:
        return name in self.muted

    def is_diligent(self, chance: float = 0.7) -> bool:
        return self.random.random() < chance

    def try_all(self, call: Call, *signers: str | bytes) -> None:
        """Let several sign one call, each on most days: what one forgets expires or is completed later."""
        for signer in signers:
            if self.is_diligent(0.9):
                self.call(signer, call)

    def key(self, member: bytes) -> bytes:
        return get_signing_keys(self.state, member, self.member(member))[0]

    def post_statements(self) -> None:
        if not self.is_mute("bank"):
            super().post_statements()

    # --- days ---

    def pass_day(self) -> None:
        """Let a day begin and two proposers reveal on it."""
        if self.today >= self.silent_from:
            self.muted = PARTIES[self.silent]
        self.advance(1)
        self.next_block()
        while (self.plan.day, self.plan.stage) != (self.today, STAGE_DONE):
            self.next_block()
        for event in self.events[self._seen :]:
            assert not isinstance(event, AutomaticFault), event
            if isinstance(event, InstructionCreated | InstructionRetried):
                self.instructions[event.instruction] = None
        self._seen = len(self.events)

    def check(self) -> None:
        """Require that money adds up, that the bank has what the chain says, and that nobody lives twice."""
        self.commit_block_checks()
        pool = self.pool
        reconciliation = self.state.get(RECONCILIATION, ACCOUNT_NAME)
        assert self.bank_fen == pool.cash - (0 if reconciliation is None else reconciliation.owed)
        records = [self.member(member) for member in self.members]
        balances = sum(get_balance(record, pool.share_index) for record in records)
        assert balances == pool.tree_money + pool.plain
        living = Counter(
            self.persons[member] for member, record in zip(self.members, records, strict=True) if lives(record)
        )
        assert max(living.values(), default=0) <= 1, "a person lives twice"
        main = Counter(
            self.persons[claim.member]
            for claim in (self.claim(claim_id) for claim_id in self.claims)
            if claim.paid and claim.row == 0 and not claim.is_shares_refund
        )
        assert not main or max(main.values()) == 1, "the main benefit was paid twice"

    # --- the bank's own books ---

    def book(self, call: Call, amounts: Sequence[int], *, signers: Sequence[str] = ("bank",)) -> None:
        """Let the bank book what came in; an item that was refused did not come in."""
        outcome = Outcome(number=SILENCE, items=())
        for signer in signers:
            outcome = self.call(signer, call)
        self.bank_fen += sum(amount for amount, number in zip(amounts, outcome.items, strict=False) if number == 0)

    def list_ready(self) -> list[bytes]:
        """Return what waits for the bank; what is settled is forgotten."""
        for item in [item for item in self.instructions if self.instruction(item).state == 2]:
            del self.instructions[item]
        return [item for item in self.instructions if self.instruction(item).state == 1]


def lives(record: MemberRecord) -> bool:
    """Tell whether somebody was admitted and has not left."""
    return record.is_admitted and not is_gone(record)


class Town(TownBase):
    """Claims from the filing to the re-audit, by everybody's own calls."""

    def go_on(self) -> None:
        """Let everybody act once."""
        self.file_somebody()
        for claim_id in self.claims:
            self.push(claim_id)
        for case_id in self.cases:
            self.judge(case_id)
        for objection in self.objections[-8:]:
            for auditor in AUDITORS:
                if self.is_diligent():
                    self.call(auditor, ObjectionRule(objection=objection, is_admitted=self.is_diligent(0.6)))
        self.sign_batches()
        self.answer()

    # --- claims ---

    def file_somebody(self) -> None:
        if not self.is_diligent(0.25):
            return
        member = self.random.choice(self.members)
        call = ClaimFile(
            member=member,
            cause=self.random.randrange(2),
            diagnosed_day=self.today - self.random.choice([0, 1, 5, 60]),
            evidence_root=name_hash("evidence"),
            bill_tags=(name_hash("bill", self.random.randrange(80)),) if self.is_diligent() else (),
            asked_row=self.random.randrange(2),
            payee_kind=0,
        )
        if self.call(self.key(member), call).number == 0:
            self.claims.append(Hash(self.last_tx))

    def push(self, claim_id: bytes) -> None:
        """Let whoever is asked about a claim do his part."""
        claim = self.claim(claim_id)
        key = self.key(claim.member)
        if claim.status in (CLAIM_ASSIGNED, CLAIM_RECHECK):
            self._investigate(claim_id)
        if claim.status in (CLAIM_ASSIGNED, CLAIM_INVESTIGATED) and self.is_diligent(0.2):
            root = compute_bill_root(claim.bill_tags)
            call = CertificateAttach(claim=claim_id, source=0, document_hash=name_hash("record"), bill_root=root)
            self.call("clinic", call)
        if claim.status == CLAIM_INVESTIGATED:
            self._decide(claim_id)
        elif claim.status == CLAIM_NOTICED:
            self._review(claim_id)
        elif claim.status in (CLAIM_REJECTED, CLAIM_REFUSED) or (
            claim.status == CLAIM_APPROVED and claim.row != claim.asked_row
        ):
            subject = {CLAIM_REJECTED: 0, CLAIM_REFUSED: 1}.get(claim.status, 2)
            if claim.due_day and self.is_diligent(0.2):
                appeal = AppealFile(
                    member=claim.member, subject=subject, claim=claim_id, grounds_hash=name_hash("grounds")
                )
                if self.call(key, appeal).number == 0:
                    self.cases.append(Hash(self.last_tx))
        elif claim.status == CLAIM_PAID:
            self._audit_again(claim_id)
        if claim.status < CLAIM_INVESTIGATED and self.is_diligent(0.01):
            self.call(key, ClaimWithdraw(member=claim.member, claim=claim_id))

    def _investigate(self, claim_id: bytes) -> None:
        claim = self.claim(claim_id)
        for firm in get_active(claim):
            name = firm.organisation
            if not self.is_diligent():
                continue
            if self.is_diligent(0.02):
                self.call(name, AssessorDecline(claim=claim_id, is_conflict=self.is_diligent(0.5)))
                continue
            report = self.reports.get((claim_id, name)) or self._write_report(claim_id, name)
            if not firm.is_accepted:
                self.call(name, AssessorAccept(claim=claim_id))
            if firm.commit_hash is None:
                self.call(name, ReportCommit(claim=claim_id, hash=hash_report(name, report)))
            self.call(name, report)

    def _write_report(self, claim_id: bytes, name: str) -> ReportReveal:
        claim = self.claim(claim_id)
        report = ReportReveal(
            claim=claim_id,
            finding=int(self.is_diligent(0.75)),
            established_day=claim.diagnosed_day - self.random.choice([0, 0, 0, 0, 1]),
            row=claim.asked_row if self.is_diligent(0.9) else 1,
            clauses=("4.1",),
            report_root=name_hash("report", name),
            salt=name_hash("salt", name),
        )
        self.reports[claim_id, name] = report
        return report

    def _decide(self, claim_id: bytes) -> None:
        claim = self.claim(claim_id)
        asked = ("platform", *AUDITORS)[min(claim.escalation, 2)]
        if self.is_diligent(0.4):
            row = next((firm.row for firm in get_active(claim) if firm.is_revealed), 0)
            for is_approved in (True, False):
                self.call(asked, ClaimDecide(claim=claim_id, is_approved=is_approved, row=row, clauses=("4.1",)))

    def _review(self, claim_id: bytes) -> None:
        if self.is_diligent(0.1):
            member = self.random.choice(self.members)
            call = ObjectionFile(member=member, claim=claim_id, evidence_hash=name_hash("evidence", self.today))
            if self.call(self.key(member), call).number == 0:
                self.objections.append(Hash(self.last_tx))
        for auditor in AUDITORS:
            if self.is_diligent():
                self.call(auditor, ClaimConfirm(items=(claim_id,)))

    def _audit_again(self, claim_id: bytes) -> None:
        record = self.state.get(REAUDIT, claim_id)
        if record is not None:
            call = ReauditReport(claim=claim_id, is_clean=self.is_diligent(), report_root=name_hash("again"))
            self.try_all(call, *list_asked(record))

    # --- juries ---

    def judge(self, case_id: bytes) -> None:
        """Let jurors seal and open their votes, and the panel rule."""
        record = self.state.require(APPEAL, case_id)
        if record.status == APPEAL_PANEL:
            for seat in record.panel:
                if self.is_diligent(0.4):
                    self.call(seat.organisation, AppealRule(case=case_id, is_upheld=self.is_diligent(0.5)))
        if record.status not in (APPEAL_COMMIT, APPEAL_REVEAL) or self.is_mute("jurors"):
            return
        for member in self.members:
            juror = self.state.get(JUROR, member, case_id)
            if juror is None or juror.round != record.round or not self.is_diligent(0.3):
                continue
            ballot = BallotRevealItem(case=case_id, is_upheld=member[0] % 2 == 0, salt=name_hash("ballot"))
            if record.status == APPEAL_COMMIT:
                sealed = BallotCommitItem(case=case_id, hash=hash_ballot(member, ballot))
                self.call(self.key(member), BallotCommit(member=member, items=(sealed,)))
            else:
                self.call(self.key(member), BallotReveal(member=member, items=(ballot,)))

    # --- money ---

    def list_periods(self) -> list[int]:
        """Return the numbers of all periods, those behind the last settlement included."""
        closed = self.state.get(CLOSED_POOL, PLAN_NAME, 0)
        extra = 0 if closed is None else closed.batches
        last = self.pool.settlements
        return [*range(last), *range(last + 1, last + 1 + extra)]

    def sign_batches(self) -> None:
        for number in self.list_periods():
            period = self.state.require(PERIOD, PLAN_NAME, 0, number)
            if period.status == PERIOD_COMPUTED:
                for signer in ("platform", *AUDITORS):
                    self.sign_one(signer, number, period.batch_root)

    def sign_one(self, signer: str, number: int, root: bytes) -> None:
        if self.is_diligent():
            self.call(signer, BatchSign(plan=PLAN_NAME, pool=0, period=number, batch_root=root))

    def answer(self) -> None:
        """Let the bank carry out most of what is ready; some payments fail."""
        for instruction in self.list_ready():
            if not self.is_diligent(0.5):
                continue
            record = self.instruction(instruction)
            is_settled = not self.is_diligent(self.failing)
            item = InstructionAckItem(
                instruction=instruction,
                is_settled=is_settled,
                amount=record.amount,
                booking_day=self.today,
                ref_token=name_hash("ack", instruction.hex(), record.attempt),
                reason=0 if is_settled else 3,
            )
            outcome = self.call("bank", InstructionAck(account=ACCOUNT_NAME, items=(item,)))
            if outcome.items == (0,) and is_settled:
                self.bank_fen -= record.amount
