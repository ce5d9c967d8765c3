"""Gossip: slices, turns, and who is not listened to."""

import asyncio
import time

from chain.codec import encode
from chain.contract.member_calls import MemberLeave
from chain.errors import Refusal, StoreError
from chain.transaction import Transaction, build_transaction
from chain.types import TxId
from node.clock import SystemClock
from node.gossip import OUTBOX_BYTES_MAX, REFUSALS_MAX, TURN, Gossip
from node.wire import TRANSACTIONS, TRANSACTIONS_BYTES_MAX, Transactions, transactions_codec
from p2p.events import FrameReceived
from tests.chain.fixtures import make_key

H = bytes(32)


def make_transaction(number: int) -> Transaction:
    return build_transaction(
        chain_id=H,
        nonce=number.to_bytes(16, "big"),
        valid_until_ms=1,
        call=MemberLeave(member=H),
        key=make_key("member"),
    )


class Manual(SystemClock):
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        return self.ms


class Room:
    """What stands around gossip: the network, the pool, the candidates."""

    def __init__(self) -> None:
        self.broadcasts: list[bytes] = []
        self.sent: list[tuple[int, bytes]] = []
        self.admitted: list[tuple[TxId, int]] = []
        self.bodies: list[TxId] = []
        self.known: set[bytes] = set()
        self.released = 0
        self.refusal: str | None = None
        self.seconds = 0.0
        self.failure: Exception | None = None
        self.has_outbox = True
        self.clock = Manual()
        self.gossip = Gossip(
            broadcast=self._broadcast,
            send=self._send,
            admit=self._admit,
            add_body=lambda transaction: self.bodies.append(transaction.tx_id),
            is_known=lambda transaction: transaction.tx_id in self.known,
            release=self._release,
            clock=self.clock,
        )

    def _broadcast(self, kind: int, payload: bytes) -> int:
        assert kind == TRANSACTIONS
        self.broadcasts.append(payload)
        return 3

    def _send(self, peer: int, kind: int, payload: bytes) -> bool:
        self.sent.append((peer, payload))
        return self.has_outbox

    def _admit(self, transaction: Transaction, peer: int) -> None:
        self.admitted.append((transaction.tx_id, peer))
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        if self.seconds:
            end = time.perf_counter() + self.seconds
            while time.perf_counter() < end:
                pass
        if self.refusal is not None:
            raise Refusal(self.refusal)

    def _release(self, frame: FrameReceived) -> None:
        self.released += 1

    def give(self, peer: int, *transactions: Transaction, is_gossip: bool = True, raw: bytes = b"") -> None:
        raws = (raw,) if raw else tuple(transaction.raw for transaction in transactions)
        payload = encode(Transactions(is_gossip=is_gossip, raw=raws))
        self.gossip.on_batch(FrameReceived(peer, TRANSACTIONS, payload))

    async def settle(self) -> None:
        for _ in range(10_000):
            if not self.gossip._turns:
                return
            await asyncio.sleep(0)
        raise AssertionError("the work does not end")


async def test_batches_are_admitted_under_the_peer_that_sent_them_and_released_once() -> None:
    room = Room()
    first, second = make_transaction(1), make_transaction(2)
    room.give(1, first)
    room.give(2, second)
    await room.settle()
    assert room.admitted == [(first.tx_id, 1), (second.tx_id, 2)]
    assert room.released == 2


async def test_what_is_known_is_not_checked_again() -> None:
    room = Room()
    known = make_transaction(1)
    room.known.add(known.tx_id)
    room.give(1, known)
    await room.settle()
    assert room.admitted == []


async def test_bodies_that_were_asked_for_do_not_go_into_the_pool() -> None:
    room = Room()
    body = make_transaction(1)
    room.give(1, body, is_gossip=False)
    await room.settle()
    assert (room.bodies, room.admitted) == ([body.tx_id], [])


async def test_c35_flood_of_one_peer_delays_neither_the_loop_nor_the_others() -> None:
    room = Room()
    room.seconds = 0.001
    flood = [make_transaction(number) for number in range(60)]
    room.give(1, *flood)
    honest = make_transaction(1_000)
    room.give(2, honest)
    most = 0
    while not any(peer == 2 for _, peer in room.admitted):
        before = len(room.admitted)
        await asyncio.sleep(0)
        most = max(most, len(room.admitted) - before)
    assert len(room.admitted) < 20, "peers take turns"
    assert most <= 2 * TURN, "in one turn of the loop: a few milliseconds, whatever waits"
    await room.settle()
    assert len(room.admitted) == 61


async def test_whoever_hands_over_a_false_signature_is_not_listened_to_for_a_while() -> None:
    room = Room()
    room.refusal = "bad_signature"
    room.give(1, *(make_transaction(number) for number in range(100)))
    room.give(1, make_transaction(200))
    await room.settle()
    assert len(room.admitted) == 1, "one check of a signature, not a hundred"
    assert room.released == 2
    room.refusal = None
    room.give(2, make_transaction(300))
    await room.settle()
    assert room.admitted[-1][1] == 2
    room.give(1, make_transaction(400), is_gossip=False)
    await room.settle()
    assert room.bodies == [make_transaction(400).tx_id], "what was asked for is taken all the same"
    room.clock.ms = 1_000
    room.give(1, make_transaction(500))
    await room.settle()
    assert room.admitted[-1] == (make_transaction(500).tx_id, 1)


async def test_bytes_that_are_no_batch_and_no_transaction_are_false_too() -> None:
    for room in (Room(), Room()):
        room.give(1, raw=b"\xc1")
        room.give(1, make_transaction(1))
        await room.settle()
        assert room.admitted == []
    room = Room()
    room.gossip.on_batch(FrameReceived(1, TRANSACTIONS, b"\xff"))
    room.give(1, make_transaction(1))
    await room.settle()
    assert room.admitted == []
    assert room.released == 2


async def test_p24_full_share_is_found_out_once_for_each_batch() -> None:
    room = Room()
    room.refusal = "pool_full"
    room.give(1, *(make_transaction(number) for number in range(50)))
    await room.settle()
    assert len(room.admitted) == 1
    room.give(1, make_transaction(99))
    await room.settle()
    assert len(room.admitted) == 2, "the next batch is tried again: it is no fault of the sender's"


async def test_batch_of_which_too_much_is_refused_is_let_go_of() -> None:
    room = Room()
    room.refusal = "expired"
    room.give(1, *(make_transaction(number) for number in range(3 * REFUSALS_MAX)))
    await room.settle()
    assert len(room.admitted) == REFUSALS_MAX
    room.refusal = None
    room.give(1, make_transaction(999))
    await room.settle()
    assert room.admitted[-1] == (make_transaction(999).tx_id, 1)


async def test_exception_in_one_transaction_does_not_end_the_work() -> None:
    room = Room()
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context.get("exception")))
    room.failure = StoreError("damage")
    room.give(1, make_transaction(1), make_transaction(2))
    room.give(2, make_transaction(3))
    await room.settle()
    assert [peer for _, peer in room.admitted] == [1, 2, 1]
    assert [type(error) for error in errors] == [StoreError], "the loop's handler stops the node for it"


async def test_own_transactions_wait_a_little_and_travel_together() -> None:
    room = Room()
    for number in range(10):
        room.gossip.offer(make_transaction(number))
    assert room.broadcasts == []
    await asyncio.sleep(0.03)
    assert len(room.broadcasts) == 1
    batch = transactions_codec.decode(room.broadcasts[0])
    assert batch.is_gossip
    assert batch.raw == tuple(make_transaction(number).raw for number in range(10))


async def test_every_frame_fits_its_limit() -> None:
    room = Room()
    transactions = [make_transaction(0)] * (3 * TRANSACTIONS_BYTES_MAX // len(make_transaction(0).raw))
    room.gossip.hand_over(2, transactions)
    assert len(room.sent) == 3 or len(room.sent) == 4
    assert all(len(payload) <= transactions_codec.bytes_max for _, payload in room.sent)
    assert sum(len(transactions_codec.decode(payload).raw) for _, payload in room.sent) == len(transactions)
    room.sent.clear()
    room.has_outbox = False
    room.gossip.hand_over(2, transactions)
    assert len(room.sent) == 1, "no room in the outbox: the rest is asked for by hash"


async def test_p23_outbox_is_bounded() -> None:
    room = Room()
    room.gossip._outbox_bytes = OUTBOX_BYTES_MAX
    room.gossip.offer(make_transaction(1))
    assert room.gossip._outbox == []
