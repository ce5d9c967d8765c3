import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.codec import encode
from chain.contract.calls import Call
from chain.contract.member_calls import MemberAdmit, MemberLeave
from chain.crypto import sha256
from chain.errors import Refusal
from chain.genesis import Parameters
from chain.mempool import EVICTED_MAX, PINNED_BLOCKS_MAX, Admission, Mempool, PoolLimits
from chain.transaction import Body as TransactionBody
from chain.transaction import Transaction, count_items, decode_transaction, join_transaction
from chain.types import Hash, TxId

NOW_MS = 10_000_000_000
PARAMETERS = Parameters()
CHAIN = bytes(32)


def make(
    number: int, *, signer: int | None = None, valid_until_ms: int = NOW_MS + 1_000, items: int = 0
) -> Transaction:
    """Build a transaction; the pool is given verified ones, so the signature may be any."""
    call: Call = MemberLeave(member=bytes(32))
    if items:
        call = MemberAdmit(items=tuple(sha256(index.to_bytes(4, "big")) for index in range(items)))
    body = TransactionBody(
        version=1,
        chain_id=CHAIN,
        nonce=number.to_bytes(16, "big"),
        valid_until_ms=valid_until_ms,
        signer=sha256(b"signer" + (number if signer is None else signer).to_bytes(4, "big")),
        call=call,
    )
    return Transaction(body=body, body_bytes=encode(body), signature=bytes(64))


def make_pool(
    *,
    transactions_max: int = 400,
    bytes_max: int = 10_000_000,
    parameters: Parameters = PARAMETERS,
    ingress_count: int = 4,
    home: int | None = None,
    signer_max: int = 100,
    organisations: tuple[bytes, ...] = (),
) -> Mempool:
    limits = PoolLimits(
        transactions_max=transactions_max,
        bytes_max=bytes_max,
        signer_transactions_max=signer_max,
        organisation_transactions_max=200,
    )
    return Mempool(limits, parameters, ingress_count=ingress_count, home=home, organisation_keys=organisations)


def check_sums(pool: Mempool, expected: dict[TxId, Transaction]) -> None:
    statistics = pool.get_statistics()
    assert len(pool) == statistics.transactions == len(expected) == sum(statistics.by_ingress)
    total = sum(len(transaction.raw) for transaction in expected.values())
    assert statistics.bytes_count == total == sum(statistics.bytes_by_ingress)


def test_added_transaction_is_found_by_its_id() -> None:
    pool, transaction = make_pool(), make(1)
    assert pool.add(transaction, ingress=0, now_ms=5) is Admission.ADDED
    assert pool.get(transaction.tx_id) is transaction
    assert transaction.tx_id in pool
    waiting = pool.get_waiting(transaction.tx_id)
    assert waiting is not None and (waiting.ingress, waiting.added_ms, waiting.items) == (0, 5, 1)
    assert pool.get(TxId(bytes(32))) is None
    assert pool.get_waiting(TxId(bytes(32))) is None


def test_second_signature_of_a_body_is_known_and_the_first_is_kept() -> None:
    pool, first = make_pool(), make(1)
    variant = decode_transaction(join_transaction(body_bytes=first.body_bytes, signature=b"\x01" * 64))
    pool.add(first, ingress=0, now_ms=0)
    assert pool.add(variant, ingress=3, now_ms=0) is Admission.KNOWN
    kept = pool.get(first.tx_id)
    assert kept is not None and kept.signature == first.signature
    assert pool.get_statistics().known == 1
    check_sums(pool, {first.tx_id: first})


def test_p24_full_share_of_one_ingress_validator_takes_no_room_from_another() -> None:
    pool = make_pool(transactions_max=40)
    for number in range(10):
        pool.add(make(number), ingress=0, now_ms=0)
    with pytest.raises(Refusal) as refusal:
        pool.add(make(10), ingress=0, now_ms=0)
    assert refusal.value.code == "pool_full"
    for ingress in (1, 2, 3):
        for number in range(10):
            pool.add(make(100 * ingress + number), ingress=ingress, now_ms=0)
    statistics = pool.get_statistics()
    assert statistics.by_ingress == (10, 10, 10, 10)
    assert statistics.refused_full == 1


def test_share_of_bytes_holds_at_its_exact_bound() -> None:
    size = len(make(1).raw)
    pool = make_pool(bytes_max=4 * (3 * size))
    for number in range(3):
        pool.add(make(number), ingress=0, now_ms=0)
    with pytest.raises(Refusal):
        pool.add(make(4), ingress=0, now_ms=0)
    tight = make_pool(bytes_max=4 * (3 * size) - 1)
    for number in range(2):
        tight.add(make(number), ingress=0, now_ms=0)
    with pytest.raises(Refusal):
        tight.add(make(2), ingress=0, now_ms=0)


def test_home_validator_grants_its_clients_less_than_others_grant_it() -> None:
    home, other = make_pool(transactions_max=40, home=2), make_pool(transactions_max=40, home=1)
    accepted = []
    with pytest.raises(Refusal):
        for number in range(100):
            transaction = make(number)
            home.add(transaction, ingress=2, now_ms=0)
            accepted.append(transaction)
    assert len(accepted) == 7
    for transaction in accepted:
        assert other.add(transaction, ingress=2, now_ms=0) is Admission.ADDED
    assert other.get_share(2)[0] == 10


def test_p24_quota_of_a_signer_is_counted_at_each_ingress_validator() -> None:
    pool = make_pool(signer_max=2)
    pool.add(make(1, signer=7), ingress=0, now_ms=0)
    second = make(2, signer=7)
    pool.add(second, ingress=0, now_ms=0)
    with pytest.raises(Refusal) as refusal:
        pool.add(make(3, signer=7), ingress=0, now_ms=0)
    assert refusal.value.code == "quota_exceeded"
    assert refusal.value.values["transactions_max"] == 2
    pool.add(make(4, signer=7), ingress=1, now_ms=0)
    pool.remove_committed([second.tx_id])
    assert pool.add(make(3, signer=7), ingress=0, now_ms=0) is Admission.ADDED
    assert pool.get_statistics().refused_quota == 1


def test_organisation_key_has_the_quota_of_an_organisation() -> None:
    key = make(0, signer=7).body.signer
    pool = make_pool(transactions_max=4_000, signer_max=1, organisations=(key,))
    for number in range(200):
        pool.add(make(number, signer=7), ingress=0, now_ms=0)
    with pytest.raises(Refusal):
        pool.add(make(200, signer=7), ingress=0, now_ms=0)
    pool.set_organisation_keys(())
    with pytest.raises(Refusal):
        pool.add(make(201, signer=7), ingress=0, now_ms=0)


def test_transaction_that_no_block_could_hold_is_refused() -> None:
    pool = make_pool(parameters=Parameters(block_items_max=3))
    assert pool.add(make(1, items=3), ingress=0, now_ms=0) is Admission.ADDED
    with pytest.raises(Refusal) as refusal:
        pool.add(make(2, items=4), ingress=0, now_ms=0)
    assert refusal.value.code == "too_large"


def test_what_comes_from_a_node_that_may_not_hand_in_is_refused() -> None:
    for ingress in (-1, 4):
        with pytest.raises(Refusal):
            make_pool().add(make(1), ingress=ingress, now_ms=0)


def test_selection_takes_turns_between_ingress_validators_and_keeps_their_order() -> None:
    pool = make_pool()
    by_ingress = {ingress: [make(10 * ingress + number) for number in range(3)] for ingress in range(3)}
    for ingress, transactions in by_ingress.items():
        for transaction in transactions:
            pool.add(transaction, ingress=ingress, now_ms=0)
    selected = pool.select(block_ms=NOW_MS, turn=0)
    expected = [by_ingress[ingress][number] for number in range(3) for ingress in range(3)]
    assert list(selected) == expected
    assert pool.select(block_ms=NOW_MS, turn=1)[0] is by_ingress[1][0]
    assert pool.select(block_ms=NOW_MS, turn=4) == selected


def test_selection_stops_at_the_limit_of_transactions() -> None:
    pool = make_pool(parameters=Parameters(block_transactions_max=5))
    for number in range(9):
        pool.add(make(number), ingress=number % 2, now_ms=0)
    assert len(pool.select(block_ms=NOW_MS, turn=0)) == 5


def test_selection_stops_at_the_limit_of_items_and_of_bytes() -> None:
    pool = make_pool(parameters=Parameters(block_items_max=10))
    pool.add(make(1, items=6), ingress=0, now_ms=0)
    pool.add(make(2, items=6), ingress=0, now_ms=0)
    pool.add(make(3), ingress=0, now_ms=0)
    pool.add(make(4, items=4), ingress=1, now_ms=0)
    selected = pool.select(block_ms=NOW_MS, turn=0)
    assert [transaction.body.nonce[-1] for transaction in selected] == [1, 4]
    small = make_pool(parameters=Parameters(block_bytes_max=65_536))
    for number in range(5):
        small.add(make(number, items=500), ingress=number % 4, now_ms=0)
    taken = small.select(block_ms=NOW_MS, turn=0)
    assert len(taken) == 65_536 // len(taken[0].raw) < 5


def test_batches_of_one_ingress_validator_do_not_crowd_out_the_others() -> None:
    pool = make_pool(transactions_max=8_000)
    for number in range(20):
        pool.add(make(number, items=500), ingress=0, now_ms=0)
    for number in range(1_500):
        pool.add(make(1_000 + number), ingress=1, now_ms=0)
    selected = pool.select(block_ms=NOW_MS, turn=0)
    singles = [transaction for transaction in selected if isinstance(transaction.body.call, MemberLeave)]
    assert len(singles) >= 1_200


def test_selection_leaves_out_what_the_block_time_does_not_allow() -> None:
    window_ms = PARAMETERS.validity_window_ms
    pool = make_pool()
    cases = {NOW_MS - 1: False, NOW_MS: True, NOW_MS + window_ms: True, NOW_MS + window_ms + 1: False}
    for number, valid_until_ms in enumerate(cases):
        pool.add(make(number, valid_until_ms=valid_until_ms), ingress=0, now_ms=number)
    chosen = [transaction.body.valid_until_ms for transaction in pool.select(block_ms=NOW_MS, turn=0)]
    assert chosen == [valid_until_ms for valid_until_ms, is_valid in cases.items() if is_valid]
    waiting = pool.get_oldest_includable(block_ms=NOW_MS, count_max=1)
    assert [item.transaction.body.valid_until_ms for item in waiting] == [NOW_MS]


def test_expiry_drops_exactly_what_no_later_block_may_hold() -> None:
    pool = make_pool()
    transactions = {ms: make(ms, valid_until_ms=ms) for ms in (5_000, 6_143, 6_144, 6_500, 6_501, 9_999)}
    for transaction in transactions.values():
        pool.add(transaction, ingress=0, now_ms=0)
    gone = pool.expire(6_500)
    assert sorted(item.transaction.body.valid_until_ms for item in gone) == [5_000, 6_143, 6_144, 6_500]
    assert pool.expire(6_500) == []
    assert [item.transaction.body.valid_until_ms for item in pool.expire(6_501)] == [6_501]
    assert pool.get_statistics().expired == 5
    check_sums(pool, {transactions[9_999].tx_id: transactions[9_999]})


def test_committed_transactions_leave_and_unknown_ids_are_ignored() -> None:
    pool, kept, gone = make_pool(), make(1), make(2)
    for transaction in (kept, gone):
        pool.add(transaction, ingress=1, now_ms=0)
    removed = pool.remove_committed([gone.tx_id, TxId(bytes(32)), gone.tx_id])
    assert [item.transaction for item in removed] == [gone]
    assert pool.get_statistics().committed == 1
    check_sums(pool, {kept.tx_id: kept})


def test_c21_evicted_transaction_does_not_come_in_again() -> None:
    pool, bad = make_pool(), make(1)
    pool.add(bad, ingress=0, now_ms=0)
    removed = pool.evict(bad.tx_id)
    assert removed is not None and removed.transaction is bad
    assert pool.evict(bad.tx_id) is None
    assert pool.get(bad.tx_id) is None
    with pytest.raises(Refusal) as refusal:
        pool.add(bad, ingress=0, now_ms=0)
    assert refusal.value.code == "fault"


def test_p23_memory_of_evicted_ids_is_bounded() -> None:
    pool, first = make_pool(), make(1)
    pool.evict(first.tx_id)
    for number in range(EVICTED_MAX):
        pool.evict(TxId(number.to_bytes(32, "big")))
    assert pool.add(first, ingress=0, now_ms=0) is Admission.ADDED


def test_pinned_body_survives_eviction_and_expiry_until_it_is_released() -> None:
    pool, evicted, expired, foreign = make_pool(), make(1), make(2, valid_until_ms=5), make(3)
    pool.add(evicted, ingress=0, now_ms=0)
    pool.add(expired, ingress=0, now_ms=0)
    pool.pin(Hash(bytes(32)), [evicted, expired, foreign])
    pool.evict(evicted.tx_id)
    pool.expire(5)
    assert len(pool) == 0
    assert pool.get(evicted.tx_id) is evicted
    assert pool.get(expired.tx_id) is expired
    assert pool.get(foreign.tx_id) is foreign
    assert pool.get_statistics().pinned == 3
    assert pool.select(block_ms=NOW_MS, turn=0) == ()
    pool.release_pins()
    assert pool.get(foreign.tx_id) is None


def test_p23_pinned_blocks_are_bounded_and_the_oldest_goes_first() -> None:
    pool = make_pool()
    for number in range(PINNED_BLOCKS_MAX + 1):
        pool.pin(sha256(bytes([number])), [make(number)])
    assert pool.get(make(0).tx_id) is None
    assert pool.get(make(1).tx_id) is not None


def test_oldest_transaction_is_the_first_that_still_waits() -> None:
    pool = make_pool()
    assert pool.get_oldest() is None
    transactions = [make(number) for number in range(3)]
    for place, transaction in enumerate(transactions):
        pool.add(transaction, ingress=2 - place, now_ms=place)
    pool.remove_committed([transactions[0].tx_id])
    oldest = pool.get_oldest()
    assert oldest is not None and oldest.transaction is transactions[1]


def test_change_of_the_validator_set_keeps_everything_and_its_order() -> None:
    pool = make_pool(transactions_max=40)
    transactions = [make(number) for number in range(12)]
    for number, transaction in enumerate(transactions):
        pool.add(transaction, ingress=number % 4, now_ms=number)
    pool.set_ingress(ingresses=(0, 1, 2, 5), home=0)
    assert pool.get_statistics().by_ingress == (3, 3, 3, 3, 0), "what came through validator 3 stays"
    with pytest.raises(Refusal):
        pool.add(make(40), ingress=3, now_ms=40)
    pool.add(make(41), ingress=5, now_ms=41)
    pool.remove_committed([make(41).tx_id])
    oldest = pool.get_oldest()
    assert oldest is not None and oldest.transaction is transactions[0]
    check_sums(pool, {transaction.tx_id: transaction for transaction in transactions})
    pool.remove_committed(transaction.tx_id for transaction in transactions)
    check_sums(pool, {})
    pool.set_ingress(ingresses=(0, 1, 2, 5), home=0)
    assert pool.get_statistics().by_ingress == (0, 0, 0, 0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "commit", "evict", "expire"]),
            st.integers(0, 40),
            st.integers(0, 3),
            st.integers(0, 5),
        ),
        max_size=120,
    )
)
def test_pool_agrees_with_a_plain_model(steps: list[tuple[str, int, int, int]]) -> None:
    pool = make_pool(transactions_max=32, signer_max=5)
    model: dict[TxId, tuple[Transaction, int]] = {}
    evicted: set[TxId] = set()
    for action, number, ingress, seconds in steps:
        transaction = make(number, signer=number % 6, valid_until_ms=1_000 + 700 * (number % 9))
        tx_id = transaction.tx_id
        match action:
            case "add":
                mine = [item for item, place in model.values() if place == ingress]
                same = [item for item in mine if item.body.signer == transaction.body.signer]
                is_refused = tx_id not in model and (tx_id in evicted or len(mine) >= 8 or len(same) >= 5)
                if is_refused:
                    with pytest.raises(Refusal):
                        pool.add(transaction, ingress=ingress, now_ms=0)
                else:
                    admission = pool.add(transaction, ingress=ingress, now_ms=0)
                    assert (admission is Admission.KNOWN) == (tx_id in model)
                    model.setdefault(tx_id, (transaction, ingress))
            case "commit":
                assert bool(pool.remove_committed([tx_id])) == (model.pop(tx_id, None) is not None)
            case "evict":
                evicted.add(tx_id)
                assert (pool.evict(tx_id) is None) == (model.pop(tx_id, None) is None)
            case _:
                gone = {item.transaction.tx_id for item in pool.expire(1_000 * seconds)}
                due = {key for key, (item, _) in model.items() if item.body.valid_until_ms <= 1_000 * seconds}
                assert gone == due
                model = {key: value for key, value in model.items() if key not in due}
        check_sums(pool, {key: item for key, (item, _) in model.items()})
        oldest = pool.get_oldest()
        assert (oldest.transaction.tx_id if oldest else None) == next(iter(model), None)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.sampled_from([-1, 0, 5, 5_000])), max_size=60),
    st.integers(1, 12),
    st.integers(40, 60),
    st.integers(0, 7),
)
def test_selection_keeps_limits_and_the_order_of_each_ingress_validator(
    arrivals: list[tuple[int, int, int]], transactions_max: int, items_max: int, turn: int
) -> None:
    parameters = Parameters(
        block_transactions_max=transactions_max, block_items_max=items_max, validity_window_ms=60_000
    )
    pool = make_pool(parameters=parameters)
    queues: list[list[Transaction]] = [[], [], [], []]
    for number, (ingress, items, ahead_ms) in enumerate(arrivals):
        transaction = make(number, items=items, valid_until_ms=NOW_MS + ahead_ms)
        pool.add(transaction, ingress=ingress, now_ms=0)
        if ahead_ms >= 0:
            queues[ingress].append(transaction)
    selected = pool.select(block_ms=NOW_MS, turn=turn)
    chosen = {transaction.tx_id for transaction in selected}
    assert len(chosen) == len(selected) <= transactions_max
    used = sum(count_items(transaction.body.call) for transaction in selected)
    assert used <= items_max
    for queue in queues:
        order = [transaction for transaction in selected if transaction in queue]
        assert order == queue[: len(order)]
        # What is left out did not fit: nobody is passed over for nothing.
        if len(order) < len(queue) and len(selected) < transactions_max:
            assert used + count_items(queue[len(order)].body.call) > items_max
    assert pool.select(block_ms=NOW_MS, turn=turn) == selected


def test_p23_signers_that_left_are_forgotten() -> None:
    pool = make_pool()
    transactions = [make(number) for number in range(50)]
    for transaction in transactions:
        pool.add(transaction, ingress=0, now_ms=0)
    pool.remove_committed(transaction.tx_id for transaction in transactions)
    assert pool._shares[0].by_signer == {}


def test_expiry_index_does_not_grow_with_committed_transactions() -> None:
    pool = make_pool()
    for number in range(1_000):
        transaction = make(number, valid_until_ms=1_024 * number)
        pool.add(transaction, ingress=0, now_ms=0)
        pool.remove_committed([transaction.tx_id])
        assert len(pool._bucket_keys) <= 66


@pytest.mark.parametrize(("ingress", "signer", "code"), [(0, 9, "pool_full"), (1, 7, "quota_exceeded"), (1, 9, None)])
def test_room_can_be_asked_for_before_a_signature_is_verified(ingress: int, signer: int, code: str | None) -> None:
    pool = make_pool(transactions_max=8, signer_max=1)
    pool.add(make(1, signer=7), ingress=1, now_ms=0)
    for number in (2, 3):
        pool.add(make(number), ingress=0, now_ms=0)
    asked = make(4, signer=signer)
    if code is None:
        pool.check_room(asked, ingress=ingress)
        assert asked.tx_id not in pool
        return
    with pytest.raises(Refusal) as refusal:
        pool.check_room(asked, ingress=ingress)
    assert refusal.value.code == code
