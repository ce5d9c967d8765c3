"""The name of an instruction in a payment message."""

import re

from hypothesis import given
from hypothesis import strategies as st

from node.bank.end_to_end import LENGTH, PREFIX_BYTES, build_end_to_end_id, parse_end_to_end_id

GOLDEN = bytes.fromhex("90f02ec7eda77218ebeb64332287d50c7054f59e83fe9da29011ac449ea1ab0e")


def test_the_name_of_a_golden_instruction_never_changes() -> None:
    assert build_end_to_end_id(GOLDEN) == "GJSDYC5R7NU5ZBR27LMQZSFB6VBRYFJ5M6U"


@given(st.binary(min_size=32, max_size=32))
def test_names_fit_the_standard_and_are_read_back(instruction: bytes) -> None:
    name = build_end_to_end_id(instruction)
    assert len(name) == LENGTH == 35
    assert re.fullmatch(r"[A-Z2-7]{35}", name)
    assert parse_end_to_end_id(f" {name.lower()} ") == instruction[:PREFIX_BYTES]


def test_names_of_others_are_none_of_ours() -> None:
    name = build_end_to_end_id(GOLDEN)
    for other in ("NOTPROVIDED", "", name[:-1], name + "A", "XX" + name[2:], "GJ" + "1" * 33, GOLDEN.hex()):
        assert parse_end_to_end_id(other) is None
    wrong = [name[:-1] + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" if letter != name[-1]]
    assert not any(parse_end_to_end_id(item) for item in wrong)
