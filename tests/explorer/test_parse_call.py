"""What the API shows of a call, it takes: who copies the content of a task signs the very same call."""

import msgspec
import pytest
from msgspec import inspect

from chain.codec import Codec
from chain.contract.calls import Call
from explorer.parse_call import _CALLS, parse_call
from explorer.problems import ProblemError
from explorer.represent import represent_fields

VARIANTS = 24
"""More than any union has kinds: payloads of proposals, lines of a statement."""
_codec: Codec[Call] = Codec(Call, 65_536, "call")


def build(info: inspect.Type, variant: int) -> object:
    """Return a value of a type as it stands in a call's array, another one for each variant."""
    match info:
        case inspect.UnionType():
            kinds = [kind for kind in info.types if not isinstance(kind, inspect.NoneType)]
            return build(kinds[variant % len(kinds)], variant)
        case inspect.StructType():
            tag = [] if info.tag is None else [info.tag]
            return [*tag, *(build(field.type, variant) for field in info.fields)]
        case inspect.VarTupleType():
            return [build(info.item_type, variant) for _ in range(max(1, info.min_length or 0))]
        case inspect.BytesType():
            return bytes([variant]) * (info.min_length or 0)
        case inspect.IntType():
            least, most = info.ge or 0, 1 if info.le is None else info.le
            # Not the largest: an enum has no word for a number that its type would allow.
            return min(most, least + variant % 2)
        case inspect.BoolType():
            return variant % 2 == 1
        case inspect.StrType():
            return "1.1" if info.pattern is not None and "{1,3}" in info.pattern else "a" * max(1, info.min_length or 0)
        case _:
            raise TypeError(info)


@pytest.mark.parametrize("name", sorted(_CALLS))
def test_what_the_api_shows_of_any_call_it_takes_as_that_call(name: str) -> None:
    for variant in range(VARIANTS):
        call = _codec.decode(msgspec.msgpack.encode(build(_CALLS[name], variant)))
        shown: object = msgspec.json.decode(msgspec.json.encode({"name": name, **represent_fields(call, subject=name)}))
        assert parse_call(shown) == call


def test_a_word_that_depends_on_the_call_is_refused_with_the_words_there_are() -> None:
    item = {"kind": "gift", "claim": None, "instruction": None, "amount": 5, "booking_day": None}
    with pytest.raises(ProblemError) as refusal:
        parse_call({"name": "cash_other", "account": "a", "items": [item]})
    told = {error.pointer: error.detail for error in refusal.value.errors}
    assert told["#/body/call/items/0/kind"] == "must be one of interest, recovery, repayment, returned_payment"
    assert "#/body/call/items/0/booking_day" not in told


def test_null_is_no_other_number() -> None:
    with pytest.raises(ProblemError) as refusal:
        parse_call({"name": "member_withdraw", "member": "07" * 32, "amount": None})
    assert [error.pointer for error in refusal.value.errors] == ["#/body/call/amount"]
