"""The bank's books, the errands of actors and the recomputation, rule by rule."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from node.demo.books import STATEMENT_DAYS_MAX, Books, load_books, save_books
from node.demo.orders import ATTEMPTS_MAX, Errands
from node.demo.recompute import CapFigures, ItemFigures, SettlementFigures, find_mistakes

DAY = 20_000


def build_books() -> Books:
    return Books(account="custody", closed_day=DAY - 1)


def test_a_statement_follows_from_the_bookings_of_its_days() -> None:
    books = build_books()
    for amount in (700, 300):
        books.open_booking(DAY)
        books.close_booking(DAY, amount_in=amount)
    books.open_booking(DAY + 1)
    books.close_booking(DAY + 1, amount_out=400)
    statement = books.build_statement(DAY + 2)
    assert statement is not None
    assert (statement.from_day, statement.to_day) == (DAY, DAY + 1)
    assert (statement.opening, statement.closing) == (0, 600)
    assert (statement.in_count, statement.in_sum, statement.out_count, statement.out_sum) == (2, 1_000, 1, 400)
    books.close_days(statement)
    assert books.build_statement(DAY + 2) is None
    following = books.build_statement(DAY + 3)
    assert following is not None
    assert (following.opening, following.closing) == (600, 600)


def test_a_day_with_a_booking_that_is_not_final_is_not_closed() -> None:
    books = build_books()
    books.open_booking(DAY + 1)
    statement = books.build_statement(DAY + 5)
    assert statement is not None
    assert statement.to_day == DAY
    books.close_booking(DAY + 1, amount_in=5)
    statement = books.build_statement(DAY + 5)
    assert statement is not None
    assert statement.to_day == DAY + 4


def test_today_is_never_closed_and_a_span_is_bounded() -> None:
    books = build_books()
    assert books.build_statement(DAY) is None
    statement = books.build_statement(DAY + 40)
    assert statement is not None
    assert statement.to_day - statement.from_day + 1 == STATEMENT_DAYS_MAX


def test_books_survive_a_restart(tmp_path: Path) -> None:
    books = build_books()
    books.open_booking(DAY)
    books.close_booking(DAY, amount_in=700)
    save_books(books, tmp_path / "books.json")
    assert load_books(tmp_path / "books.json") == books
    assert load_books(tmp_path / "none.json") is None


def test_an_errand_is_under_way_once_and_done_once() -> None:
    errands = Errands()
    name = ("leave", 1)
    assert errands.begin(name, DAY)
    assert not errands.begin(name, DAY)
    assert errands.finish(name, "success", DAY)
    assert not errands.begin(name, DAY + 100)


def test_what_never_ran_is_sent_again_at_once_and_what_was_refused_tomorrow() -> None:
    errands = Errands()
    name = ("leave", 1)
    errands.begin(name, DAY)
    assert not errands.finish(name, "expired", DAY)
    assert errands.begin(name, DAY)
    assert not errands.finish(name, "window_open", DAY)
    assert not errands.begin(name, DAY)
    assert errands.begin(name, DAY + 1)


def test_a16_an_errand_is_not_tried_for_ever() -> None:
    errands = Errands()
    for attempt in range(ATTEMPTS_MAX):
        assert errands.begin(("leave", 1), DAY + attempt)
        errands.finish(("leave", 1), "member_state", DAY + attempt)
    assert not errands.begin(("leave", 1), DAY + 1_000)
    assert errands.abandoned == {("leave", 1): "member_state"}


ITEM = ItemFigures(
    kind="aid",
    asked=300_000,
    fee_bp=800,
    granted=300_000,
    fee=24_000,
    rest_carried=0,
    rest_ended=0,
    is_carried=False,
)
CAPS = CapFigures(per_case=400, per_period=None, per_year=18_800)


def build_record() -> SettlementFigures:
    """1,000 units share one case of 324,000 fen: 324 fen each and nothing left."""
    return SettlementFigures(
        number=3,
        day="2026-03-14",
        members=990,
        units=1_000,
        units_full=1_000,
        units_part=0,
        part_paid=0,
        per=324,
        per_max=400,
        index_before=1_000,
        year_index=0,
        cost=324_000,
        collected=324_000,
        carry_before=0,
        carry_after=0,
        cases=1,
        items=(ITEM,),
    )


def test_a_right_record_is_found_right() -> None:
    assert find_mistakes(build_record(), CAPS) == []
    short = replace(
        build_record(), units_full=900, units_part=100, part_paid=10_000, per=349, collected=324_100, carry_after=100
    )
    assert find_mistakes(short, CAPS) == []
    capped = replace(
        build_record(),
        per_max=200,
        per=200,
        collected=200_000,
        carry_after=200_000 - 185_185 - 14_814,
        items=(replace(ITEM, granted=185_185, fee=14_814, rest_carried=300_000 - 185_185),),
    )
    assert find_mistakes(capped, replace(CAPS, per_case=200)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"per": 325, "collected": 325_000, "carry_after": 1_000},
        {"per": 323, "collected": 323_000},
        {"cost": 324_001},
        {"cases": 2},
        {"units": 1_001},
        {"carry_after": 1},
        {"per_max": 300},
        {"collected": 324_001},
        {"items": ()},
        {"items": (replace(ITEM, granted=299_999),)},
        {"items": (replace(ITEM, fee=24_001),)},
        {"items": (replace(ITEM, rest_carried=1),)},
    ],
)
def test_a_wrong_record_is_found_wrong(changes: dict[str, object]) -> None:
    fields = {name: getattr(build_record(), name) for name in SettlementFigures.__struct_fields__}
    assert find_mistakes(SettlementFigures(**{**fields, **changes}), CAPS)
