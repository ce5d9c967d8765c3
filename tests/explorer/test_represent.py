"""Values in JSON: exact money, RFC 3339 times, ISO days, words for enums, and no integer without a meaning."""

import types
import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.contract.calls import Call
from chain.contract.events import Event, MemberStatusChanged
from chain.contract.member_calls import MemberApply
from chain.contract.money_calls import StatementPost
from chain.types import FEN_MAX, INT_MAX
from explorer.represent import (
    build_money,
    format_day,
    format_time,
    get_name,
    is_classified,
    represent_fields,
)


def list_union(union: object) -> tuple[type[msgspec.Struct], ...]:
    return typing.get_args(union) or (typing.cast("type[msgspec.Struct]", union),)


def find_integers(kind: type[msgspec.Struct], subject: str) -> typing.Iterator[tuple[str, str]]:
    """Yield (subject, field) of every integer in a struct, its items included."""
    for field in msgspec.structs.fields(kind):
        yield from _find_in_type(field.type, field.name, subject)


def _find_in_type(kind: object, name: str, subject: str) -> typing.Iterator[tuple[str, str]]:
    match kind:
        case type() if issubclass(kind, msgspec.Struct):
            yield from find_integers(kind, subject)
        case type() if kind is int:
            yield subject, name
        case _ if typing.get_origin(kind) is typing.Annotated:
            yield from _find_in_type(typing.get_args(kind)[0], name, subject)
        case _ if typing.get_origin(kind) in {tuple, types.UnionType, typing.Union}:
            for part in typing.get_args(kind):
                yield from _find_in_type(part, name, subject)
        case _:
            return


def test_every_integer_of_calls_and_events_has_a_meaning() -> None:
    unknown = [
        (subject, name)
        for kind in (*list_union(Call), *list_union(Event))
        for subject, name in find_integers(kind, str(kind.__struct_config__.tag))
        if not is_classified(name, subject=subject)
    ]
    assert unknown == []


def test_search_for_integers_looks_into_items_and_optional_fields() -> None:
    found = {name for kind in list_union(Call) for _, name in find_integers(kind, "")}
    assert {"amount", "deposit_code", "weight", "holder_kind"} <= found


@given(st.integers(min_value=0, max_value=FEN_MAX))
def test_a12_money_is_a_decimal_string_that_no_float_touches(fen: int) -> None:
    encoded = msgspec.json.encode(build_money(fen))
    assert encoded == f'{{"amount":"{fen}","currency":"CNY","scale":2}}'.encode()


@pytest.mark.parametrize(
    ("timestamp_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_024_000_001, "2025-12-29T16:00:00.001Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, None),
        (INT_MAX, None),
    ],
)
def test_time_is_rfc_3339_with_z_or_null_where_there_is_no_such_year(timestamp_ms: int, text: str | None) -> None:
    assert format_time(timestamp_ms) == text


@pytest.mark.parametrize(
    ("day", "text"), [(0, "1970-01-01"), (20_452, "2025-12-30"), (2_932_896, "9999-12-31"), (2_932_897, None)]
)
def test_day_is_an_iso_date(day: int, text: str | None) -> None:
    assert format_day(day) == text


def test_unknown_enum_number_is_shown_and_never_fails() -> None:
    assert get_name(("a", "b"), 1) == "b"
    assert get_name(("a", "b"), 7) == "unknown_7"


def test_call_is_shown_field_by_field() -> None:
    call = StatementPost(
        account="a",
        from_day=1,
        to_day=1,
        opening=5,
        closing=7,
        in_count=1,
        in_sum=2,
        out_count=0,
        out_sum=0,
        file_hash=bytes(32),
    )
    shown = represent_fields(call, subject="statement_post")
    assert shown["from_day"] == "1970-01-02"
    assert shown["closing"] == {"amount": "7", "currency": "CNY", "scale": 2}
    assert shown["in_count"] == 1
    assert shown["file_hash"] == "00" * 32


def test_status_of_an_event_is_a_word() -> None:
    event = MemberStatusChanged(member=bytes(32), status=0, reason=0)
    assert represent_fields(event, subject="member_status_changed")["status"] == "applied"


def test_absent_reference_is_null() -> None:
    call = MemberApply(
        plan="p",
        pool=0,
        weight=1,
        rules_hash=bytes(32),
        field_commitments_root=bytes(32),
        blob_hash=bytes(32),
        consent_hash=bytes(32),
        recovery_hash=bytes(32),
        guardian=None,
    )
    assert represent_fields(call, subject="member_apply")["guardian"] is None
