"""Bad input at a real node: a typed problem, and nothing changes."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from chain.contract.money_calls import DepositCredit, DepositCreditItem
from chain.crypto import SigningKey, signing_bytes
from chain.transaction import Transaction, build_transaction, join_transaction
from chain.types import ChainId
from node.client import Client
from node.demo.answers import read_int, read_list, read_money, read_object
from tests.e2e.network import (
    ACCOUNT,
    PLAN,
    START_MS,
    WINDOW_MS,
    Network,
    build_application_call,
    wait_for,
)

pytestmark = pytest.mark.e2e

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
OCTETS = {"content-type": "application/octet-stream"}
STRANGER = SigningKey(b"\x55" * 32)
DAY = (START_MS + 480 * 60_000) // 86_400_000


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(tmp_path_factory.mktemp("bad-input") / "net") as started:
        started.start()
        started.put_blob()
        yield started


@pytest.fixture
def client(network: Network) -> Iterator[Client]:
    with network.open_client(0) as opened:
        yield opened


def post(network: Network, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    url = f"{network.processes.urls[0]}/v1/transactions"
    return httpx.post(url, content=body, headers=headers or OCTETS, timeout=20, trust_env=False)


def sign_call(
    network: Network, call: object, *, chain_id: bytes | None = None, valid_until_ms: int | None = None
) -> bytes:
    """Sign a body that our own classes would refuse to build."""
    body = [
        1,
        network.devnet.chain_id if chain_id is None else chain_id,
        b"\x09" * 16,
        network.get_valid_until_ms() if valid_until_ms is None else valid_until_ms,
        STRANGER.public_key,
        call,
    ]
    body_bytes = msgspec.msgpack.encode(body)
    message = signing_bytes(kind="transaction", chain_id=ChainId(network.devnet.chain_id), body=body_bytes)
    return join_transaction(body_bytes=body_bytes, signature=STRANGER.sign(message))


def build_credit(network: Network, amount: object, *, reference: bytes = b"\x01" * 32) -> list[object]:
    return ["deposit_credit", ACCOUNT, [[reference, amount, DAY, DAY, b"\x02" * 32, None]]]


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Return (body bytes, signature)."""
    return raw[1:-66], raw[-64:]


def get_books(client: Client) -> tuple[int, ...]:
    """Return what a wrong input could have changed."""
    plan = client.get(f"/v1/plans/{PLAN}")
    pool = read_object(read_list(plan, "pools")[0])
    blocks = client.get("/v1/blocks", {"limit": 1})
    return (
        read_int(plan, "members_applied"),
        read_money(pool, "cash"),
        read_money(pool, "unmatched"),
        read_int(read_object(read_list(blocks, "items")[0]), "log_size"),
    )


def make_variants(network: Network) -> dict[str, tuple[bytes, int, str]]:
    """Return (bytes, HTTP status, code) of everything that never may enter a pool."""
    good = network.build_application()
    body, signature = split(good.raw)
    other_chain = build_transaction(
        chain_id=b"\x66" * 32,
        nonce=b"\x01" * 16,
        valid_until_ms=network.get_valid_until_ms(),
        call=build_application_call(1),
        key=STRANGER,
    )
    high_s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    malleable = signature[:32] + high_s.to_bytes(32, "little")
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    far = network.build_application(valid_until_ms=START_MS + 3 * WINDOW_MS)
    past = network.build_application(valid_until_ms=START_MS)
    return {
        "no bytes": (b"", 400, "malformed"),
        "noise": (b"\xff" * 200, 400, "malformed"),
        "cut": (good.raw[:-1], 400, "malformed"),
        "one byte too many": (good.raw + b"\x00", 400, "malformed"),
        "array header of another length": (b"\xdc\x00\x02" + good.raw[1:], 400, "malformed"),
        "signature too short": (b"\x92" + body + b"\xc4\x3f" + signature[:63], 400, "malformed"),
        "unknown call": (sign_call(network, ["member_vanish", b"\x01" * 32]), 400, "malformed"),
        "field too many": (sign_call(network, ["member_leave", b"\x01" * 32, 1]), 400, "malformed"),
        "negative amount": (sign_call(network, build_credit(network, -5)), 400, "malformed"),
        "amount of zero": (sign_call(network, build_credit(network, 0)), 400, "malformed"),
        "huge amount": (sign_call(network, build_credit(network, 2**53)), 400, "malformed"),
        "true as an amount": (sign_call(network, build_credit(network, True)), 400, "malformed"),
        "fraction as an amount": (sign_call(network, build_credit(network, 1.5)), 400, "malformed"),
        "text as an amount": (sign_call(network, build_credit(network, "5")), 400, "malformed"),
        "other chain": (other_chain.raw, 422, "wrong_chain"),
        "other chain, signed for this one": (
            sign_call(network, ["member_leave", b"\x01" * 32], chain_id=b"\x66" * 32),
            422,
            "wrong_chain",
        ),
        "flipped signature": (join_transaction(body_bytes=body, signature=flipped), 422, "bad_signature"),
        "malleable signature": (join_transaction(body_bytes=body, signature=malleable), 422, "bad_signature"),
        "expired": (past.raw, 422, "expired"),
        "validity too distant": (far.raw, 422, "validity_too_distant"),
        "oversized": (b"\x00" * 200_000, 413, "too_large"),
    }


def test_what_may_never_enter_a_pool_is_refused_with_its_own_problem(network: Network, client: Client) -> None:
    before = get_books(client)
    for name, (raw, status, code) in make_variants(network).items():
        answer = post(network, raw)
        assert answer.headers["content-type"].startswith("application/problem+json"), name
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), f"{name}: {problem}"
        assert problem["status"] == status, name
        assert problem["retryable"] is False, name
    assert get_books(client) == before
    assert read_int(client.get("/v1/consensus"), "pending") == 0


def test_a_transaction_without_its_blob_waits_for_the_blob(network: Network) -> None:
    call = msgspec.structs.replace(build_application_call(77), blob_hash=b"\x01" * 32)
    with network.open_client(0) as client:
        raw = client.build(call, STRANGER, valid_for_ms=60_000).raw
    answer = post(network, raw)
    assert (answer.status_code, answer.json()["code"]) == (422, "blob_missing")


def test_p17_a_replay_answers_with_the_first_result_and_runs_nothing(network: Network, client: Client) -> None:
    transaction = network.build_application()
    first = client.submit(transaction, wait_s=20).require_success()
    before = get_books(client)
    answer = post(network, transaction.raw)
    assert answer.headers["idempotent-replayed"] == "true"
    assert answer.json()["height"] == first.height
    with network.open_client(2) as other:
        again = other.submit(transaction, wait_s=20)
    assert again.height == first.height
    assert get_books(client) == before


def test_an_unknown_plan_and_a_wrong_role_fail_on_the_chain_and_move_nothing(network: Network, client: Client) -> None:
    before = get_books(client)
    plan = msgspec.structs.replace(build_application_call(5), plan="no-such-plan")
    for call, code in ((plan, "plan_unknown"), (_credit(b"\x03" * 32, 500), "wrong_role")):
        result = client.submit(client.build(call, STRANGER, valid_for_ms=60_000), wait_s=20)
        assert (result.status, result.outcome, result.code) == ("committed", "failed", code)
    after = get_books(client)
    assert after[:3] == before[:3]
    assert after[3] == before[3] + 2, "the log keeps what failed, and nothing else"


def test_one_bank_reference_is_one_fact(network: Network, client: Client) -> None:
    bank = network.devnet.load_signing_key("custodian")
    cash = get_books(client)[1]

    def send(amount: int) -> list[str]:
        call = _credit(b"\x07" * 32, amount)
        result = client.submit(client.build(call, bank, valid_for_ms=60_000), wait_s=20)
        return [item.code for item in result.items]

    assert send(4_200) == ["success"]
    assert send(4_200) == ["already"]
    assert send(4_300) == ["reference_conflict"]
    assert get_books(client)[1] == cash + 4_200


def _credit(reference: bytes, amount: int) -> DepositCredit:
    item = DepositCreditItem(
        ref_token=reference,
        amount=amount,
        booking_day=DAY,
        value_day=DAY,
        payer_token=b"\x04" * 32,
        deposit_code=None,
    )
    return DepositCredit(account=ACCOUNT, items=(item,))


def test_a_full_pool_refuses_with_retry_after_and_forgets_nothing(tmp_path: Path) -> None:
    with Network(tmp_path / "net") as network:
        for index in range(4):
            path = network.devnet.get_config_path(index)
            path.write_text(path.read_text() + "\n[pool]\ntransactions_max = 64\n")
        network.start()
        network.put_blob()
        # Without a quorum nothing leaves the pool.
        for index in (2, 3):
            network.nodes[index].kill()
        accepted: list[Transaction] = []
        refused: httpx.Response | None = None
        for _ in range(200):
            transaction = network.build_application()
            answer = post(network, transaction.raw)
            if answer.status_code == 202:
                accepted.append(transaction)
            else:
                refused = answer
                break
        assert refused is not None, "a bounded pool must be full some time"
        assert refused.status_code in {429, 503}
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["retryable"] is True
        assert refused.json()["code"] in {"pool_full", "quota_exceeded"}
        assert accepted
        for index in (2, 3):
            network.start_node(index)
        wait_for(
            "everything accepted is on the chain",
            lambda: {item.tx_id.hex() for item in accepted} <= set(network.list_ids(0)),
            timeout_s=60,
        )
