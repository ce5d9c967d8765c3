"""Deposit codes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.contract.deposit_code import find_deposit_code, format_deposit_code
from chain.types import INT_MAX


@pytest.mark.parametrize(("code", "text"), [(1, "GJ13"), (57, "GJ577"), (572, "GJ5724"), (1_042, "GJ10429")])
def test_the_code_of_a_golden_number_never_changes(code: int, text: str) -> None:
    assert format_deposit_code(code) == text


@given(st.integers(1, INT_MAX))
def test_a_code_is_found_in_the_middle_of_a_text(code: int) -> None:
    written = format_deposit_code(code)
    for text in (
        written,
        f"互助 {written}，谢谢",
        f"ref:{written.lower()} 2026",
        f"{written[:2]}-{written[2:]}.",
        f"{written} {written}",
    ):
        assert find_deposit_code(text) == code


@given(st.integers(1, 10**9), st.integers(0, 9), st.data())
def test_a_wrong_digit_or_two_that_were_swapped_name_nobody(code: int, digit: int, data: st.DataObject) -> None:
    written = format_deposit_code(code)
    place = data.draw(st.integers(2, len(written) - 1))
    garbled = f"{written[:place]}{digit}{written[place + 1 :]}"
    assert find_deposit_code(garbled) == (code if garbled == written else None)
    if place + 1 < len(written):
        swapped = written[:place] + written[place + 1] + written[place] + written[place + 2 :]
        assert find_deposit_code(swapped) == (code if swapped == written else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "互助金",
        "GJ",
        "GJ1",
        "13",
        "GJ 1 3",
        "XGJ13",
        "GJ13X",
        "GJ12",
        "GJ13 GJ21",
        "GJ13 GJ14",
        "GJ00",
        "GJ" + "9" * 40,
    ],
)
def test_no_code_several_codes_and_garbled_ones_are_none(text: str) -> None:
    assert find_deposit_code(text) is None


def test_full_width_signs_are_read() -> None:
    assert find_deposit_code("ＧＪ１３") == 1
