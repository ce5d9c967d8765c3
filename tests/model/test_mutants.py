"""The comparison can fail: small mistakes in the contract, each of which a few stories show.

A mutant is one expression of one function, written differently. Whether it shows depends on the story, so each is
looked for in a bounded number of stories of the machine that fits it.
"""

import inspect
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType

import pytest

from chain.contract import (
    admission,
    claim_eligibility,
    custody_move,
    deposit,
    erasure,
    freeze,
    guardian,
    halves,
    persons,
    plan_stops,
    pool_move,
    rules_version,
    settlement_math,
    shares,
    validator_changes,
    wind_tables,
    window,
)
from tests.model.__main__ import run
from tests.model.compare import Disagreement
from tests.model.starts import make

STORIES = 300
STEPS = 50
SEED = 20_270_201

MUTANTS: dict[str, tuple[int, Callable[..., object], str, str]] = {
    "a fee is rounded up": (
        0,
        settlement_math.share_out,
        "fee=amount * item.fee_bp // BP",
        "fee=-(-amount * item.fee_bp // BP)",
    ),
    "the cap of a year forgets what was charged": (3, settlement_math.compute_per_max, "- (index - year_index)", ""),
    "a charge is a fen too much where it divides evenly": (
        0,
        settlement_math.find_per,
        "-(-goal // units)",
        "goal // units + 1",
    ),
    "the grace lasts a settlement too long": (2, shares.is_lapsed, "- 1 - grace_periods", "- 2 - grace_periods"),
    "cover ends a day early": (
        3,
        shares.close_cover,
        "to_day, member.accident_from),)",
        "to_day - 1, member.accident_from),)",
    ),
    "the bank may be told four days late": (2, deposit.compute_entry_day, "VALUE_LAG_DAYS_MAX", "4"),
    "who leaves in the window is not waited for": (
        0,
        window.exit_member,
        "elif member.is_leaf and book.pool.is_window:",
        "elif member.is_leaf and book.pool.is_window and act != ACT_LEAVE:",
    ),
    "who was barred may come back": (1, persons.free_person, "and not person.is_barred", ""),
    "the signature of a stolen key stays": (0, halves._forget_void, "is_key_revoked(state, party.signer)", "False"),
    "days on which the plan stands still count": (1, plan_stops.count_stopped_day, "stopped_days + 1", "stopped_days"),
    "the days of silence of a bank are one more": (2, freeze.is_custody_broken, "STATEMENT_OVERDUE_DAYS", "13"),
    "a version that is worse for the old members replaces theirs": (
        0,
        rules_version._renew_pool,
        "is_at_least_as_good(terms.pinned, get_terms(state, plan, older).pinned)",
        "True",
    ),
    "cover ends with the days of the transfer": (
        1,
        pool_move.finish_entry,
        "((cover_from, book.today, accident_from),)",
        "((cover_from, book.today - 1, accident_from),)",
    ),
    "a grown child's key is forgotten": (0, guardian.on_hand_over_due, "if not record.has_key:", "if record.has_key:"),
    "data may be erased a day early": (3, erasure.compute_erasable_day, "RETENTION_DAYS", "RETENTION_DAYS - 1"),
    "in the last year of cover nobody is admitted": (
        4,
        admission._admit_one,
        "> member.last_cover_year",
        ">= member.last_cover_year",
    ),
    "the shares of a waiting member are kept": (
        6,
        claim_eligibility.compute_eligibility,
        "if not is_accident and is_waiting",
        "if is_accident and is_waiting",
    ),
    "everybody gets a share of the rest, suspended or not": (
        1,
        wind_tables.compute_bonus,
        " or member.x < book.pool.share_index",
        "",
    ),
    "two changes of the set share a block": (6, validator_changes.may_change_set, "!= context.height", "!= -1"),
    "an account that goes on misses a day": (
        2,
        custody_move.apply_move_custody,
        "account.closed_day + 1",
        "account.closed_day + 2",
    ),
}
"""(machine, function, expression, what it becomes) by the mistake."""


def mutate(function: FunctionType, old: str, new: str) -> CodeType:
    """Return the code of a function with an expression changed."""
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, "the mutant no longer fits the function"
    module = compile(source.replace(old, new), function.__code__.co_filename, "exec", dont_inherit=True)
    return next(one for one in module.co_consts if isinstance(one, CodeType) and one.co_name == function.__name__)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", list(MUTANTS))
def test_mistake_in_the_contract_shows(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, function, old, new = MUTANTS[mistake]
    assert isinstance(function, FunctionType)
    # The starts are made anew: they too are lived by the contract with the mistake, and by others without it.
    make.cache_clear()
    monkeypatch.setattr(function, "__code__", mutate(function, old, new))
    try:
        with pytest.raises(Disagreement):
            run(machine, runs=STORIES, steps=STEPS, seed_number=SEED, is_shrinking=False)
    finally:
        make.cache_clear()


def test_only_what_the_two_sides_differ_in_is_a_disagreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a mistake that keeps the stories from being told would count as one that shows."""
    story = make(0, "a_new_plan").fork()
    story.book.pools[0].carry += 1
    with pytest.raises(Disagreement, match="carry"):
        story.agree()

    def break_down(*_: object) -> None:
        raise AssertionError("a broken harness")

    monkeypatch.setattr(story.world, "call", break_down)
    with pytest.raises(AssertionError, match="a broken harness") as failure:
        story.next_block(2)
        story.post_statements()
    assert not isinstance(failure.value, Disagreement)
