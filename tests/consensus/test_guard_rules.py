import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chain.certificate import Certificate, VoteBody, hash_certificate
from chain.crypto import SigningKey, sha256
from chain.types import ChainId, Hash, Height
from consensus.guard_rules import (
    GuardRefusal,
    GuardState,
    build_floor,
    build_guard,
    check_sign,
    compute_digest,
    get_position,
    record_signed,
)
from consensus.messages import (
    UNSIGNED,
    Commit,
    Kind,
    OwnMessage,
    Prepare,
    Prepared,
    Proposal,
    ViewChange,
    ViewChangeBody,
    attach_signature,
    get_signed_bytes,
    hash_prepared,
)
from tests.consensus import samples

CHAIN = ChainId(sha256(b"chain"))
KEY = SigningKey(sha256(b"key"))
X = Hash(sha256(b"x"))
Y = Hash(sha256(b"y"))


def prepare(height: int, view: int, block: Hash = X) -> Prepare:
    return Prepare(body=vote_body(height, view, block), signer=0, signature=UNSIGNED)


def commit(height: int, view: int, block: Hash = X) -> Commit:
    return Commit(body=vote_body(height, view, block), signer=0, signature=UNSIGNED)


def vote_body(height: int, view: int, block: Hash) -> VoteBody:
    return VoteBody(version=1, height=height, view=view, block_hash=block)


def prepared_at(height: int, view: int, block: Hash = X) -> Prepared:
    return Prepared(height=height, view=view, block_hash=block, votes=())


def view_change(height: int, view: int, prepared: Prepared | None = None) -> ViewChange:
    certificate = Certificate(height=height - 1, view=0, block_hash=X, votes=())
    body = ViewChangeBody(
        version=1,
        height=height,
        view=view,
        certificate_hash=hash_certificate(certificate),
        prepared_hash=hash_prepared(prepared),
    )
    return ViewChange(body=body, signer=0, signature=UNSIGNED, certificate=certificate, prepared=prepared)


def sign_all(*messages: OwnMessage, guard: GuardState | None = None) -> GuardState:
    """Let a guard sign one message after the other; every one must be allowed."""
    guard = build_guard(key=KEY.public_key, chain_id=CHAIN) if guard is None else guard
    for message in messages:
        assert check_sign(guard, message) is None
        signature = KEY.sign(get_signed_bytes(message, CHAIN))
        guard = record_signed(guard, attach_signature(message, signature))
    return guard


def test_new_guard_signs_from_height_one() -> None:
    sign_all(prepare(1, 0), commit(1, 0), prepare(2, 0))


def test_same_message_again_gets_the_stored_signature() -> None:
    guard = sign_all(prepare(3, 2))
    assert check_sign(guard, prepare(3, 2)) == KEY.sign(get_signed_bytes(prepare(3, 2), CHAIN))


def test_other_message_at_the_mark_is_refused() -> None:
    guard = sign_all(prepare(3, 2))
    with pytest.raises(GuardRefusal, match="not above the mark"):
        check_sign(guard, prepare(3, 2, Y))


@pytest.mark.parametrize("message", [prepare(2, 2), view_change(2, 3), prepare(2, 9)])
def test_height_below_the_mark_is_refused(message: OwnMessage) -> None:
    guard = sign_all(prepare(3, 2))
    with pytest.raises(GuardRefusal, match=r"height \d is below"):
        check_sign(guard, message)


@pytest.mark.parametrize("message", [prepare(3, 1), prepare(4, 1), view_change(9, 0)])
def test_view_below_the_mark_is_refused_at_any_height(message: OwnMessage) -> None:
    guard = sign_all(prepare(3, 2))
    with pytest.raises(GuardRefusal, match=r"view \d is below"):
        check_sign(guard, message)


def test_lower_step_of_the_same_view_is_refused() -> None:
    guard = sign_all(prepare(3, 2))
    with pytest.raises(GuardRefusal, match="not above the mark"):
        check_sign(guard, view_change(3, 2))


def test_c15_positions_right_above_the_mark_are_allowed_and_right_below_are_not() -> None:
    guard = sign_all(prepare(3, 2))
    assert check_sign(guard, commit(3, 2)) is None
    assert check_sign(guard, view_change(3, 3)) is None
    assert check_sign(guard, view_change(4, 2)) is None
    proposal = samples.build_messages()[Kind.PROPOSAL]
    assert isinstance(proposal, Proposal)
    below = replace(proposal, body=vote_body(3, 2, X))
    with pytest.raises(GuardRefusal):
        check_sign(guard, below)


def test_commit_without_prepare_is_refused() -> None:
    with pytest.raises(GuardRefusal, match="COMMIT without PREPARE"):
        check_sign(sign_all(), commit(1, 0))


def test_commit_of_another_block_than_prepared_is_refused() -> None:
    guard = sign_all(prepare(3, 2, X))
    with pytest.raises(GuardRefusal, match="COMMIT without PREPARE"):
        check_sign(guard, commit(3, 2, Y))


def test_commit_in_another_view_than_prepared_is_refused() -> None:
    guard = sign_all(prepare(3, 2))
    with pytest.raises(GuardRefusal, match="COMMIT without PREPARE"):
        check_sign(guard, commit(3, 3))


def test_view_change_that_hides_the_prepared_certificate_is_refused() -> None:
    guard = sign_all(prepare(3, 2), commit(3, 2))
    with pytest.raises(GuardRefusal, match="hides"):
        check_sign(guard, view_change(3, 3))


def test_view_change_with_an_older_prepared_certificate_is_refused() -> None:
    guard = sign_all(prepare(3, 2), commit(3, 2))
    with pytest.raises(GuardRefusal, match="hides"):
        check_sign(guard, view_change(3, 3, prepared_at(3, 1)))


def test_view_change_with_a_prepared_certificate_of_another_block_is_refused() -> None:
    guard = sign_all(prepare(3, 2), commit(3, 2))
    with pytest.raises(GuardRefusal, match="another block"):
        check_sign(guard, view_change(3, 3, prepared_at(3, 2, Y)))


def test_view_change_with_a_certificate_that_it_does_not_sign_is_refused() -> None:
    guard = sign_all(prepare(3, 2), commit(3, 2))
    honest = view_change(3, 3)
    with pytest.raises(GuardRefusal, match="not the one it signs"):
        check_sign(guard, replace(honest, prepared=prepared_at(3, 2)))


def test_view_change_with_the_prepared_certificate_is_signed() -> None:
    guard = sign_all(prepare(3, 2), commit(3, 2))
    assert check_sign(guard, view_change(3, 3, prepared_at(3, 2))) is None


def test_view_change_of_the_next_height_carries_nothing() -> None:
    guard = sign_all(prepare(3, 2), commit(3, 2))
    assert check_sign(guard, view_change(4, 3)) is None


def test_last_commit_outlives_later_view_changes() -> None:
    bound = view_change(3, 3, prepared_at(3, 2))
    guard = sign_all(prepare(3, 2), commit(3, 2), bound)
    with pytest.raises(GuardRefusal, match="hides"):
        check_sign(guard, view_change(3, 4))


def test_floor_of_a_quarantine_refuses_lower_heights() -> None:
    guard = build_floor(key=KEY.public_key, chain_id=CHAIN, height=Height(10))
    with pytest.raises(GuardRefusal, match="floor"):
        check_sign(guard, prepare(9, 0))
    assert check_sign(guard, prepare(10, 0)) is None


def test_digest_depends_on_the_chain() -> None:
    assert compute_digest(prepare(1, 0), CHAIN) != compute_digest(prepare(1, 0), samples.CHAIN_ID)


MESSAGES = st.builds(
    lambda kind, height, view, block: (prepare if kind else commit)(height, view, block),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from([X, Y]),
)


@given(st.lists(MESSAGES, max_size=30))
def test_guard_never_signs_twice_at_a_position_nor_goes_back(messages: list[OwnMessage]) -> None:
    guard = build_guard(key=KEY.public_key, chain_id=CHAIN)
    signed: dict[tuple[int, int, int], Hash] = {}
    newest = (0, 0, 0)
    for message in messages:
        try:
            stored = check_sign(guard, message)
        except GuardRefusal:
            continue
        position = get_position(message)
        assert signed.setdefault(position, compute_digest(message, CHAIN)) == compute_digest(message, CHAIN)
        if stored is None:
            assert position > newest
            assert position[1] >= newest[1]
            newest = position
            guard = record_signed(guard, attach_signature(message, KEY.sign(b"any")))
