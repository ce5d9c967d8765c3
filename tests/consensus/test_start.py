from chain.crypto import SigningKey, sha256
from chain.types import ChainId, Height
from consensus.guard_rules import GuardState, build_floor, build_guard, record_signed
from consensus.messages import OwnMessage, attach_signature, get_signed_bytes
from consensus.start import Quarantine, Resume, compute_start
from tests.consensus.test_guard_rules import CHAIN, KEY, X, Y, commit, prepare, sign_all, view_change


def sign(message: OwnMessage) -> OwnMessage:
    return attach_signature(message, KEY.sign(get_signed_bytes(message, CHAIN)))


JOURNAL = (sign(prepare(3, 2)), sign(commit(3, 2)))
GUARD = sign_all(prepare(3, 2), commit(3, 2))


def start(
    *, guard: GuardState | None = GUARD, own: tuple[OwnMessage, ...] = JOURNAL, head: int = 2, broken: bool = False
) -> Resume | Quarantine:
    return compute_start(
        key=KEY.public_key,
        chain_id=CHAIN,
        head_height=head,
        guard=guard,
        own=own,
        is_journal_broken=broken,
    )


def reason_of(decision: Resume | Quarantine) -> str:
    assert isinstance(decision, Quarantine)
    return decision.reason


def test_guard_and_journal_that_agree_resume() -> None:
    assert start() == Resume(GUARD)


def test_new_guard_and_empty_journal_resume() -> None:
    fresh = build_guard(key=KEY.public_key, chain_id=CHAIN)
    assert start(guard=fresh, own=(), head=0) == Resume(fresh)


def test_missing_guard_is_quarantine_even_with_an_empty_journal() -> None:
    assert "missing" in reason_of(start(guard=None))
    assert "missing" in reason_of(start(guard=None, own=(), head=0))


def test_guard_of_another_key_is_quarantine() -> None:
    other = build_guard(key=SigningKey(sha256(b"other")).public_key, chain_id=CHAIN)
    assert "another key" in reason_of(start(guard=other))


def test_guard_of_another_chain_is_quarantine() -> None:
    other = build_guard(key=KEY.public_key, chain_id=ChainId(sha256(b"other")))
    assert "another chain" in reason_of(start(guard=other))


def test_guard_ahead_of_the_journal_is_quarantine() -> None:
    assert "ahead of the journal" in reason_of(start(own=JOURNAL[:1]))
    assert "ahead of the journal" in reason_of(start(own=()))


def test_c37_empty_disk_with_the_key_of_yesterday_is_quarantine() -> None:
    assert isinstance(start(own=(), head=0), Quarantine)


def test_s7_guard_ahead_of_a_lost_database_is_quarantine_though_the_journal_is_whole() -> None:
    assert "ahead of the database" in reason_of(start(head=1))
    assert "ahead of the database" in reason_of(start(head=0))


def test_mark_at_or_below_the_head_needs_no_record() -> None:
    assert start(own=(), head=3) == Resume(GUARD)
    assert isinstance(start(own=(), head=2), Quarantine)


def test_broken_journal_is_quarantine() -> None:
    assert "broken" in reason_of(start(broken=True))


def test_journal_ahead_of_the_guard_counts_as_signed() -> None:
    """The crash came between the two writes, so nothing was sent; the vote stands all the same."""
    behind = sign_all(prepare(3, 2))
    assert start(guard=behind) == Resume(GUARD)


def test_journal_that_contradicts_the_guard_is_quarantine() -> None:
    strange = (*JOURNAL, sign(view_change(3, 3)))
    assert "contradicts" in reason_of(start(own=strange))


def test_record_of_another_message_at_the_mark_is_quarantine() -> None:
    own = (sign(prepare(3, 2, Y)),)
    assert "ahead" in reason_of(start(guard=sign_all(prepare(3, 2, X)), own=own))


def test_guard_after_a_quarantine_resumes() -> None:
    guard = build_floor(key=KEY.public_key, chain_id=CHAIN, height=Height(9))
    assert start(guard=guard, own=(), head=8) == Resume(guard)
    signed = record_signed(guard, sign(prepare(9, 0)))
    assert start(guard=signed, own=(sign(prepare(9, 0)),), head=8) == Resume(signed)


def test_floor_of_a_quarantine_above_the_database_is_quarantine_again() -> None:
    """The database is an old one: what this guard would refuse must not be asked for, nor votes be lost twice."""
    guard = build_floor(key=KEY.public_key, chain_id=CHAIN, height=Height(9))
    assert "database" in reason_of(start(guard=guard, own=(), head=7))
    assert start(guard=guard, own=(), head=8) == Resume(guard)
