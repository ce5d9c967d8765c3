"""The file of the signer guard: two slots, the newer one counts (consensus 7).

The rules are in `consensus/guard_rules.py`; here they become durable. A write goes to the slot of the older
sequence number, so a crash while writing leaves the other one whole. What the guard says is a promise
about all that the key ever signed, so a missing or damaged file is never made anew in silence: only
`init` creates one, together with its key, and only the end of a quarantine replaces one. A key restored
from a backup has no guard: it stands in quarantine.

    slot k at k * 4096     magic (8) sequence (8) length (4) crc32 (4) state, canonical
    guard.quarantine       beside it while the key stands in a quarantine that began while it ran: the reason

A guard that has not met its chain yet has the chain id zero: keys exist before the genesis that names them.
It is bound once, to the first chain that it is used on.
"""

import fcntl
import os
import struct
import zlib
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from chain.codec import encode
from chain.errors import ConfigError, DecodeError, InvariantViolation, StoreError
from chain.types import ZERO_HASH, ChainId, Height, PublicKey
from consensus.guard_rules import GuardState, build_floor, build_guard, guard_codec
from node.files import create_file, sync_data, sync_directory

SLOT_BYTES = 4_096
NOTE_BYTES_MAX = 1_024
_FILE_BYTES = 2 * SLOT_BYTES
_MAGIC = b"gongjigd"
_SLOT = struct.Struct(">8sQII")
_CRC_FROM = len(_MAGIC)
UNBOUND = ChainId(ZERO_HASH)
"""Chain id of a guard that has not met its chain yet."""


class _Slot(Struct, frozen=True):
    sequence: int
    state: GuardState


class GuardFile:
    """Hold the guard of one key; made by `create_guard` and `open_guard`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state: GuardState | None = None
        """What the file says, None where it is missing or damaged."""
        self.problem: str | None = None
        """Why there is no state."""
        self._sequence = 0
        self._descriptor = -1
        self._has_failed = False

    def bind(self, chain_id: ChainId) -> None:
        """Bind a guard that never signed to its chain; one that is bound stays as it is."""
        if self.state is not None and self.state.chain_id == UNBOUND and self.state.mark is None:
            self.write(replace(self.state, chain_id=chain_id))

    @property
    def quarantine(self) -> str | None:
        """Return why the key stood in quarantine when the process ended, None where it did not."""
        try:
            return self._note_path.read_text(encoding="utf-8", errors="replace").strip() or "a quarantine was not over"
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._note_path}: {error.strerror}") from error

    def keep_quarantine(self, reason: str) -> None:
        """Make it durable that the key may sign nothing until `replace` ends the quarantine."""
        if self._note_path.exists():
            return
        try:
            create_file(self._note_path, reason.encode()[:NOTE_BYTES_MAX] + b"\n")
        except ConfigError as error:
            raise StoreError(str(error)) from error

    @property
    def _note_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.quarantine")

    def write(self, state: GuardState) -> None:
        """Make a state durable, one that keeps key and chain; raise `StoreError`, then the process must
        end."""
        if self.state is None:
            raise InvariantViolation(f"the guard is not usable: {self.problem}")
        if state.key != self.state.key or self.state.chain_id not in (UNBOUND, state.chain_id):
            raise InvariantViolation("a guard keeps its key and its chain")
        self._write(state)

    def replace(self, *, key: PublicKey, chain_id: ChainId, height: Height) -> None:
        """Begin anew at the end of a quarantine: nothing below `height` is signed (consensus 7).

        A file that is damaged or belongs to another key or chain is kept beside under another name.
        """
        self._replace(key=key, chain_id=chain_id, height=height)
        if self._note_path.exists():
            self._note_path.unlink()
            sync_directory(self.path.parent)

    def _replace(self, *, key: PublicKey, chain_id: ChainId, height: Height) -> None:
        state = build_floor(key=key, chain_id=chain_id, height=height)
        if self.state is not None and (self.state.key, self.state.chain_id) == (key, chain_id):
            # Twice, so that neither slot remembers less than this.
            self._write(state)
            self._write(state)
            return
        self.close()
        if self.path.exists():
            self.path.rename(_find_free_name(self.path))
        _create(self.path, state)
        self._load()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, state: GuardState) -> None:
        if self._has_failed or self._descriptor < 0:
            raise StoreError("the guard is closed or has failed before")
        sequence = self._sequence + 1
        content = _encode_slot(sequence, state)
        # Until the sync has succeeded nobody knows what is on the disk.
        self._has_failed = True
        try:
            written = os.pwrite(self._descriptor, content, sequence % 2 * SLOT_BYTES)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        if written != len(content):
            raise StoreError(f"{self.path}: {written} of {len(content)} bytes written")
        sync_data(self._descriptor)
        self._has_failed = False
        self._sequence, self.state = sequence, state

    def _load(self) -> None:
        self.state, self.problem, self._sequence, self._has_failed = None, None, 0, False
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            content = os.pread(self._descriptor, _FILE_BYTES, 0)
        except FileNotFoundError:
            self.problem = "the guard is missing"
            return
        except BlockingIOError as error:
            # Two processes with one key would vote against each other (pitfalls P3, C38).
            self.close()
            raise StoreError(f"{self.path} is in use by another process") from error
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        slots = [_decode_slot(content[place * SLOT_BYTES :][:SLOT_BYTES]) for place in range(2)]
        usable = [slot for place, slot in enumerate(slots) if slot is not None and slot.sequence % 2 == place]
        if not usable:
            self.problem = "the guard is damaged: neither slot is whole"
            return
        usable.sort(key=lambda slot: slot.sequence)
        if len(usable) == 2 and usable[1].sequence != usable[0].sequence + 1:
            self.problem = "the guard is damaged: its slots do not follow each other"
            return
        self._sequence, self.state = usable[-1].sequence, usable[-1].state


def create_guard(path: Path, *, key: PublicKey) -> None:
    """Create the guard of a new key, in one act with it; raise `ConfigError` where a file exists."""
    _create(path, build_guard(key=key, chain_id=UNBOUND))


def open_guard(path: Path) -> GuardFile:
    """Open and lock a guard; where it is missing or damaged `problem` says so and `state` is None.

    Raises `StoreError` where the disk fails or another process has it open. One slot that is not whole is
    what a crash while writing leaves: the other one is then one write behind, and the journal holds what
    it does not know.
    """
    guard = GuardFile(path)
    guard._load()
    return guard


def _create(path: Path, state: GuardState) -> None:
    # Both slots are whole from the beginning, so that a missing one always means damage or a torn write.
    content = b"".join(_encode_slot(sequence, state).ljust(SLOT_BYTES, b"\0") for sequence in (2, 1))
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    if path.exists():
        raise ConfigError(field=str(path), reason="exists already and is never overwritten")
    create_file(draft, content)
    draft.rename(path)
    sync_directory(path.parent)


def _encode_slot(sequence: int, state: GuardState) -> bytes:
    payload = encode(state)
    fields = struct.pack(">QI", sequence, len(payload))
    return _MAGIC + fields + zlib.crc32(payload, zlib.crc32(fields)).to_bytes(4, "big") + payload


def _decode_slot(content: bytes) -> _Slot | None:
    if len(content) < _SLOT.size:
        return None
    magic, sequence, length, crc = _SLOT.unpack_from(content)
    payload = content[_SLOT.size : _SLOT.size + length]
    if magic != _MAGIC or len(payload) != length:
        return None
    if zlib.crc32(payload, zlib.crc32(content[_CRC_FROM : _CRC_FROM + 12])) != crc:
        return None
    try:
        return _Slot(sequence, guard_codec.decode(payload))
    except DecodeError:
        return None


def _find_free_name(path: Path) -> Path:
    number = 1
    while (candidate := path.with_name(f"{path.name}.replaced-{number}")).exists():
        number += 1
    return candidate
