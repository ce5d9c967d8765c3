"""Rules about money: deposits, recalls, other movements, instructions, batches, fees."""

from hypothesis.stateful import rule
from msgspec.structs import replace

from chain.contract.call_base import ITEMS_MAX
from chain.contract.money_calls import (
    CashOther,
    DepositCredit,
    DepositMatch,
    DepositMatchItem,
    DepositReverse,
    FeeWithdraw,
    InstructionAck,
    InstructionAckItem,
    InstructionUnclaimed,
    SingleRelease,
)
from chain.contract.plan_calls import BatchSign
from tests.chain.contract.world import PLAN_NAME, name_hash
from tests.model.machine_base import AUDITORS, Choices, pick
from tests.model.machine_cash import CashChoices
from tests.model.records import Instruction

assert ITEMS_MAX >= 3


class DepositRules(CashChoices):
    """Money that comes in."""

    @rule(choice=pick)
    def credit(self, choice: int) -> None:
        owing = [name for name, one in self.book.members.items() if one.arrears]
        moving = [name for name, one in self.book.members.items() if one.status == "moving"]
        member_id = self.find_member(choice, moving or owing)
        member = self.book.members.get(member_id)
        amount = self.choose_amount(choice // 13, member_id)
        pool = self.book.pools[0 if member is None else member.pool]
        if member is not None and member.move is not None and choice % 4:
            pool, amount = self.book.pools[member.move.to_pool], member.move.amount or amount
        day = self.book.day
        item = self.build_credit(
            member,
            amount,
            booking_day=day - (0, 0, 0, 1, -1)[choice // 3 % 5],
            value_day=day - (0, 0, 1, 4, 30, -1)[choice // 5 % 6],
        )
        items = [item, item] if choice % 7 == 0 else [item]
        known = [one.told for one in pool.custody.deposits.values()]
        again = known[choice // 13 % len(known)] if known else None
        if choice % 13 == 0 and isinstance(again, type(item)):
            items.append(self.build_credit(None, again.amount + choice % 2, **item_fields(again)))
        self.call(self.pick_signer(choice, "bank"), DepositCredit(account=pool.custody.name, items=tuple(items)))

    @rule(choice=pick)
    def top_up(self, choice: int) -> None:
        """Pay arrears: too little by a fen, enough, or all that a member may own, and a fen more."""
        owing = [name for name, one in self.book.members.items() if one.arrears]
        if not owing:
            return
        member = self.book.members[owing[choice // 7 % len(owing)]]
        pool = self.book.pool_of(member)
        missing = member.arrears - member.rem - member.cash
        most = self.book.pool_terms(pool).deposit_max_fen * member.weight + member.arrears - member.balance
        least = self.book.pool_terms(pool).deposit_min_fen * member.weight
        amount = (missing, missing - 1, most, most + 1, least, least * 2)[choice % 6]
        item = self.build_credit(member, max(1, amount), value_day=self.book.day - (0, 0, 1, 12)[choice // 6 % 4])
        self.call("bank", DepositCredit(account=pool.custody.name, items=(item,)))

    @rule(choice=pick)
    def match(self, choice: int) -> None:
        """Find the member of money that named nobody, or hardly anybody."""
        pool = self.pick_pool(choice)
        custody = pool.custody
        if choice % 3:
            item = self.build_credit(None, self.choose_amount(choice // 13, self.pick_member(choice, "sharing")))
            self.call("bank", DepositCredit(account=custody.name, items=(item,)))
        free = [key for key, one in custody.deposits.items() if one.unmatched] or list(custody.deposits)
        day, ref_token = free[choice // 7 % len(free)] if free else (self.book.day, name_hash("none"))
        member = self.pick_member(choice // 3, "sharing", "verified", "applied", "waiting")
        match_item = DepositMatchItem(booking_day=day, ref_token=ref_token, member=member)
        call = DepositMatch(account=custody.name, items=(match_item, match_item)[: choice % 2 + 1])
        self.sign(choice // 9, call, ("platform", "bank") if choice % 2 else ("bank", "platform"))

    @rule(choice=pick)
    def recall(self, choice: int) -> None:
        custody = self.pick_pool(choice).custody
        known = list(custody.deposits.items())
        (day, ref_token), deposit = known[choice // 7 % len(known)] if known else ((0, name_hash("none")), None)
        amount = 1 if deposit is None else (deposit.amount, deposit.amount - 1, deposit.amount + 1, 1)[choice % 4]
        call = DepositReverse(
            account=custody.name,
            deposit_day=day,
            deposit_ref=ref_token,
            amount=max(1, amount),
            booking_day=self.book.day - (0, 0, 0, 1, -1)[choice // 3 % 5],
            ref_token=name_hash("recall", len(custody.recalls) - (choice % 11 == 0)),
        )
        self.sign(choice // 9, call, ("bank", AUDITORS[choice % 2]))

    @rule(choice=pick)
    def book_cash(self, choice: int) -> None:
        custody = self.pick_pool(choice).custody
        item = self.build_cash(custody, choice // 2)
        call = CashOther(account=custody.name, items=(item, item)[: choice % 2 + 1])
        self.sign(choice // 9, call, ("bank", AUDITORS[choice % 2]) if item.kind == 1 else ("bank",))


def item_fields(item: object) -> dict[str, int | bytes | None]:
    """Return what a repeated item says again, the amount apart."""
    names = ("ref_token", "booking_day", "value_day", "payer_token", "deposit_code")
    return {name: getattr(item, name) for name in names}


class PaymentRules(Choices):
    """Claims that are paid, batches, and the bank's answers."""

    @rule(choice=pick)
    def confirm_claim(self, choice: int) -> None:
        """Let a claim have been confirmed; how, claims' own rules tell."""
        fit = [name for name, one in self.book.members.items() if one.status == "sharing" and one.claim is None]
        if not fit or self.book.status == "ended":
            return
        member_id = fit[choice // 7 % len(fit)]
        member = self.book.members[member_id]
        if self.book.pool_of(member).closed is not None:
            return
        money = sum(one.balance for one in self.book.members_of(self.book.pool_of(member)))
        amount = (1, 50, 700, money // 4, money // 2, money, money * 2)[choice % 7]
        payee = 1 if member.guardian is not None and choice % 3 == 0 else 0
        self.story.put_claim(member_id, max(1, amount), row=int(choice // 5 % 4 != 0), payee_kind=payee)

    @rule(choice=pick)
    def find_fraud(self, choice: int) -> None:
        paid = [name for name, one in self.book.claims.items() if one.status == "paid"]
        if paid:
            self.story.find_fraud(paid[choice % len(paid)])

    @rule(choice=pick)
    def answer(self, choice: int) -> None:
        ready = [name for name, one in self.book.instructions.items() if one.state == "ready"]
        known = ready if ready and choice % 5 else list(self.book.instructions)
        names = [known[(choice // 7 + n) % len(known)] for n in range(choice // 5 % 3 + 1)] if known else []
        for name in names or [name_hash("none")]:
            self.answer_one(name, choice)

    def answer_one(self, name: bytes, choice: int) -> None:
        """Let the bank say what became of an instruction."""
        record = self.book.instructions.get(name)
        custody = self.book.pools[0 if record is None else record.pool].custody
        is_settled = choice % 3 != 0
        item = InstructionAckItem(
            instruction=name,
            is_settled=is_settled,
            amount=(1 if record is None else record.amount) + (choice % 19 == 0),
            booking_day=self.book.day - (0, 0, 0, 1, -1)[choice // 3 % 5],
            ref_token=name_hash("ack", choice % 2, 0 if record is None or choice % 7 == 0 else record.attempt),
            reason=0 if is_settled else 4,
        )
        self.call(self.pick_signer(choice, "bank"), InstructionAck(account=custody.name, items=(item, item)))

    @rule(choice=pick)
    def sign_batch(self, choice: int) -> None:
        pool = self.pick_pool(choice)
        periods = dict(enumerate(pool.periods)) | pool.batches
        waiting = [number for number, one in periods.items() if one.status == "computed"]
        number = (waiting or list(periods))[choice // 7 % len(waiting or periods)] if choice % 5 else choice // 7 % 9
        period = periods.get(number)
        root = period.root if period is not None and choice % 9 else name_hash("root")
        call = BatchSign(plan=PLAN_NAME, pool=pool.number, period=number, batch_root=root)
        usual = ("platform", AUDITORS[1] if period is None else period.cosigner or AUDITORS[0])
        if choice % 3 == 0:
            self.call(self.pick_signer(choice, ("platform", *AUDITORS)[choice // 3 % 3]), call)
        else:
            self.sign(choice // 9, call, usual)

    @rule(choice=pick)
    def unclaim(self, choice: int) -> None:
        failed = [name for name, one in self.book.instructions.items() if is_failed_aid(one)]
        if any(pool.closed is not None for pool in self.book.pools):
            failed = [name for name, one in self.book.instructions.items() if one.state == "failed"]
        known = failed if failed and choice % 7 else list(self.book.instructions)
        if not failed and choice % 4:
            return
        name = known[choice // 7 % len(known)] if known else name_hash("none")
        record = self.book.instructions.get(name)
        account = self.book.pools[0 if record is None else record.pool].custody.name
        call = InstructionUnclaimed(account=account, items=(name, name)[: choice % 2 + 1])
        self.sign(choice // 9, call, ("bank", AUDITORS[choice % 2]))

    @rule(choice=pick)
    def release(self, choice: int) -> None:
        ready = [name for name, one in self.book.instructions.items() if one.state == "ready"]
        known = ready if ready and choice % 7 else list(self.book.instructions)
        name = known[choice // 7 % len(known)] if known else name_hash("none")
        if self.book.status != "frozen" and choice % 5 and not self.freeze():
            return
        self.sign(choice // 9, SingleRelease(instruction=name), ("bank", AUDITORS[choice % 2]))

    def freeze(self) -> bool:
        """Let the bank make a typing error, and the day end; return whether that has frozen the plan."""
        custody = self.book.pools[0].custody
        if self.book.status != "active" or custody.closed_day >= self.book.day - 1:
            return False
        right = self.story.build_statement(custody, min(self.book.day - 1, custody.closed_day + 10))
        self.call("bank", replace(right, closing=right.closing + 1))
        self.story.causes[custody.name, len(custody.statements) - 1] = ()
        self.story.next_block(1)
        return self.book.status == "frozen"

    @rule(choice=pick)
    def withdraw_fee(self, choice: int) -> None:
        pool = self.pick_pool(choice)
        amounts = (pool.fee_payable, pool.fee_payable, pool.fee_payable // 2, pool.fee_payable + 1, 1)
        call = FeeWithdraw(
            plan=PLAN_NAME,
            pool=pool.number if choice % 29 else 9,
            amount=max(1, amounts[choice // 3 % 5]),
            account_token=name_hash("platform's account"),
        )
        self.sign(choice // 9, call, ("platform", AUDITORS[choice % 2]))


def is_failed_aid(record: Instruction) -> bool:
    """Tell whether aid waits for another account."""
    return record.kind == "aid" and record.state == "failed"
