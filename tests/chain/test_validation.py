"""When a block is valid (consensus 4): each line, accepting and refusing."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from chain.block import Header
from chain.certificate import Certificate, genesis_certificate
from chain.codec import encode
from chain.crypto import sha256, signing_bytes
from chain.errors import InvalidBlock, StoreError
from chain.execution import Draft, Executed, ExecutionFailed, execute_block
from chain.genesis import Parameters
from chain.ledger import Ledger
from chain.store import Store
from chain.transaction import Transaction, decode_transaction
from chain.types import ChainId, TxId
from chain.validation import BlobMissing, Freshness, HeldUntil, validate_block
from tests.chain.fixtures import GENESIS_MS, make_genesis, make_key, make_link
from tests.chain.test_ledger import CHAIN, H, build_join, certify, execute, grow

WEEK_MS = 7 * 86_400_000


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(Store(tmp_path / "db", CHAIN), make_genesis())
    grow(ledger, 1)
    return ledger


def validate(
    ledger: Ledger,
    executed: Executed,
    *,
    header: Header | None = None,
    certificate: Certificate | None = None,
    transactions: tuple[Transaction, ...] | None = None,
    wall_ms: int | None = None,
    has_blob: Callable[[bytes], bool] = lambda blob_hash: True,
    parameters: Parameters | None = None,
) -> Executed:
    return validate_block(
        ledger,
        header=header or executed.header,
        parent_certificate=certificate or executed.parent_certificate,
        transactions=executed.transactions if transactions is None else transactions,
        parameters=parameters or Parameters(),
        clock=(),
        has_run=ledger.has_run,
        freshness=None if wall_ms is None else Freshness(wall_ms=wall_ms, has_blob=has_blob),
    )


def at(ledger: Ledger, timestamp_ms: int, *transactions: Transaction) -> Executed:
    draft = Draft(
        timestamp_ms=timestamp_ms,
        proposer=make_genesis().validators[0].key,
        reveal=make_link("platform", ledger.height + 1),
        parent_certificate=ledger.certificate,
        transactions=transactions,
    )
    return execute_block(ledger, draft)


def test_a_block_as_its_proposer_built_it_is_valid(ledger: Ledger) -> None:
    executed = execute(ledger, build_join(100))
    assert validate(ledger, executed).header == executed.header
    assert validate(ledger, executed, wall_ms=executed.header.timestamp_ms).header == executed.header


@pytest.mark.parametrize(
    "field", [name for name in Header.__struct_fields__ if name not in {"version", "height", "timestamp_ms"}]
)
def test_c20_any_changed_field_of_a_header_makes_it_invalid(ledger: Ledger, field: str) -> None:
    executed = execute(ledger, build_join(100))
    value = 7 if field == "log_size" else H
    with pytest.raises(InvalidBlock):
        validate(ledger, executed, header=msgspec.structs.replace(executed.header, **{field: value}))


@pytest.mark.parametrize(("field", "value"), [("version", 2), ("height", 1), ("height", 3)])
def test_another_version_or_height_is_invalid(ledger: Ledger, field: str, value: int) -> None:
    executed = execute(ledger, build_join(100))
    with pytest.raises(InvalidBlock):
        validate(ledger, executed, header=msgspec.structs.replace(executed.header, **{field: value}))


def test_a_certificate_that_is_not_the_one_in_the_header_is_invalid(ledger: Ledger) -> None:
    executed = execute(ledger, build_join(100))
    other = msgspec.structs.replace(ledger.certificate, view=1)
    with pytest.raises(InvalidBlock, match="not the one in the header"):
        validate(ledger, executed, certificate=other)
    with pytest.raises(InvalidBlock, match="not for the head"):
        validate(ledger, executed, certificate=genesis_certificate(ledger.genesis_hash))


def test_p26_block_time_rises_and_by_seven_days_at_most(ledger: Ledger) -> None:
    head_ms = ledger.header.timestamp_ms
    for timestamp_ms in (head_ms, head_ms - 1, head_ms + WEEK_MS + 1):
        with pytest.raises(InvalidBlock, match="must rise"):
            validate(ledger, at(ledger, timestamp_ms))
    validate(ledger, at(ledger, head_ms + WEEK_MS))


def test_a_fresh_proposal_from_the_future_is_held_and_one_from_the_past_invalid(ledger: Ledger) -> None:
    executed = execute(ledger, build_join(100))
    now = executed.header.timestamp_ms
    validate(ledger, executed, wall_ms=now - 1_000)
    with pytest.raises(HeldUntil) as held:
        validate(ledger, executed, wall_ms=now - 1_001)
    assert held.value.wall_ms == now - 1_000
    validate(ledger, executed, wall_ms=now + 10_000)
    with pytest.raises(InvalidBlock, match="too old"):
        validate(ledger, executed, wall_ms=now + 10_001)


def test_p19_a_carried_or_synced_block_may_be_as_old_as_it_is(ledger: Ledger) -> None:
    executed = execute(ledger, build_join(100))
    validate(ledger, executed, wall_ms=None)


def test_after_a_long_stop_a_fresh_block_may_lag_if_it_advances_by_the_most_allowed(ledger: Ledger) -> None:
    executed = at(ledger, ledger.header.timestamp_ms + WEEK_MS)
    validate(ledger, executed, wall_ms=executed.header.timestamp_ms + 10 * WEEK_MS)


def test_p18_an_empty_block_waits_for_the_idle_interval(ledger: Ledger) -> None:
    idle_ms = Parameters().idle_interval_ms
    validate(ledger, at(ledger, ledger.header.timestamp_ms + idle_ms))
    with pytest.raises(InvalidBlock, match="idle"):
        validate(ledger, at(ledger, ledger.header.timestamp_ms + idle_ms - 1))


def test_l16_no_transaction_runs_twice_in_a_block_or_on_a_chain(ledger: Ledger) -> None:
    once = execute(ledger, build_join(100))
    twice = msgspec.structs.replace(once, transactions=once.transactions * 2)
    with pytest.raises(InvalidBlock, match="twice"):
        validate(ledger, twice)
    with pytest.raises(InvalidBlock, match="twice"):
        validate(ledger, execute(ledger, build_join(0)))


def test_r2_a_transaction_outside_its_validity_makes_a_block_invalid(ledger: Ledger) -> None:
    transaction = build_join(100)
    valid_until_ms = transaction.body.valid_until_ms
    window_ms = Parameters().validity_window_ms
    validate(ledger, at(ledger, valid_until_ms, transaction))
    with pytest.raises(InvalidBlock, match="validity"):
        validate(ledger, at(ledger, valid_until_ms + 1, transaction))
    late = msgspec.structs.replace(Parameters(), validity_window_ms=60_000)
    with pytest.raises(InvalidBlock, match="validity"):
        validate(ledger, execute(ledger, transaction), parameters=late)
    assert window_ms > valid_until_ms - GENESIS_MS


def test_a_wrong_signature_makes_a_block_invalid(ledger: Ledger) -> None:
    good = build_join(100)
    bad = Transaction(body=good.body, body_bytes=good.body_bytes, signature=bytes(64))
    with pytest.raises(InvalidBlock, match="signature"):
        validate(ledger, execute(ledger, bad))


@pytest.mark.parametrize(
    ("field", "value", "reason"), [("version", 2, "format"), ("chain_id", sha256(b"another chain"), "another chain")]
)
def test_l1_what_no_pool_lets_in_makes_a_block_invalid(
    ledger: Ledger, field: str, value: int | bytes, reason: str
) -> None:
    body = msgspec.structs.replace(build_join(100).body, **{field: value})
    body_bytes = encode(body)
    message = signing_bytes(kind="transaction", chain_id=ChainId(body.chain_id), body=body_bytes)
    signed = Transaction(body=body, body_bytes=body_bytes, signature=make_key("member 100").sign(message))
    assert decode_transaction(signed.raw).is_signature_valid()
    with pytest.raises(InvalidBlock, match=reason):
        validate(ledger, execute(ledger, signed))


def test_c33_a_block_beyond_a_limit_of_genesis_is_invalid(ledger: Ledger) -> None:
    executed = execute(ledger, build_join(100), build_join(101))
    for limit, value in (("block_transactions_max", 1), ("block_items_max", 1), ("block_bytes_max", 500)):
        parameters = msgspec.structs.replace(Parameters(), **{limit: value})
        with pytest.raises(InvalidBlock, match="too many"):
            validate(ledger, executed, parameters=parameters)


def test_a_fresh_block_needs_its_blobs_here_and_a_carried_one_does_not(ledger: Ledger) -> None:
    executed = execute(ledger, build_join(100))
    with pytest.raises(BlobMissing):
        validate(ledger, executed, wall_ms=executed.header.timestamp_ms, has_blob=lambda blob_hash: False)
    validate(ledger, executed)


def test_a_reveal_that_is_not_the_next_link_is_invalid(ledger: Ledger) -> None:
    draft = Draft(
        timestamp_ms=ledger.header.timestamp_ms + 250,
        proposer=make_genesis().validators[0].key,
        reveal=make_link("platform", 5),
        parent_certificate=ledger.certificate,
        transactions=(build_join(100),),
    )
    with pytest.raises(InvalidBlock):
        execute_block(ledger, draft)


def test_c21_an_exception_in_a_transaction_names_it_and_leaves_no_trace(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = build_join(100)

    def explode(*args: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    head = ledger.head_hash
    with monkeypatch.context() as patched:
        patched.setattr("chain.execution.execute_call", explode)
        with pytest.raises(ExecutionFailed) as failed:
            execute(ledger, poison)
    assert failed.value.tx_id == TxId(poison.tx_id)
    assert ledger.head_hash == head
    executed = execute(ledger, poison)
    ledger.commit(executed, certify(executed))


def test_a_failing_disk_is_never_taken_for_a_faulty_transaction(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise StoreError("reading failed")

    monkeypatch.setattr("chain.execution.execute_call", fail)
    with pytest.raises(StoreError):
        execute(ledger, build_join(100))
