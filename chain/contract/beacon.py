"""The randomness beacon and fair draws from it (contract 6, last paragraph).

Each validator has a hash chain: genesis holds its last link, and each block carries the proposer's next one,
whose SHA-256 is the link before. So a proposer has exactly one reveal that fits; it cannot choose it. Every
block mixes it: beacon = SHA-256(tag || beacon || reveal).

When a claim asks for a draw at block h, the draw waits until f + 1 different proposers have revealed after h.
At least one of them is honest and its link was unknown when the claim was filed, so neither the member (who
can grind the claim's id) nor f colluding validators can know at filing who will be drawn.

What a leader can still bias, and how much: the draw does not use the newest beacon but the one of the first
block of the newest unbroken run of one proposer. A leader therefore gains nothing by making more or fewer
blocks before 0:00, and nothing by choosing their contents. It can only let its turn pass unused (its block is
then missing, which shows, and it is skipped for some turns), or hurry or slow so that 0:00 falls before or
after the change of leaders: each is one choice between an outcome that it knows and one that it does not
know. f colluding leaders in a row have one such choice each. A leader may also leave a claim_file out of its
blocks; the request timer ends that (consensus 6).
"""

import struct
from collections.abc import Sequence
from typing import TypeVar

from msgspec.structs import replace

from chain.contract.claim_tables import BEACON, BeaconRecord
from chain.crypto import sha256
from chain.errors import InvalidBlock, InvariantViolation
from chain.state import Overlay
from chain.types import ChainId, Hash, Height
from chain.validators import Validator

T = TypeVar("T")

SEED_TAG = b"gongji/beacon-seed/v1\n"
STEP_TAG = b"gongji/beacon-step/v1\n"
DRAW_TAG = b"gongji/draw/v1\n"
DRAW_WORD_BYTES = 8
DRAW_BOUND_MAX = 2 ** (8 * DRAW_WORD_BYTES)
DRAW_ATTEMPTS_MAX = 512
"""A word is rejected with probability below 1/2, so this is never reached: 2^-512."""


def build_beacon(chain_id: ChainId, validators: Sequence[Validator]) -> BeaconRecord:
    """Build the beacon of the genesis state: known to all, and never drawn from before the first reveals."""
    value = sha256(SEED_TAG + chain_id)
    return BeaconRecord(
        value=value,
        links=tuple(validator.reveal_anchor for validator in validators),
        reveal_heights=(0,) * len(validators),
        turn_validator=len(validators),
        turn_height=0,
        turn_value=value,
    )


def is_reveal_valid(state: Overlay, validator_index: int, reveal: bytes) -> bool:
    """Tell whether SHA-256(reveal) is the last link of this validator (consensus 1, header)."""
    links = state.require(BEACON).links
    return 0 <= validator_index < len(links) and sha256(reveal) == links[validator_index]


def apply_reveal(state: Overlay, validator_index: int, reveal: bytes, height: Height) -> None:
    """Mix a block's reveal into the beacon; raise `InvalidBlock` where it is not the proposer's next link.

    Runs before the block's automatic events: then a leader whose run begins at midnight has one outcome to offer
    whether 0:00 falls into its first block or a later one.
    """
    if not is_reveal_valid(state, validator_index, reveal):
        raise InvalidBlock("the reveal is not the proposer's next link", validator=validator_index, height=height)
    record = state.require(BEACON)
    value = sha256(STEP_TAG + record.value + reveal)
    record = replace(
        record,
        value=value,
        links=_replace_at(record.links, validator_index, reveal),
        reveal_heights=_replace_at(record.reveal_heights, validator_index, height),
    )
    if validator_index != record.turn_validator:
        record = replace(record, turn_validator=validator_index, turn_height=height, turn_value=value)
    state.put(BEACON, record)


def get_draw_value(record: BeaconRecord, *, since: int, proposers_min: int) -> Hash | None:
    """Return the value for a draw asked for in block `since`, or None while too few proposers have revealed.

    `proposers_min` = f + 1. With f >= 1 the value is that of the newest run of one proposer, which began
    after `since` (otherwise one proposer alone would have revealed since). With f = 0 there may be one
    proposer for ever, and the newest value must do: such a chain trusts each of its validators anyway.
    """
    if sum(height > since for height in record.reveal_heights) < proposers_min:
        return None
    return Hash(record.turn_value if record.turn_height > since else record.value)


def draw(value: Hash, *, purpose: str, subject: bytes, bound: int) -> int:
    """Draw a number in 0..bound-1, each equally likely, the same for everybody who knows the value.

    seed = SHA-256(tag || purpose || 0 || value || SHA-256(subject)); word i is the first eight bytes,
    big-endian, of SHA-256(seed || i as u32). A word in the incomplete last multiple of `bound` is rejected,
    so that no number is favoured. `purpose` (ASCII, without a zero byte) and `subject` separate the draws of
    one value from each other.
    """
    if not 1 <= bound <= DRAW_BOUND_MAX:
        raise InvariantViolation(f"a draw from {bound} numbers")
    limit = DRAW_BOUND_MAX - DRAW_BOUND_MAX % bound
    seed = sha256(DRAW_TAG + purpose.encode("ascii") + b"\0" + value + sha256(subject))
    for attempt in range(DRAW_ATTEMPTS_MAX):
        word = int.from_bytes(sha256(seed + struct.pack(">I", attempt))[:DRAW_WORD_BYTES], "big")
        if word < limit:
            return word % bound
    raise InvariantViolation(f"{DRAW_ATTEMPTS_MAX} words rejected for a bound of {bound}")


def _replace_at(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])
