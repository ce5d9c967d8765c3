"""What holds after every act: each fen is somewhere and came from somewhere (contract 3.7), and each record that was
written can be read back. A number beyond its field would be read by the nodes that still hold the record in memory and
by no other, so it must not outlive the act that made it.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from chain.codec import Codec, encode
from chain.contract.settlement_tables import PERIOD
from chain.contract.tables import POOL, PoolRecord
from chain.errors import DecodeError, InvariantViolation
from chain.state import Overlay, PoolKey
from chain.types import FEN_MAX

_POOL_KEY_PREFIX: Final = POOL.prefix(arity=2)
_PERIOD_KEY_PREFIX: Final = PERIOD.prefix(arity=3)
"""Lists up to 10,000 ids and no sum: reading it back at each payment would cost more than the payment."""


def check_pool(pool: PoolRecord) -> None:
    """Raise `InvariantViolation` unless every fen of a pool is accounted for, once, by terms that fit their fields."""
    terms = (
        pool.tree_money,
        pool.plain,
        pool.carry,
        pool.aid_payable,
        pool.fee_held,
        pool.fee_payable,
        pool.outgoing,
        pool.unmatched,
    )
    if min(terms) < 0 or pool.cash != sum(terms):
        raise InvariantViolation(f"cash {pool.cash} is not the sum of {terms}")
    received = pool.collected + pool.arrears_paid + pool.interest + pool.recovered + pool.unclaimed
    if received != pool.spent + pool.carry or pool.spent < 0:
        raise InvariantViolation(f"received {received}, spent {pool.spent}, carry {pool.carry}")
    if max(pool.cash, received) > FEN_MAX:
        raise InvariantViolation(f"sums beyond their field: cash {pool.cash}, received {received}")


def check_transaction(state: Overlay, mark: int) -> None:
    """Check the records that were written since a savepoint, and the sums of the pools among them.

    Whether they can be read back is left to `encode_record` where the block does that at its end.
    """
    for _, _, pool in state.written(mark, prefix=_POOL_KEY_PREFIX):
        if isinstance(pool, PoolRecord):
            check_pool(pool)
    if not state.is_read_back_at_end:
        for key, codec, record in state.written(mark):
            if record is not None:
                encode_record(key, codec, record)


def encode_record(key: bytes, codec: Codec[Struct], record: Struct) -> bytes:
    """Return the canonical bytes of a record; raise `InvariantViolation` where nobody could read them back."""
    if key.startswith(_PERIOD_KEY_PREFIX):
        return encode(record)
    try:
        return codec.encode_checked(record)
    except DecodeError as error:
        raise InvariantViolation(f"a record that nobody could read back: {error}") from error


def are_records_readable(state: Overlay) -> bool:
    """Tell whether every record as it is now could be read back."""
    try:
        for key, codec, record in state.list_changes():
            if record is not None:
                encode_record(key, codec, record)
    except InvariantViolation:
        return False
    return True


def check_block(state: Overlay, pools: Iterable[PoolKey]) -> None:
    """Compare the running sums of the given pools with the range sums of their trees, once per block.

    Raises InvariantViolation: our own arithmetic is wrong, so nothing of the block may be voted for.
    """
    for plan, number in pools:
        pool = state.require(POOL, plan, number)
        tree = state.tree((plan, number))
        everybody = tree.range_sums(0)
        above = tree.range_sums(pool.share_index)
        money = above.weight_x - pool.share_index * above.weight + everybody.rem
        if money != pool.tree_money:
            raise InvariantViolation(f"{plan}/{number}: tree money {pool.tree_money}, range sums give {money}")
        if everybody.count != pool.entered - pool.exited:
            raise InvariantViolation(
                f"{plan}/{number}: {everybody.count} leaves, {pool.entered} entered, {pool.exited} exited"
            )
