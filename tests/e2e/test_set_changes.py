"""A validator is added and another removed by votes through REST, under load, with real processes, none restarted."""

import time
from pathlib import Path

import pytest

from chain.clock import ClockPoint
from chain.contract.calls import Call
from chain.contract.governance_calls import AddValidator, Payload, ProposalOpen, ProposalVote, RemoveValidator
from chain.genesis import Parameters
from node.config import parse_address
from node.demo.answers import read_int, read_list, read_object, read_text
from node.identities import VALIDATOR_CARD, load_validator_card
from tests.e2e.network import NODES, START_MS, Network, run_load, wait_for

pytestmark = pytest.mark.e2e

DAY_MS = 86_400_000
DAY_WALL_MS = 400
WINDOW_MS = 31 * DAY_MS
OPERATOR = "auditor-1"
"""Whose validator is replaced: devnet node 2 goes, the fifth comes."""
OLD = 2


def build_clock() -> tuple[ClockPoint, ...]:
    """Real time for the start, then a day in 0.4 s: the delays of governance are days."""
    wall_ms = time.time_ns() // 1_000_000
    fast_ms = wall_ms + 12_000
    return (
        (wall_ms, START_MS),
        (fast_ms, START_MS + 12_000),
        (fast_ms + 200_000, START_MS + 12_000 + 200_000 // DAY_WALL_MS * DAY_MS),
    )


def send(network: Network, name: str, call: Call) -> bytes:
    """Let an institution sign a call and hand it to any node; return the id once it has run."""
    with network.open_client() as client:
        key = network.devnet.load_signing_key(name)
        transaction = client.build(call, key, valid_for_ms=25 * DAY_MS)
        client.submit(transaction, wait_s=20).require_success()
    return bytes(transaction.tx_id)


def decide(network: Network, payload: Payload, *voters: str) -> None:
    proposal = send(network, OPERATOR, ProposalOpen(payload=payload, reason_hash=bytes(range(32))))
    for voter in voters:
        send(network, voter, ProposalVote(proposal=proposal, is_yes=True))


def get_keys(network: Network, index: int) -> list[str]:
    """Return the validator keys of the set of the next height, as a node knows it."""
    with network.open_client(index) as client:
        answer = client.get("/v1/validators")
    return [read_text(read_object(item), "key") for item in read_list(answer, "items")]


def get_mode(network: Network, index: int) -> str:
    return read_text(network.get_consensus(index), "mode")


def test_validator_is_replaced_by_votes_under_load_without_a_restart(tmp_path: Path) -> None:
    parameters = Parameters(idle_interval_ms=250, tenure=10, validity_window_ms=WINDOW_MS, view_timeout_base_ms=3_000)
    with Network(tmp_path / "net", parameters=parameters, clock=build_clock()) as network:
        network.start()
        network.valid_until_ms = START_MS + 25 * DAY_MS
        pids = [node.pid for node in network.nodes]
        network.put_blob()
        with run_load(network, rate=60) as load:
            fifth = network.add_node(OPERATOR)
            assert get_mode(network, fifth) == "syncing", "it runs, and nobody lets it in yet"
            card = load_validator_card(network.devnet.directory / f"node-{fifth}" / VALIDATOR_CARD)
            host, port = parse_address(card.address, field="address")
            addition = AddValidator(
                organisation=OPERATOR,
                key=card.key,
                checkpoint_key=card.checkpoint_key,
                tls_pin=card.tls_pin,
                host=host,
                port=port,
                reveal_anchor=card.reveal_anchor,
            )
            decide(network, addition, "platform", "custodian")
            new_key = card.key.hex()
            wait_for("the fifth is in the set", lambda: new_key in get_keys(network, 0), timeout_s=60)
            wait_for("the fifth votes", lambda: get_mode(network, fifth) == "normal", timeout_s=30)
            assert len(get_keys(network, fifth)) == NODES + 1
            wait_for_voter(network, 4, seen_by=0)
            network.check_equal(*range(NODES + 1))
            old_key = load_validator_card(network.devnet.directory / f"node-{OLD}" / VALIDATOR_CARD).key
            decide(network, RemoveValidator(key=old_key), "platform", "custodian")
            wait_for("the old one is out", lambda: old_key.hex() not in get_keys(network, fifth), timeout_s=60)
            removed_at = network.get_height(fifth)
            wait_for("blocks without it", lambda: network.get_height(fifth) >= removed_at + 12, timeout_s=60)
            wait_for("it follows", lambda: get_mode(network, OLD) == "syncing", timeout_s=20)
            wait_for("the load is on the chain", lambda: len(load.acknowledged) > 300, timeout_s=60)
        assert [node.pid for node in network.nodes[:NODES]] == pids, "nobody was restarted"
        network.check_equal(*range(NODES + 1))
        for index in (0, fifth):
            wait_for(
                f"every acknowledged transaction on node {index}",
                lambda index=index: load.acknowledged <= set(network.list_ids(index)),  # type: ignore[misc]
                timeout_s=60,
                every_s=1,
            )
        # The quorum is that of four again, and the newcomer is needed where one of the others is gone.
        network.stop_node(0)
        height = network.get_height(fifth)
        wait_for("blocks with the newcomer's votes", lambda: network.get_height(fifth) >= height + 5, timeout_s=60)
        with network.open_client(fifth) as client:
            assert read_int(client.get("/v1/validators"), "quorum") == 3
        assert network.get_height(OLD) >= removed_at, "who was removed still follows"


def wait_for_voter(network: Network, index: int, *, seen_by: int) -> None:
    """Wait until an agreed certificate holds the vote of this index of the set."""

    def is_there() -> bool:
        height = network.get_height(seen_by)
        return index in network.get_voters(seen_by, height - 1)

    wait_for(f"a vote of validator {index}", is_there, timeout_s=30)
