"""Admission: each reason to refuse, with its values, and in the order of what it costs."""

import pytest
from msgspec.structs import replace

from chain.contract.member_calls import MemberApply, MemberLeave
from chain.errors import Refusal
from chain.genesis import Parameters
from chain.transaction import TRANSACTION_VERSION, Transaction, build_transaction
from chain.types import ChainId
from node.admission import validate_admission
from tests.chain.fixtures import make_key

CHAIN = ChainId(b"c" * 32)
H = bytes(32)
HEAD_MS = 1_000_000
PARAMETERS = Parameters()
WINDOW_MS = PARAMETERS.validity_window_ms


def make_leave(valid_until_ms: int = HEAD_MS + 1, chain_id: bytes = CHAIN) -> Transaction:
    return build_transaction(
        chain_id=chain_id,
        nonce=bytes(16),
        valid_until_ms=valid_until_ms,
        call=MemberLeave(member=H),
        key=make_key("member"),
    )


def make_join() -> Transaction:
    call = MemberApply(
        plan="demo",
        pool=0,
        weight=1,
        rules_hash=H,
        field_commitments_root=H,
        blob_hash=H,
        consent_hash=H,
        recovery_hash=H,
        guardian=None,
    )
    return build_transaction(
        chain_id=CHAIN, nonce=bytes(16), valid_until_ms=HEAD_MS + 1, call=call, key=make_key("member")
    )


def get_code(transaction: Transaction, *, block_ms: int = HEAD_MS, is_blob_here: bool | None = True) -> str:
    """Return why a transaction is refused, "" where it is not."""
    try:
        validate_admission(
            transaction,
            chain_id=CHAIN,
            parameters=PARAMETERS,
            block_ms=block_ms,
            head_ms=HEAD_MS,
            has_blob=None if is_blob_here is None else lambda _: bool(is_blob_here),
        )
    except Refusal as refusal:
        return refusal.code
    return ""


def test_good_transaction_is_admitted() -> None:
    assert get_code(make_leave()) == ""


@pytest.mark.parametrize("version", [0, TRANSACTION_VERSION + 1])
def test_transaction_of_another_format_is_refused_before_anything_else_of_it_is_read(version: int) -> None:
    good = make_leave(chain_id=b"d" * 32)
    other = Transaction(body=replace(good.body, version=version), body_bytes=good.body_bytes, signature=good.signature)
    assert get_code(other) == "version_unknown"


def test_l17_transaction_for_another_chain_is_refused() -> None:
    assert get_code(make_leave(chain_id=b"d" * 32)) == "wrong_chain"


@pytest.mark.parametrize(
    ("valid_until_ms", "code"),
    [
        (HEAD_MS, "expired"),
        (HEAD_MS + 1, ""),
        (HEAD_MS + WINDOW_MS, ""),
        (HEAD_MS + WINDOW_MS + 1, "validity_too_distant"),
    ],
)
def test_c15_bounds_of_the_validity(valid_until_ms: int, code: str) -> None:
    assert get_code(make_leave(valid_until_ms)) == code


def test_clock_behind_the_chain_refuses_nothing_that_a_block_could_hold() -> None:
    assert get_code(make_leave(HEAD_MS + WINDOW_MS), block_ms=0) == ""


def test_clock_ahead_of_the_chain_counts_for_the_end_of_the_validity() -> None:
    """A chain that stood still for a day takes transactions of today."""
    day_ms = 86_400_000
    assert get_code(make_leave(HEAD_MS + day_ms + WINDOW_MS), block_ms=HEAD_MS + day_ms) == ""


def test_client_must_have_put_the_blob_and_a_peers_may_follow() -> None:
    assert get_code(make_join(), is_blob_here=False) == "blob_missing"
    assert get_code(make_join(), is_blob_here=True) == ""
    assert get_code(make_join(), is_blob_here=None) == ""


def test_changed_signature_is_refused() -> None:
    good = make_leave()
    bad = Transaction(body=good.body, body_bytes=good.body_bytes, signature=bytes(64))
    assert get_code(bad) == "bad_signature"


def test_signature_is_checked_last_as_it_costs_most(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Transaction) -> bool:
        raise AssertionError("checked in vain")

    monkeypatch.setattr(Transaction, "is_signature_valid", fail)
    assert get_code(make_leave(HEAD_MS)) == "expired"
    assert get_code(make_join(), is_blob_here=False) == "blob_missing"
