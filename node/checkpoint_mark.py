"""The last checkpoint that this validator signed: in a file of its own, so that it outlives the database (consensus 8).

A log key must never sign a smaller size after a larger one, nor two roots for one size. The database may be removed
and fetched again from the others, so what was signed is not remembered there.

    slot k at k * 64     magic (8) sequence (8) size (8) root (32) crc32 (4), zero to the end

A write goes to the slot of the older sequence number and is synced before the checkpoint is sent. A file of which no
slot is whole says nothing: then nothing is signed until an operator has removed it.
"""

import os
import zlib
from pathlib import Path

from chain.errors import InvariantViolation, StoreError
from node.files import create_file, sync_data

SLOT_BYTES = 64
_FILE_BYTES = 2 * SLOT_BYTES
_MAGIC = b"gongjicp"
_ROOT_BYTES = 32
_SIGNED_BYTES = len(_MAGIC) + 16 + _ROOT_BYTES


class CheckpointMark:
    """Size and root that were signed last; made by `open_mark`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last: tuple[int, bytes] | None = None
        """(log size, log root), None where nothing was signed yet."""
        self.problem: str | None = None
        """Why nothing may be signed."""
        self._sequence = 0

    def check(self, size: int, root: bytes) -> None:
        """Raise `InvariantViolation` where this size and root contradict what was signed."""
        if self.last is None:
            return
        last_size, last_root = self.last
        if size < last_size or (size == last_size and root != last_root):
            raise InvariantViolation(f"a checkpoint of size {last_size} was signed; {size} would contradict it")

    def write(self, size: int, root: bytes) -> None:
        """Make it durable that this is signed next; raise `StoreError`, after which the process must end."""
        self.check(size, root)
        sequence = self._sequence + 1
        signed = _MAGIC + sequence.to_bytes(8, "big") + size.to_bytes(8, "big") + root
        content = (signed + zlib.crc32(signed).to_bytes(4, "big")).ljust(SLOT_BYTES, b"\0")
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.pwrite(descriptor, content, sequence % 2 * SLOT_BYTES)
                sync_data(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        self._sequence, self.last = sequence, (size, root)

    def load(self) -> None:
        """Read the file, or make an empty one; called once, by `open_mark`."""
        if not self.path.exists():
            create_file(self.path, bytes(_FILE_BYTES))
            return
        content = self.path.read_bytes()
        slots = [content[place * SLOT_BYTES :][:SLOT_BYTES] for place in range(2)]
        usable = sorted(slot for slot in map(_decode_slot, slots) if slot is not None)
        if usable:
            self._sequence, size, root = usable[-1]
            self.last = (size, root)
        elif content != bytes(_FILE_BYTES):
            self.problem = f"{self.path} is damaged: what was signed last is not known"


def open_mark(path: Path) -> CheckpointMark:
    """Read the mark at a path, or begin one; raise `StoreError` where the disk fails."""
    mark = CheckpointMark(path)
    try:
        mark.load()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    return mark


def _decode_slot(slot: bytes) -> tuple[int, int, bytes] | None:
    signed, crc = slot[:_SIGNED_BYTES], slot[_SIGNED_BYTES : _SIGNED_BYTES + 4]
    if not signed.startswith(_MAGIC) or zlib.crc32(signed).to_bytes(4, "big") != crc:
        return None
    numbers = signed[len(_MAGIC) :]
    return int.from_bytes(numbers[:8], "big"), int.from_bytes(numbers[8:16], "big"), numbers[16:]
