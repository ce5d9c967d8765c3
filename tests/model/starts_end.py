"""Where stories about the end of a plan begin (starts.py; contract 3.5 *wind-down*)."""

from random import Random

from chain.contract.money_calls import CashOther, CashOtherItem
from chain.contract.plan_calls import WindDown
from tests.chain.contract.world import PLAN_NAME, name_hash
from tests.model.machine_claims import file_rightly, walk_all
from tests.model.small import END_DAYS, RUN_OFF_DAYS
from tests.model.starts import Teller, join_some, settle, some_ran_out, start
from tests.model.starts_claims import file_some

NAMES = ("claims_at_the_end", "claims_outlast_the_plan")
"""Those about claims."""


@start
def the_end_is_near(teller: Teller) -> None:
    """The plan winds down."""
    join_some(teller, 4)
    teller.story.pass_days(10)
    end_plan(teller, days=RUN_OFF_DAYS - 15)


@start
def claims_at_the_end(teller: Teller) -> None:
    """The plan winds down, and claims are under way."""
    file_some(teller, rounds=3)
    end_plan(teller, days=RUN_OFF_DAYS - 5)


@start
def claims_outlast_the_plan(teller: Teller) -> None:
    """Claims were still open when the days of the run-off were over: the last date for them is near."""
    file_some(teller, rounds=9)
    end_plan(teller, days=RUN_OFF_DAYS - 5)
    for number in range(4):
        file_rightly(teller.story, 31 * number)
    walk_all(teller.story, Random(7), 5)
    teller.story.pass_days(max(1, END_DAYS - 4 - teller.story.book.run_off))


@start
def some_ran_out_at_the_end(teller: Teller) -> None:
    """The plan winds down with money to share out, of which who is suspended gets nothing."""
    some_ran_out(teller)
    custody = teller.story.book.pools[0].custody
    item = CashOtherItem(
        kind=0,
        claim=None,
        instruction=None,
        amount=99_999,
        booking_day=teller.story.book.day,
        ref_token=name_hash("interest"),
        payer_token=name_hash("payer"),
    )
    teller.call("bank", CashOther(account=custody.name, items=(item,)))
    end_plan(teller, days=END_DAYS - 5)


@start
def nobody_called_for_it(teller: Teller) -> None:
    """The plan has paid everybody out, but some of the money came back three years ago."""
    join_some(teller, 4)
    member = next(iter(teller.story.book.members))
    teller.story.pass_days(8)
    end_plan(teller, days=RUN_OFF_DAYS + 5)
    teller.credit_member(member, 777)
    settle(teller, is_paying=False)
    teller.story.pass_days(1_070)


def end_plan(teller: Teller, *, days: int) -> None:
    """Let platform, auditor and bank end the plan, and days of the run-off pass."""
    call = WindDown(plan=PLAN_NAME, reason_hash=name_hash("end"))
    teller.story.sign(call, ("platform", "audit-one", "bank"))
    teller.story.pass_days(days)
