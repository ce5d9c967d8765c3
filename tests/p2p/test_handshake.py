import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import HandshakeRefusedError, HelloMalformedError, RefusalReason
from p2p.frames import HELLO_BYTES_MAX, REFUSE_BYTES_MAX, Lane
from p2p.handshake import (
    Hello,
    Refusal,
    decode_hello,
    decode_refusal,
    encode_hello,
    encode_refusal,
    validate_hello,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text(encoding="utf-8"))
HELLO = Hello(
    chain_id=bytes(range(32)),
    version_min=1,
    version_max=3,
    lane=Lane.BULK,
    index=2,
    boot_id=bytes(range(100, 116)),
    software="gongji/0.1.0",
)
HELLOS = st.builds(
    Hello,
    chain_id=st.binary(min_size=32, max_size=32),
    version_min=st.integers(0, 65_535),
    version_max=st.integers(0, 65_535),
    lane=st.integers(0, 255),
    index=st.integers(0, 65_535),
    boot_id=st.binary(min_size=16, max_size=16),
    software=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=64),
)


def test_golden_hello_is_encoded_and_decoded() -> None:
    assert encode_hello(HELLO).hex() == VECTORS["hello"]
    assert decode_hello(bytes.fromhex(VECTORS["hello"])) == HELLO


def test_golden_refusal_is_encoded_and_decoded() -> None:
    refusal = Refusal(RefusalReason.WRONG_CHAIN, "wrong chain: 共济")
    assert encode_refusal(refusal).hex() == VECTORS["refusal"]
    assert decode_refusal(bytes.fromhex(VECTORS["refusal"])) == refusal


@given(HELLOS)
def test_hello_round_trip(hello: Hello) -> None:
    payload = encode_hello(hello)
    assert decode_hello(payload) == hello
    assert len(payload) <= HELLO_BYTES_MAX


@given(HELLOS, st.binary(max_size=50))
def test_p29_fields_appended_by_a_newer_version_are_ignored(hello: Hello, more: bytes) -> None:
    assert decode_hello(encode_hello(hello) + more) == hello


@given(st.integers(0, len(encode_hello(HELLO)) - 1))
def test_truncated_hello_is_refused(length: int) -> None:
    with pytest.raises((HelloMalformedError, HandshakeRefusedError)):
        decode_hello(encode_hello(HELLO)[:length])


@given(st.binary(max_size=HELLO_BYTES_MAX))
def test_any_bytes_as_hello_make_a_typed_error_or_a_hello(payload: bytes) -> None:
    for data in (payload, b"gongji-p2p\n" + payload):
        with contextlib.suppress(HelloMalformedError, HandshakeRefusedError):
            assert len(decode_hello(data).software) <= 64


def test_another_protocol_is_refused_by_name() -> None:
    with pytest.raises(HandshakeRefusedError) as caught:
        decode_hello(b"GET / HTTP/1.1\r\n\r\n" + bytes(100))
    assert caught.value.reason is RefusalReason.WRONG_PROTOCOL


@given(st.binary(max_size=REFUSE_BYTES_MAX))
def test_any_refusal_reads_as_printable_text(payload: bytes) -> None:
    try:
        assert decode_refusal(payload).text.isprintable()
    except HelloMalformedError:
        assert not 1 <= len(payload) <= 257


def test_unknown_refusal_reason_reads_as_other() -> None:
    assert decode_refusal(b"\xfanew") == Refusal(RefusalReason.OTHER, "new")


def test_long_texts_are_cut_to_their_limits() -> None:
    refusal = encode_refusal(Refusal(RefusalReason.OTHER, "共" * 1_000))
    assert len(refusal) == 257
    assert decode_refusal(refusal).text.startswith("共" * 85)
    assert len(decode_hello(encode_hello(replace(HELLO, software="x" * 100))).software) == 64


MINE = replace(HELLO, index=0, software="mine")


@pytest.mark.parametrize(
    ("mine", "theirs", "version"),
    [((1, 1), (1, 1), 1), ((1, 3), (2, 5), 3), ((2, 5), (1, 3), 3), ((1, 9), (4, 4), 4)],
)
def test_highest_common_version_is_spoken(mine: tuple[int, int], theirs: tuple[int, int], version: int) -> None:
    ours = replace(MINE, version_min=mine[0], version_max=mine[1])
    other = replace(HELLO, version_min=theirs[0], version_max=theirs[1])
    assert validate_hello(mine=ours, theirs=other) == version


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"chain_id": bytes(32)}, RefusalReason.WRONG_CHAIN, "00" * 32),
        ({"version_min": 4, "version_max": 5}, RefusalReason.NO_COMMON_VERSION, "4 to 5 (gongji/0.1.0)"),
        ({"version_min": 0, "version_max": 0}, RefusalReason.NO_COMMON_VERSION, "I speak 1 to 3 (mine)"),
        ({"version_min": 2, "version_max": 1}, RefusalReason.NO_COMMON_VERSION, "2 to 1"),
        ({"lane": Lane.VOTES}, RefusalReason.WRONG_LANE, "wrong lane: 0"),
        ({"lane": 9}, RefusalReason.WRONG_LANE, "wrong lane: 9"),
    ],
)
def test_hello_that_does_not_fit_is_refused_with_the_values(
    change: dict[str, object], reason: RefusalReason, words: str
) -> None:
    theirs = replace(HELLO, **change)  # type: ignore[arg-type]
    with pytest.raises(HandshakeRefusedError) as caught:
        validate_hello(mine=MINE, theirs=theirs)
    assert caught.value.reason is reason
    assert words in caught.value.text
    assert not caught.value.is_by_peer
    # It fits into its frame whole.
    assert decode_refusal(encode_refusal(Refusal(reason, caught.value.text))).text == caught.value.text
