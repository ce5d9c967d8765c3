"""The request timer: who is complained about, when, and who is not."""

from chain.contract.member_calls import MemberLeave
from chain.mempool import Waiting
from chain.transaction import build_transaction
from node.request_watch import IDS_MAX, RequestWatch
from tests.chain.fixtures import make_key

H = bytes(32)


def make_waiting(number: int, added_ms: int) -> Waiting:
    transaction = build_transaction(
        chain_id=H,
        nonce=number.to_bytes(16, "big"),
        valid_until_ms=10**9,
        call=MemberLeave(member=H),
        key=make_key("member"),
    )
    return Waiting(transaction, 0, added_ms, 1)


def make_watch() -> RequestWatch:
    watch = RequestWatch(request_timeout_ms=4_000)
    watch.on_leader(2, now_ms=0)
    return watch


def test_p17_leader_that_leaves_a_transaction_out_for_the_whole_time_is_overdue() -> None:
    waiting = [make_waiting(1, added_ms=0), make_waiting(2, added_ms=1)]
    found = make_watch().find_overdue(waiting, proposer=2, has_room=True, now_ms=4_000)
    assert found == (bytes(waiting[0].transaction.tx_id),)


def test_c15_one_millisecond_earlier_it_is_not() -> None:
    assert make_watch().find_overdue([make_waiting(1, 0)], proposer=2, has_room=True, now_ms=3_999) == ()


def test_full_block_is_no_complaint() -> None:
    assert make_watch().find_overdue([make_waiting(1, 0)], proposer=2, has_room=False, now_ms=9_999) == ()


def test_block_of_another_proposer_says_nothing_about_the_leader() -> None:
    assert make_watch().find_overdue([make_waiting(1, 0)], proposer=1, has_room=True, now_ms=9_999) == ()


def test_new_leader_gets_the_whole_time_and_the_old_one_is_not_forgiven_by_staying() -> None:
    watch = make_watch()
    waiting = [make_waiting(1, 0)]
    watch.on_leader(2, now_ms=3_000)
    assert watch.find_overdue(waiting, proposer=2, has_room=True, now_ms=4_000) != ()
    watch.on_leader(3, now_ms=4_000)
    assert watch.find_overdue(waiting, proposer=3, has_room=True, now_ms=7_999) == ()
    assert watch.find_overdue(waiting, proposer=3, has_room=True, now_ms=8_000) != ()


def test_complaint_names_a_bounded_number_of_transactions() -> None:
    waiting = [make_waiting(number, 0) for number in range(IDS_MAX + 10)]
    assert len(make_watch().find_overdue(waiting, proposer=2, has_room=True, now_ms=5_000)) == IDS_MAX
