import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2p.errors import (
    ConfigurationError,
    FrameError,
    FrameOversizeError,
    FrameUnknownKindError,
    FrameWrongLaneError,
    FrameZeroLengthError,
)
from p2p.frames import (
    FRAME_BYTES_MAX,
    GREETING_LIMITS,
    HEADER_BYTES,
    KIND_HELLO,
    KIND_PING,
    FrameDecoder,
    FrameKind,
    FrameTable,
    Lane,
    encode_frame,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text(encoding="utf-8"))
TABLE = FrameTable(
    [
        FrameKind(16, "small", 10, Lane.VOTES),
        FrameKind(17, "empty", 0, Lane.VOTES),
        FrameKind(255, "large", 70_000, Lane.VOTES),
        FrameKind(18, "bulk", 10, Lane.BULK),
    ]
)
LIMITS = TABLE.get_limits(Lane.VOTES)


def take_all(decoder: FrameDecoder) -> list[tuple[int, bytes]]:
    frames = []
    while (frame := decoder.take()) is not None:
        frames.append(frame)
    return frames


@pytest.mark.parametrize("vector", VECTORS["frames"], ids=lambda vector: vector["name"])
def test_golden_frames_are_encoded_and_decoded(vector: dict[str, str | int]) -> None:
    kind, payload, frame = int(vector["kind"]), str(vector["payload"]), str(vector["frame"])
    assert encode_frame(kind, bytes.fromhex(payload)).hex() == frame
    decoder = FrameDecoder(LIMITS)
    decoder.feed(bytes.fromhex(frame))
    assert take_all(decoder) == [(kind, bytes.fromhex(payload))]
    assert decoder.buffered_bytes == 0


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_golden_violations_are_refused_by_code(vector: dict[str, str]) -> None:
    decoder = FrameDecoder(GREETING_LIMITS if vector["state"] == "greeting" else LIMITS)
    decoder.feed(bytes.fromhex(vector["bytes"]))
    with pytest.raises(FrameError) as caught:
        take_all(decoder)
    assert caught.value.code == vector["code"]


FRAMES = st.lists(
    st.one_of(
        st.tuples(st.just(16), st.binary(max_size=10)),
        st.tuples(st.just(17), st.just(b"")),
        st.tuples(st.just(255), st.binary(max_size=300)),
        st.tuples(st.just(255), st.integers(0, 70_000).map(bytes)),
    ),
    max_size=12,
)


@given(FRAMES, st.lists(st.integers(1, 5_000), max_size=40), st.booleans())
def test_frames_survive_any_splitting_of_the_stream(
    frames: list[tuple[int, bytes]], sizes: list[int], is_taken_late: bool
) -> None:
    stream = b"".join(encode_frame(kind, payload) for kind, payload in frames)
    decoder = FrameDecoder(LIMITS)
    taken = []
    for size in [*sizes, len(stream) + 1]:
        piece, stream = stream[:size], stream[size:]
        decoder.feed(piece)
        if not is_taken_late:
            taken += take_all(decoder)
    assert taken + take_all(decoder) == frames
    assert decoder.buffered_bytes == 0


@given(FRAMES, st.data())
def test_taking_may_stop_between_any_two_frames(frames: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(kind, payload) for kind, payload in frames)
    decoder = FrameDecoder(LIMITS)
    taken: list[tuple[int, bytes]] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        decoder.feed(stream[:size])
        stream = stream[size:]
        for _ in range(data.draw(st.integers(0, 3))):
            frame = decoder.take()
            taken += [] if frame is None else [frame]
    assert taken + take_all(decoder) == frames


@given(st.binary(max_size=200))
def test_p27_any_bytes_make_frames_within_limits_or_one_typed_error(data: bytes) -> None:
    decoder = FrameDecoder(LIMITS)
    decoder.feed(data)
    try:
        for kind, payload in take_all(decoder):
            assert len(payload) <= LIMITS[kind]
    except FrameError as error:
        assert error.code.startswith("frame_")
    assert decoder.buffered_bytes <= len(data)


def test_p27_size_is_refused_on_the_header_alone() -> None:
    decoder = FrameDecoder(LIMITS)
    decoder.feed((2**32 - 1).to_bytes(4) + bytes([16]))
    with pytest.raises(FrameOversizeError) as caught:
        decoder.take()
    assert (caught.value.kind, caught.value.payload_bytes, caught.value.bytes_max) == (16, 2**32 - 2, 10)


@pytest.mark.parametrize(("payload_bytes", "is_permitted"), [(10, True), (11, False)])
def test_the_limit_itself_is_permitted_and_one_more_is_not(payload_bytes: int, is_permitted: bool) -> None:
    decoder = FrameDecoder(LIMITS)
    decoder.feed(encode_frame(16, bytes(payload_bytes)))
    if is_permitted:
        assert decoder.take() == (16, bytes(payload_bytes))
    else:
        with pytest.raises(FrameOversizeError):
            decoder.take()


def test_zero_length_is_refused_before_a_kind_is_there() -> None:
    decoder = FrameDecoder(LIMITS)
    decoder.feed(bytes(3))
    assert decoder.take() is None
    decoder.feed(bytes(1))
    with pytest.raises(FrameZeroLengthError):
        decoder.take()


def test_kinds_are_bound_to_their_lane() -> None:
    for lane, number in ((Lane.BULK, 16), (Lane.VOTES, 18)):
        decoder = FrameDecoder(TABLE.get_limits(lane))
        decoder.feed(encode_frame(number, b""))
        with pytest.raises(FrameWrongLaneError):
            decoder.take()


def test_hello_is_permitted_only_while_greeting_and_ping_only_after() -> None:
    greeting, established = FrameDecoder(GREETING_LIMITS), FrameDecoder(LIMITS)
    greeting.feed(encode_frame(KIND_HELLO, b"x"))
    assert greeting.take() == (KIND_HELLO, b"x")
    established.feed(encode_frame(KIND_HELLO, b"x"))
    with pytest.raises(FrameUnknownKindError):
        established.take()
    greeting.feed(encode_frame(KIND_PING, b""))
    with pytest.raises(FrameUnknownKindError):
        greeting.take()


def test_decoder_keeps_no_more_than_one_frame_and_the_last_piece() -> None:
    decoder = FrameDecoder(LIMITS)
    stream = encode_frame(255, bytes(70_000)) * 20
    for start in range(0, len(stream), 1_000):
        decoder.feed(stream[start : start + 1_000])
        take_all(decoder)
        assert decoder.buffered_bytes < 70_000 + HEADER_BYTES


@pytest.mark.parametrize(
    ("kinds", "field"),
    [
        ([FrameKind(15, "own", 1, Lane.VOTES)], "kinds.number"),
        ([FrameKind(256, "beyond", 1, Lane.VOTES)], "kinds.number"),
        ([FrameKind(16, "one", 1, Lane.VOTES), FrameKind(16, "two", 1, Lane.BULK)], "kinds.number"),
        ([FrameKind(16, "negative", -1, Lane.VOTES)], "kinds.bytes_max"),
        ([FrameKind(16, "huge", FRAME_BYTES_MAX + 1, Lane.VOTES)], "kinds.bytes_max"),
    ],
)
def test_bad_frame_tables_are_refused(kinds: list[FrameKind], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FrameTable(kinds)
    assert caught.value.field == field
