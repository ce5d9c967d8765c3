"""Where stories begin: a plan that has gone so far by real calls, on both sides; made once, then forked for each."""

import functools
import random
from collections.abc import Callable

from msgspec.structs import replace

from chain.contract.member_calls import DeathReport, GuardianHandOver, MemberAcceptRules, MemberLeave
from chain.contract.money_calls import ForeignDebit
from chain.contract.plan_calls import RulesPublish
from chain.contract.terms import hash_terms
from tests.chain.contract.world import PLAN_NAME, START_DAY, build_terms, name_hash
from tests.model.machine_base import Choices
from tests.model.machine_plan import SECOND_ACCOUNT, do_clerks_work
from tests.model.story import Story

TERMS: tuple[dict[str, str], ...] = (
    {},
    {"cap_per_case_fen": "", "cap_per_year_fen": ""},
    {"waiting_days": "3", "claim_window_days": "30", "cap_per_case_fen": "700", "grace_periods": "1"},
    {
        "waiting_days": "2",
        "waiting_members_share": "false",
        "cap_per_case_fen": "",
        "cap_per_year_fen": "300",
        "unpaid": '"end"',
    },
    {"waiting_days": "0", "carry_periods_max": "0", "cap_per_case_fen": "300", "deposit_min_fen": "1"},
    {"waiting_days": "5", "cap_per_case_fen": "50", "cap_per_year_fen": "", "members_min": "2", "launch_days": "30"},
)


class Teller(Choices):
    """Somebody who begins a story."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def join(self, number: int) -> bytes | None:
        """Let somebody join; the numbers make everybody different."""
        return self.join_somebody(number * 2_654_435_761 % 2**31)

    def join_child(self, guardian: bytes, *, last_year: int) -> None:
        """Let a guardian bring a child whose cover ends with a year: by that it is of age in another one."""
        member_id = self.apply_somebody(1, guardian=guardian)
        if member_id is not None:
            item = replace(self.build_verification(member_id, 1), last_cover_year=last_year)
            self.admit_applicant(member_id, item, 2)


STARTS: dict[str, Callable[[Teller], None]] = {}


def start(act: Callable[[Teller], None]) -> Callable[[Teller], None]:
    """Note a way to begin, by its name."""
    STARTS[act.__name__] = act
    return act


def begin(terms_number: int, name: str, number: int) -> Story:
    """Return a story of its own, from a start that is made once."""
    story = make(terms_number, name).fork()
    teller = Teller(story)
    chance = random.Random(number)
    for _ in range(4):
        teller.join_somebody(chance.randrange(2**31))
    return story


@functools.cache
def make(terms_number: int, name: str) -> Story:
    """Return a start."""
    story = Story(build_terms(**TERMS[terms_number]), start_day=START_DAY)
    STARTS[name](Teller(story))
    story.agree()
    story.world.commit_block()
    return story


@start
def a_new_plan(teller: Teller) -> None:
    """Nobody is in it yet."""


@start
def late_in_the_year(teller: Teller) -> None:
    """The year ends, and so does somebody's cover."""
    join_some(teller, 4)
    teller.story.pass_days(320)


@start
def aid_was_paid(teller: Teller) -> None:
    """Aid was paid, and the platform has earned its fee."""
    join_some(teller, 4)
    teller.story.pass_days(5)
    for member in list_sharing(teller):
        teller.story.put_claim(member, 40, row=1)
    settle(teller, is_paying=True)


@start
def aid_could_not_be_paid(teller: Teller) -> None:
    """Aid has waited for an account for nearly three years."""
    join_some(teller, 4)
    for member in list_sharing(teller):
        teller.story.put_claim(member, 45, row=0)
    settle(teller, is_paying=False)
    teller.story.pass_days(1_080)


@start
def some_ran_out(teller: Teller) -> None:
    """Charges that some could not pay: one is in grace, one has lapsed, one is owed the rest of his aid."""
    join_some(teller, 7)
    story = teller.story
    for number in range(3):
        story.pass_days(4)
        sharing = [name for name in list_sharing(teller) if story.book.members[name].claim is None]
        if sharing and story.book.status == "active":
            units = sorted(one.units for one in story.book.members.values() if one.is_paying)
            weight = sum(one.weight for one in story.book.members.values() if one.is_paying)
            story.put_claim(sharing[-1], max(1, (units[len(units) // 2] + 1) * weight * 9 // 10), row=1)
        settle(teller, is_paying=number != 1)


@start
def the_notice_is_open(teller: Teller) -> None:
    """A charge is announced: the window is open."""
    join_some(teller, 6)
    story = teller.story
    story.pass_days(2)
    for member in list_sharing(teller)[:2]:
        story.put_claim(member, 60, row=1)
    while not story.book.pools[0].is_window:
        story.pass_days(1)


@start
def children_grow_up(teller: Teller) -> None:
    """Children come of age in these months."""
    join_some(teller, 3)
    guardians = list_sharing(teller)
    for number in range(4):
        if guardians:
            teller.join_child(guardians[number % len(guardians)], last_year=2067 + number % 2)
    teller.story.pass_days(215)
    child = next((name for name, one in teller.story.book.members.items() if one.majority_year == 2026), None)
    if child is not None:
        own_key = name_hash("grown", 0, child.hex())
        teller.story.sign(GuardianHandOver(member=child, new_key=own_key), (teller.get_key(child), own_key))
    teller.story.pass_days(85)


@start
def two_pools(teller: Teller) -> None:
    """There is a second pool, and better rules in the first one."""
    open_second_pool(teller)


@start
def people_change_pool(teller: Teller) -> None:
    """Some have signed for the other pool: one has arrived, the money of another is on its way."""
    open_second_pool(teller)
    join_some(teller, 5)
    story = teller.story
    story.pass_days(2)
    text = hash_terms(story.book.versions[1].terms)
    for number, member in enumerate(list_sharing(teller)):
        owned, least = story.book.members[member].balance, story.book.versions[1].terms.pool.deposit_min_fen
        if number % 3 < 2 and owned >= least * story.book.members[member].weight:
            key = teller.get_key(member)
            story.call(key, MemberAcceptRules(member=member, version=1, rules_hash=text))
            if number == 0:
                do_clerks_work(story, is_paying=True)


@start
def somebody_wants_to_move(teller: Teller) -> None:
    """In the window some have signed for the other pool, and somebody has been reported dead."""
    open_second_pool(teller)
    join_some(teller, 6)
    story = teller.story
    while not story.book.pools[0].is_window:
        story.pass_days(1)
    text = hash_terms(story.book.versions[1].terms)
    sharing = list_sharing(teller)
    for member in sharing[:2]:
        story.call(teller.get_key(member), MemberAcceptRules(member=member, version=1, rules_hash=text))
    story.call("bank", DeathReport(member=sharing[-1], document_hash=name_hash("papers", 0)))


@start
def bank_and_chain_differ(teller: Teller) -> None:
    """The bank has taken a charge from the account, of which the chain knows nothing: the plan is frozen."""
    join_some(teller, 4)
    story = teller.story
    story.pass_days(2)
    for member in list_sharing(teller)[:1]:
        story.call(teller.get_key(member), MemberLeave(member=member))
    story.next_block(1)
    right = story.build_statement(story.book.pools[0].custody, story.book.day - 1)
    line = ForeignDebit(amount=1, booking_day=right.from_day, ref_token=name_hash("charge", 0))
    wrong = replace(right, out_count=right.out_count + 1, out_sum=right.out_sum + 1, closing=right.closing - 1)
    story.causes[right.account, len(story.book.pools[0].custody.statements)] = (line,)
    story.call("bank", wrong)
    story.next_block(1)


# --- on the way there ---


def join_some(teller: Teller, count: int) -> None:
    """Let some join, everybody different; where waiting members do not share, until they do."""
    for number in range(count):
        teller.join(number + 1)
    if not teller.story.terms.pool.waiting_members_share:
        teller.story.pass_days(teller.story.terms.pinned.waiting_days)


def list_sharing(teller: Teller) -> list[bytes]:
    """Return who shares."""
    return [name for name, one in teller.story.book.members.items() if one.status == "sharing"]


def settle(teller: Teller, *, is_paying: bool) -> None:
    """Let a month pass in which the batches are signed, and the bank pays or cannot pay."""
    for _ in range(3):
        teller.story.pass_days(10)
        do_clerks_work(teller.story, is_paying=is_paying)


def open_second_pool(teller: Teller) -> None:
    """Publish rules that open a pool, and some that hold for the first one."""
    story = teller.story
    terms = story.book.versions[0].terms
    second = replace(terms, name="second", pool=replace(terms.pool, fee_bp=700))
    better = replace(terms, pinned=replace(terms.pinned, claim_window_days=terms.pinned.claim_window_days + 5))
    for version, pool, rules, account in ((1, 1, second, SECOND_ACCOUNT), (2, 0, better, None)):
        call = RulesPublish(
            plan=PLAN_NAME, version=version, pool=pool, rules=rules, text_hash=name_hash("text"), account=account
        )
        story.sign(call, ("platform", "audit-one", *(("bank",) if account else ())))
    story.pass_days(31)
    assert len(story.book.pools) == 2
