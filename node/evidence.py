"""Proofs of faults: two messages of one position, signed by one validator key (consensus 8, Slots).

They are facts for ever, need nobody's word, and lie in files of their own, so that they outlive the database. A file
holds the two signed bodies and signatures and nothing of what was carried with them, which a liar could make as large
as it likes. Of one validator the first few are kept: one is enough to exclude it.

    evidence/HEIGHT-VIEW-STEP-KEY.bin      canonical bytes of an EvidenceRecord
"""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from chain.certificate import Number
from chain.codec import Codec, encode
from chain.contract.call_base import Bytes32
from chain.crypto import signing_bytes, verify
from chain.errors import ConfigError, DecodeError, StoreError
from chain.types import ChainId
from chain.validators import Validator
from consensus.guard_rules import get_position
from consensus.messages import SHOWN_BODY_BYTES_MAX, TAGS, Kind, OwnMessage, SignatureBytes
from node.files import create_directory, create_file, read_file
from node.logs import get_logger

FILE_BYTES_MAX = 16_384
EACH_MAX = 16
"""Of one validator; later ones are counted and logged, and not kept."""
FILES_MAX = 2_048
"""Of all validators there ever were; later ones are not kept."""

BodyBytes = Annotated[bytes, Meta(max_length=SHOWN_BODY_BYTES_MAX)]


class EvidenceRecord(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One proof."""

    key: Bytes32
    """Validator key that signed both."""
    organisation: Annotated[str, Meta(max_length=64)]
    height: Number
    view: Number
    step: Annotated[int, Meta(ge=0, le=4)]
    """Kind of both messages, 0 VIEW-CHANGE to 4 COMMIT."""
    found_ms: Number
    """Wall time at which this node saw it."""
    first_body: BodyBytes
    first_signature: SignatureBytes
    second_body: BodyBytes
    second_signature: SignatureBytes


_codec = Codec[EvidenceRecord](EvidenceRecord, FILE_BYTES_MAX, "evidence")


class EvidenceStore:
    """The proofs that one node has, in memory and on the disk."""

    def __init__(self, directory: Path, chain_id: ChainId) -> None:
        """Read what is there; a file that does not hold is left alone and said. Raises `StoreError`."""
        self._directory = directory
        self._chain_id = chain_id
        self._records: dict[tuple[bytes, int, int, int], EvidenceRecord] = {}
        self._log = get_logger("node")
        try:
            create_directory(directory)
            paths = sorted(directory.glob("*.bin"))[:FILES_MAX]
        except OSError as error:
            raise StoreError(f"{directory}: {error.strerror}") from error
        for path in paths:
            try:
                record = _codec.decode(read_file(path, bytes_max=FILE_BYTES_MAX))
            except (DecodeError, ConfigError) as error:
                self._log.warning("evidence_unreadable", file=path.name, reason=str(error))
                continue
            if self._holds(record):
                self._records[_get_place(record)] = record
            else:
                self._log.warning("evidence_unreadable", file=path.name, reason="its signatures do not hold")

    def _holds(self, record: EvidenceRecord) -> bool:
        pairs = ((record.first_body, record.first_signature), (record.second_body, record.second_signature))
        return record.first_body != record.second_body and all(
            verify(public_key=record.key, message=self.get_signed(record, body), signature=signature)
            for body, signature in pairs
        )

    def get_signed(self, record: EvidenceRecord, body: bytes) -> bytes:
        """Return the bytes that a signature of a proof covers."""
        return signing_bytes(kind=TAGS[Kind(record.step)], chain_id=self._chain_id, body=body)

    def keep(self, validator: Validator, first: OwnMessage, second: OwnMessage, *, wall_ms: int) -> bool:
        """Keep a proof, durably; return False where there is one of this position or enough of this validator."""
        height, view, step = get_position(first)
        record = EvidenceRecord(
            key=validator.key,
            organisation=validator.organisation,
            height=height,
            view=view,
            step=step,
            found_ms=max(wall_ms, 0),
            first_body=encode(first.body),
            first_signature=first.signature,
            second_body=encode(second.body),
            second_signature=second.signature,
        )
        place = _get_place(record)
        of_this = sum(known[0] == validator.key for known in self._records)
        if place in self._records or of_this >= EACH_MAX or len(self._records) >= FILES_MAX:
            return False
        name = f"{height:016d}-{view:016d}-{step}-{validator.key.hex()[:16]}.bin"
        try:
            create_file(self._directory / name, encode(record))
        except ConfigError as error:
            raise StoreError(str(error)) from error
        self._records[place] = record
        return True

    def list_all(self) -> tuple[EvidenceRecord, ...]:
        """Return all proofs, by height, view, step and key."""
        return tuple(sorted(self._records.values(), key=lambda item: (item.height, item.view, item.step, item.key)))


def _get_place(record: EvidenceRecord) -> tuple[bytes, int, int, int]:
    return bytes(record.key), record.height, record.view, record.step
