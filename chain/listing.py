"""Lists that ride in a block's batch beside the state: what is open now, without a scan of all that was (design 4).

An entry lies outside of all roots, because it says nothing that the state does not say; it can neither lag nor
disagree, because it is written in the same batch. Today there is one list: the instructions that the bank has not
answered.
"""

from chain.contract.custody_tables import INSTRUCTION, INSTRUCTION_READY, InstructionRecord
from chain.errors import InvariantViolation
from chain.state import PoolKey

READY = b"r"
"""First byte of the list of unanswered instructions."""
_PREFIX = INSTRUCTION.prefix(arity=1)
_ID_BYTES = 32


def build_pool_prefix(pool: PoolKey) -> bytes:
    """Return the common beginning of a pool's entries: length of the plan's name || name || pool u16."""
    name = pool[0].encode()
    return READY + bytes([len(name)]) + name + pool[1].to_bytes(2, "big")


def build_ready_key(instruction: bytes, record: InstructionRecord) -> bytes:
    """Return the entry of an instruction: its pool, the day it was made (u32), its id: the oldest stands first."""
    return build_pool_prefix((record.plan, record.pool)) + record.created_day.to_bytes(4, "big") + instruction


def parse_ready_key(entry: bytes) -> tuple[int, bytes]:
    """Return (day it was made, instruction id) of an entry."""
    if len(entry) < _ID_BYTES + 4:
        raise InvariantViolation("an entry of the list of instructions is too short")
    return int.from_bytes(entry[-_ID_BYTES - 4 : -_ID_BYTES], "big"), entry[-_ID_BYTES:]


def list_changes(map_key: bytes, record: object) -> tuple[bytes, bytes | None] | None:
    """Return (entry, value or None for removal) that follows from a changed record of the state, or None."""
    if not isinstance(record, InstructionRecord) or not map_key.startswith(_PREFIX):
        return None
    entry = build_ready_key(map_key[-_ID_BYTES:], record)
    return entry, b"" if record.state == INSTRUCTION_READY else None
