"""Rules about statements: posted, wrong, explained, objected to, confirmed by letters."""

from hypothesis.stateful import rule

from chain.contract.call_base import ITEMS_MAX
from chain.contract.money_calls import (
    BalanceConfirm,
    CashOtherItem,
    ForeignDebit,
    InstructionAckItem,
    LateCash,
    LateDeposit,
    LatePayment,
    LateRecall,
    StatementLine,
    StatementObject,
    StatementPost,
    StatementResolve,
    StruckDeposit,
    StruckPayment,
)
from tests.chain.contract.world import name_hash
from tests.model.book import Custody
from tests.model.machine_base import AUDITORS, pick
from tests.model.machine_cash import CashChoices
from tests.model.statements import find_oldest_open, read_line, sum_up

assert ITEMS_MAX >= 3


class StatementRules(CashChoices):
    """Statements, mismatches, and how they are explained."""

    @rule(choice=pick)
    def post_statement(self, choice: int) -> None:
        """Post what is missing, usually as the books have it."""
        custody = self.pick_pool(choice).custody
        to_day = self.book.day - 1 - choice // 2 % 2
        if to_day - custody.closed_day > 10:
            to_day = custody.closed_day + 10 - (choice % 5 == 0)
        if to_day <= custody.closed_day:
            to_day = custody.closed_day + choice % 2 if choice % 3 == 0 else 0
        if to_day:
            self.call(self.pick_signer(choice, "bank"), self.story.build_statement(custody, to_day))

    @rule(choice=pick)
    def post_wrong(self, choice: int) -> None:
        """Post a statement that shows what the chain does not know, or lacks what it has."""
        self.post_wrong_line(choice, self.pick_pool(choice).custody)

    def post_wrong_line(self, choice: int, custody: Custody) -> None:
        """Post the next statement of an account with a line too many or too few."""
        to_day = min(self.book.day - 1, custody.closed_day + 10)
        if to_day <= custody.closed_day:
            return
        right = self.story.build_statement(custody, to_day)
        line = self.build_line(custody, choice // 4, first_day=right.from_day, last_day=to_day)
        change = (0, choice // 7 % 2, 0, 0) if line is None else read_line(line)[1]
        moved = sum_up(((right.in_count, right.in_sum, right.out_count, right.out_sum), change))
        if min(moved) < 0 or right.closing + change[1] - change[3] < 0:
            return
        call = StatementPost(
            account=custody.name,
            from_day=right.from_day,
            to_day=to_day,
            opening=right.opening,
            closing=right.closing + change[1] - change[3] + (line is None),
            in_count=moved[0],
            in_sum=moved[1],
            out_count=moved[2],
            out_sum=moved[3],
            file_hash=right.file_hash,
        )
        self.story.causes[custody.name, len(custody.statements)] = () if line is None else (line,)
        self.call("bank", call)

    def build_line(self, custody: Custody, choice: int, *, first_day: int, last_day: int) -> StatementLine | None:
        """Build what bank and chain differ by on some days; None: a typing error of the bank."""
        day = first_day + choice // 3 % (last_day - first_day + 1)
        member = self.book.members.get(self.pick_member(choice // 5, "sharing"))
        item = self.build_credit(member, 1 + choice // 7 % 5_000, booking_day=day, value_day=day)
        struck = [key for key in custody.deposits if first_day <= key[0] <= last_day]
        mine = {name: one for name, one in self.book.instructions.items() if one.pool == custody.pool}
        paid = {name: one.answer for name, one in mine.items() if one.state == "settled" and one.answer is not None}
        came_back = [(name, answer[1]) for name, answer in paid.items() if first_day <= answer[1] <= last_day]
        ready = [name for name, one in mine.items() if one.state == "ready"]
        known = list(custody.deposits)
        kind = choice % 9
        if kind in (0, 1) and struck:
            key = struck[choice // 7 % len(struck)]
            return StruckDeposit(amount=custody.deposits[key].amount, booking_day=key[0], ref_token=key[1])
        if kind == 2 and came_back:
            name, booked_on = came_back[choice // 7 % len(came_back)]
            return StruckPayment(instruction=name, amount=mine[name].amount, booking_day=booked_on)
        if kind == 3 and ready:
            name = ready[choice // 7 % len(ready)]
            return LatePayment(
                answer=InstructionAckItem(
                    instruction=name,
                    is_settled=True,
                    amount=mine[name].amount,
                    booking_day=day,
                    ref_token=name_hash("late ack", choice % 2),
                    reason=0,
                )
            )
        if kind == 4 and known:
            day_of_deposit, ref_token = known[choice // 7 % len(known)]
            amount = custody.deposits[day_of_deposit, ref_token].amount
            recall_ref = name_hash("late recall", len(custody.recalls))
            return LateRecall(
                deposit_day=day_of_deposit,
                deposit_ref=ref_token,
                amount=amount - choice // 3 % min(2, amount),
                booking_day=day,
                ref_token=recall_ref,
            )
        if kind == 5:
            cash = self.build_cash(custody, choice // 5)
            return LateCash(cash=CashOtherItem(**{**cash_fields(cash), "booking_day": day}))  # type: ignore[arg-type]
        if kind == 6:
            return ForeignDebit(
                amount=1 + choice // 7 % 900, booking_day=day, ref_token=name_hash("charge", choice % 3)
            )
        return None if kind == 7 else LateDeposit(deposit=item)

    @rule(choice=pick)
    def explain(self, choice: int) -> None:
        """Explain the oldest mismatch, as a rule by what was behind it."""
        custody = self.pick_pool(choice).custody
        for pool in self.book.pools:
            if find_oldest_open(pool.custody) is not None:
                custody = pool.custody
        oldest = find_oldest_open(custody)
        if oldest is None and choice % 5:
            self.post_wrong_line(choice // 5, custody)
            oldest = find_oldest_open(custody)
        span = len(custody.statements) - 1 if oldest is None else oldest
        if span < 0:
            return
        lines = self.story.causes.get((custody.name, span), ()) if choice % 7 else ()
        statement = custody.statements[span]
        moved = sum_up((statement.booked, *(read_line(line)[1] for line in lines)))
        opening = custody.statements[span - 1].closing if span else custody.opening
        call = StatementResolve(
            account=custody.name,
            span=span,
            opening=opening + (choice % 31 == 0),
            closing=max(0, opening + moved[1] - moved[3]),
            in_count=moved[0],
            in_sum=moved[1],
            out_count=moved[2],
            out_sum=moved[3],
            file_hash=name_hash("right statement"),
            lines=lines,
            reason_hash=name_hash("reason", choice % 2),
        )
        self.sign(choice // 9, call, ("bank", AUDITORS[choice % 2]))
        if choice // 3 % 4 == 0:
            objection = StatementObject(account=custody.name, span=span, reason_hash=name_hash("objection"))
            self.call(self.pick_signer(choice, AUDITORS[1 - choice % 2]), objection)
        elif choice // 3 % 4 == 1:
            self.story.pass_days(3, posts=False)

    @rule(choice=pick)
    def object_to(self, choice: int) -> None:
        pending = [key for key, one in self.book.explanations.items() if one.name == "pending"]
        known = pending if pending and choice % 5 else list(self.book.explanations)
        account, span = known[choice // 7 % len(known)] if known else (self.pick_pool(choice).custody.name, choice % 3)
        call = StatementObject(account=account, span=span, reason_hash=name_hash("objection"))
        self.call(self.pick_signer(choice, AUDITORS[choice // 3 % 2]), call)

    @rule(choice=pick)
    def confirm_balance(self, choice: int) -> None:
        """Let auditors obtain a balance by themselves; two that differ from the bank are a dispute."""
        custody = self.pick_pool(choice).custody
        statements = custody.statements
        statement = statements[-1 - choice // 7 % min(3, len(statements))] if statements else None
        day = self.book.day if statement is None else statement.to_day - (choice % 17 == 0)
        call = BalanceConfirm(
            account=custody.name,
            day=day,
            closing=0 if statement is None else statement.closing + (choice // 3 % 4 == 0),
            letter_hash=name_hash("letter", choice % 2),
        )
        for signer in AUDITORS[: choice // 5 % 2 + 1]:
            self.call(self.pick_signer(choice, signer), call)


def cash_fields(item: CashOtherItem) -> dict[str, object]:
    """Return the fields of a movement."""
    return {name: getattr(item, name) for name in item.__struct_fields__}
