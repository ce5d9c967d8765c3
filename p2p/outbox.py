"""Outbox: whole frames that wait to be written to one connection, bounded by count and bytes."""

from collections import deque


class Outbox:
    """Queue frames up to a limit; when it is full the newest frame is refused.

    Nothing in the protocol relies on a frame arriving (consensus E8), so refusing is always permitted, and
    waiting or growing never is (pitfalls P23).
    """

    __slots__ = ("_frames", "_frames_bytes", "bytes_max", "frames_max")

    def __init__(self, *, frames_max: int, bytes_max: int) -> None:
        self.frames_max = frames_max
        """Most frames that wait."""
        self.bytes_max = bytes_max
        """Most bytes that wait, headers included."""
        self._frames: deque[bytes] = deque()
        self._frames_bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait."""
        return self._frames_bytes

    def push(self, frame: bytes) -> bool:
        """Append a frame; return False, changing nothing, where it does not fit."""
        if len(self._frames) >= self.frames_max or self._frames_bytes + len(frame) > self.bytes_max:
            return False
        self._frames.append(frame)
        self._frames_bytes += len(frame)
        return True

    def pop_chunk(self, chunk_bytes: int) -> tuple[bytes, int]:
        """Take frames from the front until they make chunk_bytes or more; return them joined, and their
        count."""
        frames = self._frames
        taken = [frames.popleft()]
        taken_bytes = len(taken[0])
        while frames and taken_bytes < chunk_bytes:
            frame = frames.popleft()
            taken.append(frame)
            taken_bytes += len(frame)
        self._frames_bytes -= taken_bytes
        return (taken[0] if len(taken) == 1 else b"".join(taken)), len(taken)

    def clear(self) -> int:
        """Drop what waits; return the number of frames dropped."""
        count = len(self._frames)
        self._frames.clear()
        self._frames_bytes = 0
        return count
