import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.codec import encode
from chain.crypto import sha256, verify
from chain.errors import DecodeError
from chain.types import INT_MAX, Signature
from consensus.guard_rules import GuardState, LastCommit, Mark, guard_codec
from consensus.messages import (
    BYTES_MAX,
    ITEMS_MAX,
    TAGS,
    Commit,
    Held,
    Kind,
    Message,
    NewView,
    Prepare,
    Proposal,
    Status,
    ViewChange,
    attach_signature,
    decode_body,
    decode_message,
    encode_bitmap,
    encode_message,
    get_kind,
    get_signed_bytes,
    has_bit,
)
from tests.consensus import samples

VECTORS = Path(__file__).parent.parent / "vectors" / "consensus_messages.json"
MESSAGES = samples.build_messages()
SIGNED = tuple(kind for kind in Kind if kind in TAGS)


def describe_vectors() -> dict[str, dict[str, str]]:
    """Return every format as hex; `python -m tests.consensus.test_messages` writes the file."""
    vectors: dict[str, dict[str, str]] = {}
    for kind, message in MESSAGES.items():
        vector = {"wire": encode_message(message).hex()}
        if isinstance(message, ViewChange | NewView | Proposal | Prepare | Commit):
            vector["body"] = encode(message.body).hex()
            vector["signed_sha256"] = sha256(get_signed_bytes(message, samples.CHAIN_ID)).hex()
            vector["public_key"] = samples.KEYS[message.signer].public_key.hex()
            vector["signature"] = message.signature.hex()
        vectors[kind.name.lower()] = vector
    vectors["guard"] = {"stored": encode(build_guard()).hex()}
    return vectors


def build_guard() -> GuardState:
    digest = sha256(b"digest")
    mark = Mark(height=2, view=1, step=4, digest=digest, signature=bytes(range(64)))
    last = LastCommit(height=2, view=1, block_hash=sha256(b"block"))
    key = samples.KEYS[0].public_key
    return GuardState(key=key, chain_id=samples.CHAIN_ID, floor=1, mark=mark, last_commit=last)


def test_every_signed_format_is_the_pinned_one() -> None:
    assert describe_vectors() == json.loads(VECTORS.read_text())


@pytest.mark.parametrize("kind", list(Kind))
def test_message_survives_the_wire(kind: Kind) -> None:
    data = encode_message(MESSAGES[kind])
    assert decode_message(kind, data) == MESSAGES[kind]
    assert get_kind(MESSAGES[kind]) is kind


def test_guard_state_survives_the_disk() -> None:
    assert guard_codec.decode(encode(build_guard())) == build_guard()


@pytest.mark.parametrize("kind", list(Kind))
def test_message_is_refused_under_the_name_of_another_kind(kind: Kind) -> None:
    data = encode_message(MESSAGES[kind])
    for other in Kind:
        if other is not kind:
            with pytest.raises(DecodeError):
                decode_message(other, data)


@pytest.mark.parametrize("kind", SIGNED)
def test_p5_signature_of_one_kind_is_none_of_another(kind: Kind) -> None:
    message = MESSAGES[kind]
    if not isinstance(message, Prepare | Commit | Proposal):
        return
    key = samples.KEYS[message.signer].public_key
    for other in (Proposal, Prepare, Commit):
        sample = next(item for item in MESSAGES.values() if isinstance(item, other))
        signed = get_signed_bytes(replace(sample, body=message.body), samples.CHAIN_ID)
        assert verify(public_key=key, message=signed, signature=message.signature) is (other is type(message))


def test_tag_lines_differ_by_kind() -> None:
    assert len(set(TAGS.values())) == len(TAGS) == 5


@pytest.mark.parametrize("kind", list(Kind))
def test_p27_message_above_the_limit_of_its_kind_is_refused_before_it_is_decoded(kind: Kind) -> None:
    with pytest.raises(DecodeError, match="at most"):
        decode_message(kind, bytes(BYTES_MAX[kind] + 1))


def test_c16_message_that_receivers_would_refuse_is_not_encoded() -> None:
    proposal = MESSAGES[Kind.PROPOSAL]
    assert isinstance(proposal, Proposal)
    item = (bytes(32), bytes(64))
    with pytest.raises(DecodeError, match="exceed"):
        encode_message(replace(proposal, items=(item,) * (2 * ITEMS_MAX)))


def test_full_block_of_two_thousand_transactions_fits_a_proposal() -> None:
    proposal = MESSAGES[Kind.PROPOSAL]
    assert isinstance(proposal, Proposal)
    full = replace(proposal, items=((bytes(32), bytes(64)),) * 2_000)
    assert decode_message(Kind.PROPOSAL, encode_message(full)) == full


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("signer", [64, -1, 2**53])
def test_c27_signer_index_out_of_range_is_refused(kind: Kind, signer: int) -> None:
    message = MESSAGES[kind]
    assert not isinstance(message, Status)
    with pytest.raises(DecodeError):
        decode_message(kind, encode(replace(message, signer=signer)))


@pytest.mark.parametrize("view", [INT_MAX + 1, 2**63, -1])
def test_c18_view_beyond_the_integers_is_refused(view: int) -> None:
    message = MESSAGES[Kind.PREPARE]
    assert isinstance(message, Prepare)
    with pytest.raises(DecodeError):
        decode_message(Kind.PREPARE, encode(replace(message, body=replace(message.body, view=view))))


def test_c28_bitmap_longer_than_any_set_is_refused() -> None:
    status = MESSAGES[Kind.STATUS]
    assert isinstance(status, Status)
    held = Held(has_new_view=False, has_proposal=False, view_changes=bytes(9), prepares=b"", commits=b"")
    with pytest.raises(DecodeError):
        decode_message(Kind.STATUS, encode(replace(status, held=held)))


@given(st.sets(st.integers(0, 63)), st.integers(0, 200))
def test_c28_bitmap_says_what_was_put_in_and_nothing_beyond_its_length(indexes: set[int], index: int) -> None:
    assert has_bit(encode_bitmap(tuple(indexes)), index) is (index in indexes)


@given(st.sampled_from(list(Kind)), st.data())
def test_c17_flipped_bit_is_refused_or_changes_what_is_read(kind: Kind, data: st.DataObject) -> None:
    """C17: no byte of a message is without meaning, so nothing can be changed unnoticed."""
    wire = bytearray(encode_message(MESSAGES[kind]))
    place = data.draw(st.integers(0, len(wire) - 1))
    wire[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        changed = decode_message(kind, bytes(wire))
    except DecodeError:
        return
    assert changed != MESSAGES[kind]


@given(st.sampled_from(list(Kind)), st.binary(max_size=400))
def test_random_bytes_are_a_typed_refusal(kind: Kind, data: bytes) -> None:
    try:
        message = decode_message(kind, data)
    except DecodeError:
        return
    assert encode_message(message) == data


@pytest.mark.parametrize("kind", list(Kind))
def test_truncated_or_padded_message_is_refused(kind: Kind) -> None:
    data = encode_message(MESSAGES[kind])
    for changed in (data[:-1], data + b"\0", b""):
        with pytest.raises(DecodeError):
            decode_message(kind, changed)


def test_number_in_a_longer_encoding_is_refused() -> None:
    message = MESSAGES[Kind.COMPLAINT]
    fields = msgspec.msgpack.decode(encode(message))
    assert fields[1] == samples.HEIGHT
    data = encode(message)
    longer = data.replace(bytes([samples.HEIGHT]), b"\xcc" + bytes([samples.HEIGHT]), 1)
    assert msgspec.msgpack.decode(longer) == fields
    with pytest.raises(DecodeError, match="canonical"):
        decode_message(Kind.COMPLAINT, longer)


def test_unsigned_kinds_have_no_body() -> None:
    with pytest.raises(DecodeError, match="no signed body"):
        decode_body(Kind.STATUS, b"")


@pytest.mark.parametrize("kind", SIGNED)
def test_body_survives_by_itself(kind: Kind) -> None:
    message: Message = MESSAGES[kind]
    assert isinstance(message, ViewChange | NewView | Proposal | Prepare | Commit)
    assert decode_body(kind, encode(message.body)) == message.body


def test_attached_signature_changes_nothing_else() -> None:
    message = MESSAGES[Kind.COMMIT]
    assert isinstance(message, Commit)
    other = attach_signature(message, Signature(bytes(64)))
    assert other == replace(message, signature=bytes(64))


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(describe_vectors(), indent=1) + "\n")
