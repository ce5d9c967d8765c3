"""Gathering a block: false lists are let go of, true ones are found, whoever lies."""

from chain.contract.member_calls import MemberLeave
from chain.transaction import Transaction, build_transaction
from chain.types import TxId
from node.candidates import Candidates
from node.clock import SystemClock
from node.gathering import PATIENCE_MS, Gathering
from tests.chain.fixtures import make_key
from tests.node.test_candidates import alter, make_content

H = bytes(32)


class Manual(SystemClock):
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        return self.ms


class Asked:
    """The network as gathering sees it: what was asked for."""

    def __init__(self) -> None:
        self.bodies: list[tuple[bytes, ...]] = []
        self.contents: list[bytes] = []

    def want_bodies(self, tx_ids: tuple[bytes, ...], holders: tuple[int, ...]) -> None:
        self.bodies.append(tx_ids)

    def want_blobs(self, hashes: tuple[bytes, ...], holders: tuple[int, ...]) -> None:
        raise AssertionError("a carried or certified block needs no blobs")

    def want_content(self, block_hash: bytes, holders: tuple[int, ...]) -> None:
        self.contents.append(block_hash)

    def catch_up(self, height: int, peer: int) -> None:
        raise AssertionError("not asked for here")


def make_transaction(number: int) -> Transaction:
    return build_transaction(
        chain_id=H,
        nonce=number.to_bytes(16, "big"),
        valid_until_ms=1,
        call=MemberLeave(member=H),
        key=make_key("member"),
    )


class Room:
    def __init__(self) -> None:
        self.pool: dict[TxId, Transaction] = {}
        self.candidates = Candidates(self.pool.get)
        self.clock = Manual()
        self.asked = Asked()
        self.gathering = Gathering(candidates=self.candidates, clock=self.clock)


def test_content_is_asked_for_then_bodies_and_then_it_is_whole() -> None:
    room = Room()
    transaction = make_transaction(1)
    content = make_content(transaction)
    find = room.gathering.find
    assert find(room.asked, content.block_hash, (1,)) is None
    assert room.asked.contents == [content.block_hash]
    room.candidates.add_content(content)
    assert find(room.asked, content.block_hash, (1,)) is None
    assert room.asked.bodies == [(transaction.tx_id,)]
    room.candidates.add_body(transaction)
    assert find(room.asked, content.block_hash, (1,)) == content


def test_list_whose_bodies_nobody_has_is_let_go_of_after_a_while() -> None:
    room = Room()
    transaction = make_transaction(1)
    room.pool[transaction.tx_id] = transaction
    true = make_content(transaction)
    room.candidates.add_content(alter(true))
    assert room.gathering.find(room.asked, true.block_hash, (1,)) is None
    room.clock.ms = PATIENCE_MS - 1
    assert room.gathering.find(room.asked, true.block_hash, (1,)) is None
    assert room.asked.contents == []
    room.clock.ms = PATIENCE_MS
    assert room.gathering.find(room.asked, true.block_hash, (1,)) is None
    assert room.asked.contents == [true.block_hash]
    room.candidates.add_content(true)
    assert room.gathering.find(room.asked, true.block_hash, (1,)) == true


def test_list_that_does_not_make_the_root_is_let_go_of_at_once() -> None:
    room = Room()
    first, second = make_transaction(1), make_transaction(2)
    room.pool.update({first.tx_id: first, second.tx_id: second})
    true, other = make_content(first), make_content(second)
    false = type(true)(
        block_hash=true.block_hash, header=true.header, parent_certificate=true.parent_certificate, items=other.items
    )
    room.candidates.add_content(false)
    assert room.gathering.find(room.asked, true.block_hash, (1,)) is None
    assert room.asked.contents == [true.block_hash]
    assert room.candidates.get_content(true.block_hash) is None


def test_each_copy_gets_the_whole_patience() -> None:
    room = Room()
    true = make_content(make_transaction(1))
    for _ in range(3):
        room.candidates.add_content(true)
        room.gathering.find(room.asked, true.block_hash, (1,))
        asked = len(room.asked.contents)
        room.clock.ms += PATIENCE_MS - 1
        room.gathering.find(room.asked, true.block_hash, (1,))
        assert len(room.asked.contents) == asked
        room.clock.ms += 1
        room.gathering.find(room.asked, true.block_hash, (1,))
        assert len(room.asked.contents) == asked + 1
    room.gathering.clear()
    assert room.gathering._since_ms == {}
