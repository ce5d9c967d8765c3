"""The town of town.py with everything else that waits for somebody: custody and government here, people in
city_people.py."""

from msgspec.structs import replace

from chain.contract.custody_tables import ACCOUNT, DEPOSIT, INSTRUCTION_FAILED, STATEMENT
from chain.contract.deposit import get_unmatched
from chain.contract.failed_payments import has_open_payment
from chain.contract.governance_calls import AddOrganisation, EndPlan, Payload, ProposalOpen, ProposalVote, SetParameter
from chain.contract.governance_tables import CONSORTIUM
from chain.contract.member_calls import AccountChange
from chain.contract.money_calls import (
    CashOther,
    CashOtherItem,
    DepositCreditItem,
    DepositMatch,
    DepositMatchItem,
    DepositReverse,
    FeeWithdraw,
    InstructionUnclaimed,
    SingleRelease,
    StatementResolve,
)
from chain.contract.money_tables import CASH_INTEREST, CASH_REPAYMENT, RECONCILIATION
from chain.contract.plan_calls import Pause, Resume, RulesPublish
from chain.contract.tables import PLAN_FROZEN, PLAN_PAUSED, VERSION
from chain.contract.version_tables import PAUSE
from chain.contract.wind_tables import CLOSED_POOL
from chain.types import Hash
from tests.chain.contract.city_people import CityPeople
from tests.chain.contract.town import AUDITORS, GOVERNORS
from tests.chain.contract.world import ACCOUNT_NAME, PLAN_NAME, name_hash


class City(CityPeople):
    """Everything that a plan can be asked, by everybody."""

    def go_on(self) -> None:
        if self.state.get(CLOSED_POOL, PLAN_NAME, 0) is not None:
            self.wind_up()
            return
        super().go_on()
        self.admit_people()
        for _ in range(3):
            self.act_as_member(self.random.choice(self.members))
        self.keep_house()
        self.hear()
        self.look_after_persons()
        self.keep_books()
        self.govern()

    def wind_up(self) -> None:
        """Do what is left once the plan pays out: no bank refuses a payment any more, heirs and members come or not."""
        self.failing = 0.0
        for claim_id in self.claims:
            self.push(claim_id)
        for case_id in self.cases:
            self.judge(case_id)
        self.sign_batches()
        self.answer()
        self.keep_house()
        self.hear()
        self._reconcile()
        owed = [member for member in self.members if has_open_payment(self.state, member, self.member(member))]
        for member in owed:
            if self.is_diligent(0.2):
                call = AccountChange(member=member, account_commitment=name_hash("commitment", self.today))
                self.call(self.key(member), call)
        unpaid = [item for item in self.instructions if self.instruction(item).state == INSTRUCTION_FAILED]
        for start in range(0, len(unpaid), 100) if self.is_diligent(0.1) else ():
            items = tuple(unpaid[start : start + 100])
            for signer in ("bank", *AUDITORS):
                self.call(signer, InstructionUnclaimed(account=ACCOUNT_NAME, items=items))

    # --- custody ---

    def keep_books(self) -> None:
        if self.is_diligent(0.1):
            self._pay_in(None, self.random.randint(1, 50_000))
        if self.deposits and self.is_diligent(0.05):
            self._match_or_recall(self.random.choice(self.deposits[-10:]))
        if self.is_diligent(0.05):
            self._book_cash(CASH_INTEREST, self.random.randint(1, 999))
        if self.pool.fee_payable and self.is_diligent(0.2):
            fee = FeeWithdraw(
                plan=PLAN_NAME, pool=0, amount=self.pool.fee_payable, account_token=name_hash("platform account")
            )
            self.try_all(fee, "platform", self.random.choice(AUDITORS))
        self._reconcile()

    def _book_cash(self, kind: int, amount: int) -> None:
        item = CashOtherItem(
            kind=kind,
            claim=None,
            instruction=None,
            amount=amount,
            booking_day=self.today,
            ref_token=name_hash("cash", kind, self.today),
            payer_token=name_hash("bank"),
        )
        self.book(CashOther(account=ACCOUNT_NAME, items=(item,)), [amount])

    def _match_or_recall(self, item: DepositCreditItem) -> None:
        deposit = self.state.require(DEPOSIT, ACCOUNT_NAME, item.booking_day, item.ref_token)
        if get_unmatched(deposit) and self.is_diligent(0.5):
            match = DepositMatchItem(booking_day=item.booking_day, ref_token=item.ref_token, member=self.choose())
            self.try_all(DepositMatch(account=ACCOUNT_NAME, items=(match,)), "platform", "bank")
            return
        recall = DepositReverse(
            account=ACCOUNT_NAME,
            deposit_day=item.booking_day,
            deposit_ref=item.ref_token,
            amount=1,
            booking_day=self.today,
            ref_token=name_hash("recall", self.today),
        )
        calls = self.outcomes["DepositReverse"]
        for signer in ("bank", self.random.choice(AUDITORS)):
            self.call(signer, recall)
        if self.outcomes["DepositReverse"] == calls + 2:
            self.bank_fen -= 1

    def post_statements(self) -> None:
        """Post the statement of yesterday; now and then one with a typing error, that has to be explained."""
        account = self.state.require(ACCOUNT, ACCOUNT_NAME)
        is_one_day = account.closed_day == self.today - 2
        if is_one_day and self.today > self.start_day + 30 and self.random.random() < 0.004:
            true = self.build_statement(self.today - 1, self.today - 1)
            self.call("bank", replace(true, in_count=true.in_count + 1))
        super().post_statements()

    def _reconcile(self) -> None:
        record = self.state.get(RECONCILIATION, ACCOUNT_NAME)
        if record is not None and record.owed and self.is_diligent(0.2):
            self._book_cash(CASH_REPAYMENT, record.owed)
        if record is None or record.statement is None:
            return
        posted = self.state.require(STATEMENT, ACCOUNT_NAME, record.statement)
        resolution = StatementResolve(
            account=ACCOUNT_NAME,
            span=record.statement,
            opening=posted.opening,
            closing=posted.closing,
            in_count=posted.in_count - 1,
            in_sum=posted.in_sum,
            out_count=posted.out_count,
            out_sum=posted.out_sum,
            file_hash=posted.file_hash,
            lines=(),
            reason_hash=name_hash("typing error"),
        )
        if self.is_diligent(0.3):
            self.try_all(resolution, "bank", self.random.choice(AUDITORS))
        if self.plan.status == PLAN_FROZEN:
            for instruction in self.list_ready()[:2]:
                self.try_all(SingleRelease(instruction=instruction), "bank", self.random.choice(AUDITORS))

    # --- government ---

    def govern(self) -> None:
        if self.is_diligent(0.03):
            self._propose(self._choose_payload())
        if self.ends and self.today > self.silent_from + 40 and not self.plan.wind_day:
            self._propose(EndPlan(plan=PLAN_NAME))
        for live in self.state.require(CONSORTIUM).live:
            for name in GOVERNORS:
                if self.is_diligent(0.2):
                    self.call(name, ProposalVote(proposal=live.proposal, is_yes=self.is_diligent(0.9)))
        if self.is_diligent(0.01):
            self.call(self.random.choice(GOVERNORS), Pause(plan=PLAN_NAME, reason_hash=name_hash("pause")))
        pause = self.state.get(PAUSE, PLAN_NAME)
        if self.plan.status == PLAN_PAUSED and pause is not None:
            resume = Resume(plan=PLAN_NAME, paused_day=pause.since_day, reason_hash=name_hash("resume"))
            self.try_all(resume, "platform", "bank", self.random.choice(AUDITORS))
        if self.is_diligent(0.01):
            self._publish()

    def _choose_payload(self) -> Payload:
        name = f"firm-{self.today}"
        firm = AddOrganisation(
            name=name, role=3, group=f"g-{name}", key=name_hash("key", name), recovery_key=Hash(bytes(32))
        )
        return firm if self.is_diligent(0.5) else SetParameter(name="drain_max", value=self.random.randint(20, 100))

    def _propose(self, payload: Payload) -> None:
        opener = self.random.choice(GOVERNORS)
        self.call(opener, ProposalOpen(payload=payload, reason_hash=name_hash("reason")))

    def _publish(self) -> None:
        terms = self.state.require(VERSION, PLAN_NAME, self.pool.version).terms
        pool = replace(terms.pool, fee_bp=max(0, terms.pool.fee_bp - 1))
        call = RulesPublish(
            plan=PLAN_NAME,
            version=self.plan.versions,
            pool=0,
            rules=replace(terms, name=f"v{self.plan.versions}", pool=pool),
            text_hash=name_hash("text", self.today),
            account=None,
        )
        self.try_all(call, "platform", self.random.choice(AUDITORS))
