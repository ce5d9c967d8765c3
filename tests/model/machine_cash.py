"""What moves on an account besides deposits: interest, recovery, repayment, a payment that came back."""

from chain.contract.money_calls import CashOtherItem
from tests.chain.contract.world import name_hash
from tests.model.book import Custody
from tests.model.machine_base import Choices


class CashChoices(Choices):
    """What moves on an account besides deposits."""

    def build_cash(self, custody: Custody, choice: int) -> CashOtherItem:
        """Build a movement that is no deposit: interest, recovery, repayment, a payment that came back."""
        frauds = [name for name, one in self.book.claims.items() if one.status == "clawback"]
        settled = [name for name, one in self.book.instructions.items() if one.state == "settled"]
        kinds = [0] * 2 + [1] * (4 * bool(frauds) + 1) + [2] * (4 * bool(custody.owed) + 1) + [3] * 3
        kind = kinds[choice // 3 % len(kinds)]
        claims = frauds or list(self.book.claims)
        claim = claims[choice // 7 % len(claims)] if kind == 1 and claims else None
        instruction = settled[choice // 7 % len(settled)] if kind == 3 and settled else None
        amounts = [1, 997, custody.owed, custody.owed + 1]
        if instruction is not None and choice % 11:
            amounts = [self.book.instructions[instruction].amount]
        if claim is not None:
            paid = self.book.claims[claim].paid
            amounts = [1, paid // 2, paid, paid + 1]
        return CashOtherItem(
            kind=kind,
            claim=claim,
            instruction=instruction,
            amount=max(1, amounts[choice // 5 % len(amounts)]),
            booking_day=self.book.day - (choice // 3 % 7 == 0),
            ref_token=name_hash("cash", len(custody.deposits) - (choice % 19 == 0)),
            payer_token=None if (kind == 1) != (choice % 23 == 0) else name_hash("payer"),
        )
