"""What happens in a plan beside claims and votes, a little of everything (machine.py, stories about claims)."""

from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model.machine_base import pick
from tests.model.machine_claims import CHOICES
from tests.model.machine_members import AccountRules, MemberRules, PersonRules
from tests.model.machine_money import DepositRules, PaymentRules
from tests.model.machine_plan import StopRules, TimeRules, VersionRules
from tests.model.story import Story
from tests.model.walk_claims import appeal_void


class Others(MemberRules, AccountRules, PersonRules, DepositRules, PaymentRules, TimeRules, StopRules, VersionRules):
    """All that people do who are not ill."""

    def __init__(self, story: Story) -> None:
        self.story = story


class BesideRules:
    """Days, and what people do who are not ill."""

    story: Story

    @rule(days=st.sampled_from((1, 1, 2, 3, 5)), posts=st.sampled_from((True, True, True, False)))
    def pass_days(self, days: int, posts: bool) -> None:
        Others(self.story).pass_days(days=days, posts=posts)

    @rule(choice=pick)
    def do_something_else(self, choice: int) -> None:
        other = Others(self.story)
        acts = (
            other.work,
            other.join,
            other.credit,
            other.leave,
            other.take_out,
            other.amend,
            other.change_account,
            other.settle_estate,
            other.lose_key,
            other.grow_up,
            other.report_death,
            other.report_death,
            other.report_death,
            other.revoke_death,
            other.open_hearing,
            other.hear,
            other.resume,
            other.publish,
            other.accept_rules,
            other.withdraw_fee,
            other.book_cash,
            other.unclaim,
        )
        chance = Random(choice)
        chance.choice(acts)(choice=chance.randrange(CHOICES))
        if chance.randrange(17) == 0:
            other.open_epoch(choice=chance.randrange(CHOICES), moves=chance.randrange(3) > 0)
        if chance.randrange(31) == 0:
            other.jump(choice=chance.randrange(CHOICES), days=chance.choice((31, 95, 200)))

    @rule(choice=pick)
    def void_somebody(self, choice: int) -> None:
        """Let somebody be heard, and appeal."""
        chance, other = Random(choice), Others(self.story)
        for _ in range(3):
            other.hear(choice=chance.randrange(CHOICES))
        for _ in range(chance.randrange(6)):
            appeal_void(self.story, chance.randrange(CHOICES))
