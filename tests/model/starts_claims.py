"""Where stories about claims begin: people are covered, and some claims are under way (starts.py)."""

from random import Random

from tests.model.machine_claims import file_rightly, walk_all
from tests.model.machine_plan import do_clerks_work
from tests.model.starts import Teller, start

PEOPLE, CHILDREN = 7, 2
NAMES = (
    "people_are_covered",
    "claims_are_investigated",
    "claims_are_decided",
    "claims_are_paid",
    "aid_is_never_fetched",
)


def cover(teller: Teller) -> None:
    """Let people join with all that they may own, two of them bring a child, and wait for their cover."""
    story = teller.story
    for number in range(PEOPLE):
        member_id = teller.join(5 * number + 1)
        if member_id is not None:
            member = story.book.members[member_id]
            most = story.book.pool_terms(story.book.pool_of(member)).deposit_max_fen * member.weight
            teller.credit_member(member_id, max(1, most - member.balance))
    if not story.terms.pool.waiting_members_share:
        story.pass_days(story.terms.pinned.waiting_days)
    for guardian in list(story.book.members)[:CHILDREN]:
        teller.join_child(guardian, last_year=2068)
    story.pass_days(story.terms.pinned.waiting_days + 5)


@start
def people_are_covered(teller: Teller) -> None:
    """Nobody is ill yet."""
    cover(teller)


@start
def claims_are_investigated(teller: Teller) -> None:
    """Some claims lie before firms and platform."""
    file_some(teller, rounds=3)


@start
def claims_are_decided(teller: Teller) -> None:
    """Some claims are approved or rejected."""
    file_some(teller, rounds=16)


@start
def claims_are_paid(teller: Teller) -> None:
    """Some claims are confirmed, paid, or before a jury."""
    file_some(teller, rounds=40)


@start
def aid_is_never_fetched(teller: Teller) -> None:
    """The bank could never pay what was granted, for nearly three years."""
    file_some(teller, rounds=16)
    for number in range(24):
        walk_all(teller.story, Random(number), 1)
        do_clerks_work(teller.story, is_paying=False)
    teller.story.pass_days(1_080)


def file_some(teller: Teller, *, rounds: int) -> None:
    """Let some members file claims, and let these go on side by side."""
    cover(teller)
    story = teller.story
    for number in range(5):
        file_rightly(story, 31 * number)
    walk_all(story, Random(rounds), rounds)
