"""Steps of the machine around the move of a pool's money to another account."""

from random import Random

from hypothesis.stateful import rule
from msgspec.structs import replace

from chain.contract.governance_calls import MoveCustody
from chain.contract.money_calls import DepositCredit, DepositCreditItem, DepositReverse
from tests.chain.contract.world import PLAN_NAME, name_hash
from tests.model.book import Custody
from tests.model.house import GOVERNING
from tests.model.machine_base import AUDITORS, Choices, pick
from tests.model.machine_house import pick_office, put_to_vote


class CustodyRules(Choices):
    """Moves of accounts, and what is said of the old one."""

    @rule(choice=pick)
    def move_account(self, choice: int) -> None:
        """Vote on a move, book something in its last days, and look at both accounts."""
        story, chance = self.story, Random(choice)
        pool = self.pick_pool(choice)
        if pool.former and chance.randrange(2):
            self.speak_of(chance.choice(pool.former), pool.custody, chance)
            return
        number = sum(len(one.former) for one in self.book.pools)
        wish = MoveCustody(plan=PLAN_NAME, pool=pool.number, account=f"next-{number}")
        if chance.randrange(7) == 0:
            changes: tuple[dict[str, object], ...] = ({"plan": "other"}, {"pool": 7}, {"account": pool.custody.name})
            wish = replace(wish, **chance.choice(changes))
        opener = "bank" if chance.randrange(5) else pick_office(story, choice, *GOVERNING)
        put_to_vote(story, opener, wish, chance)
        story.pass_days(chance.randrange(1, 4), posts=chance.randrange(3) > 0)
        self.book_on(pool.custody, chance)
        story.next_block(1)
        story.agree()
        if chance.randrange(2):
            story.post_statements()
        for custody in (*pool.former, pool.custody):
            self.book_on(custody, chance)
        for custody in (*pool.former, pool.custody):
            self.tell_again(custody, chance)

    def speak_of(self, custody: Custody, present: Custody, chance: Random) -> None:
        """Let the bank speak of an account that was moved."""
        self.book_on(custody, chance)
        self.call("bank", self.story.build_statement(replace_day(custody, present), self.book.day - 1))

    def tell_again(self, custody: Custody, chance: Random) -> None:
        """Let the bank tell a transfer of the last days once more, now and then wrongly."""
        days = range(self.book.day - 4, self.book.day + 1)
        told = [one.told for (day, _), one in custody.deposits.items() if day in days]
        items = [item for item in told if isinstance(item, DepositCreditItem)]
        if items:
            item = chance.choice(items)
            if chance.randrange(4) == 0:
                item = replace(item, amount=item.amount + 1)
            self.call("bank", DepositCredit(account=custody.name, items=(item,)))

    def book_on(self, custody: Custody, chance: Random) -> None:
        """Credit somebody on an account, and recall what was credited."""
        member = self.book.members.get(self.pick_member(chance.randrange(2**31), "sharing"))
        item = replace(self.build_credit(member, 1_000), ref_token=name_hash("move", chance.randrange(2**31)))
        self.call("bank", DepositCredit(account=custody.name, items=(item,)))
        if custody.deposits:
            (day, ref_token), deposit = chance.choice(list(custody.deposits.items()))
            call = DepositReverse(
                account=custody.name,
                deposit_day=day,
                deposit_ref=ref_token,
                amount=max(1, deposit.amount // chance.randrange(1, 4)),
                booking_day=self.book.day,
                ref_token=name_hash("recall", chance.randrange(2**31)),
            )
            self.sign(chance.randrange(2**31), call, ("bank", AUDITORS[chance.randrange(2)]))


def replace_day(old: Custody, present: Custody) -> Custody:
    """Return the old account as if it had to be stated from where the books are now."""
    return Custody(old.name, old.pool, present.closed_day, opening=old.opening)
