from hypothesis import given
from hypothesis import strategies as st

from p2p.outbox import Outbox


@given(
    st.lists(st.one_of(st.binary(min_size=1, max_size=30), st.integers(1, 50)), max_size=60),
    st.integers(1, 8),
    st.integers(1, 60),
)
def test_p23_outbox_keeps_order_and_never_exceeds_its_limits(
    steps: list[bytes | int], frames_max: int, bytes_max: int
) -> None:
    outbox = Outbox(frames_max=frames_max, bytes_max=bytes_max)
    queued: list[bytes] = []
    for step in steps:
        if isinstance(step, bytes):
            fits = len(queued) < frames_max and sum(map(len, queued)) + len(step) <= bytes_max
            assert outbox.push(step) is fits
            queued += [step] if fits else []
        elif queued:
            chunk, count = outbox.pop_chunk(step)
            assert chunk == b"".join(queued[:count])
            # As many frames as needed to reach the size, and not one more.
            assert len(b"".join(queued[: count - 1])) < step
            assert len(chunk) >= step or count == len(queued)
            del queued[:count]
        assert (len(outbox), outbox.queued_bytes) == (len(queued), sum(map(len, queued)))


def test_clear_tells_how_many_frames_were_lost() -> None:
    outbox = Outbox(frames_max=5, bytes_max=100)
    for _ in range(3):
        assert outbox.push(b"frame")
    assert outbox.clear() == 3
    assert (len(outbox), outbox.queued_bytes) == (0, 0)
    assert outbox.push(bytes(100))
