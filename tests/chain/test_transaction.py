"""Transactions: canonical bytes, identity without the signature, limits."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.codec import encode
from chain.contract.member_calls import MemberApply, MemberLeave, MemberWithdraw
from chain.contract.money_calls import DepositCredit, DepositCreditItem
from chain.crypto import SigningKey
from chain.errors import DecodeError
from chain.transaction import (
    TRANSACTION_BYTES_MAX,
    Transaction,
    build_transaction,
    count_items,
    decode_transaction,
    get_call_name,
    join_transaction,
)

KEY = SigningKey(bytes(range(32)))
CHAIN = bytes(range(32, 64))
H = bytes(range(64, 96))
VECTORS = Path(__file__).parent.parent / "vectors" / "transaction.json"


def build(call: MemberApply | MemberLeave | MemberWithdraw | DepositCredit) -> Transaction:
    return build_transaction(
        chain_id=CHAIN, nonce=bytes(range(16)), valid_until_ms=1_790_000_000_000, call=call, key=KEY
    )


def apply_call() -> MemberApply:
    return MemberApply(
        plan="demo",
        pool=0,
        weight=1,
        rules_hash=H,
        field_commitments_root=H,
        blob_hash=H,
        consent_hash=H,
        recovery_hash=H,
        guardian=None,
    )


def test_the_golden_transaction_keeps_its_bytes_and_its_id() -> None:
    vector = json.loads(VECTORS.read_text())
    transaction = build(apply_call())
    assert transaction.raw.hex() == vector["raw"]
    assert transaction.tx_id.hex() == vector["tx_id"]
    assert decode_transaction(bytes.fromhex(vector["raw"])).is_signature_valid()


def test_another_signature_over_the_same_body_is_the_same_transaction() -> None:
    transaction = build(apply_call())
    other = decode_transaction(join_transaction(body_bytes=transaction.body_bytes, signature=bytes(64)))
    assert other.tx_id == transaction.tx_id
    assert other != transaction
    assert not other.is_signature_valid()


@pytest.mark.parametrize("wrong", [True, 0, -1, 1.0, 2**53, "1", None])
def test_an_amount_that_is_no_positive_bounded_integer_is_refused(wrong: object) -> None:
    good = build(MemberWithdraw(member=H, amount=1))
    fields = msgspec.msgpack.decode(good.raw)
    fields[0][5][2] = wrong
    with pytest.raises(DecodeError):
        decode_transaction(msgspec.msgpack.encode(fields))


def test_an_integer_in_a_longer_form_is_not_canonical() -> None:
    raw = build(MemberWithdraw(member=H, amount=1)).raw
    at = raw.index(b"\xaemember_withdraw") if b"\xaemember_withdraw" in raw else raw.index(b"member_withdraw")
    body_end = raw.index(H, at) + 32
    longer = raw[:body_end] + b"\xcc\x01" + raw[body_end + 1 :]
    with pytest.raises(DecodeError, match="canonical"):
        decode_transaction(longer)


def test_an_unknown_field_an_unknown_call_and_a_missing_field_are_refused() -> None:
    fields = msgspec.msgpack.decode(build(MemberLeave(member=H)).raw)
    for call in (["member_leave", H, 1], ["no_such_call", H], ["member_leave"], [], {"a": 1}):
        changed = [[*fields[0][:5], call], fields[1]]
        with pytest.raises(DecodeError):
            decode_transaction(msgspec.msgpack.encode(changed))


@pytest.mark.parametrize("account", ["", "bank\n", "bank\n\n", "\nbank", "Bank", "bank ", "a" * 33])
def test_a_name_that_is_none_is_refused(account: str) -> None:
    item = DepositCreditItem(ref_token=H, amount=1, booking_day=1, value_day=1, payer_token=H, deposit_code=None)
    fields = msgspec.msgpack.decode(build(DepositCredit(account="bank", items=(item,))).raw)
    assert fields[0][5][1] == "bank"
    fields[0][5][1] = account
    with pytest.raises(DecodeError):
        decode_transaction(msgspec.msgpack.encode(fields))


@given(st.binary(max_size=400))
def test_random_bytes_never_do_anything_but_raise_a_typed_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_transaction(data)


@given(st.data())
def test_c17_a_changed_byte_never_keeps_both_id_and_valid_signature(data: st.DataObject) -> None:
    raw = build(apply_call()).raw
    position = data.draw(st.integers(0, len(raw) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[position]))
    try:
        changed = decode_transaction(raw[:position] + bytes([value]) + raw[position + 1 :])
    except DecodeError:
        return
    assert not changed.is_signature_valid()


def test_p27_more_bytes_than_allowed_are_refused_before_decoding() -> None:
    with pytest.raises(DecodeError, match=str(TRANSACTION_BYTES_MAX)):
        decode_transaction(bytes(TRANSACTION_BYTES_MAX + 1))


def test_a_batch_counts_its_items_and_a_single_call_one() -> None:
    item = DepositCreditItem(ref_token=H, amount=1, booking_day=1, value_day=1, payer_token=H, deposit_code=None)
    batch = DepositCredit(account="a", items=(item, item, item))
    assert count_items(batch) == 3
    assert count_items(MemberLeave(member=H)) == 1
    assert get_call_name(batch) == "deposit_credit"


def test_a_call_too_large_for_a_transaction_cannot_be_built() -> None:
    items = tuple(
        DepositCreditItem(
            ref_token=encode(i).rjust(32, b"\0"),
            amount=1,
            booking_day=1,
            value_day=1,
            payer_token=H,
            deposit_code=2**53 - 1,
        )
        for i in range(500)
    )
    assert len(build(DepositCredit(account="a", items=items)).raw) <= TRANSACTION_BYTES_MAX
