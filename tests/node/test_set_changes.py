"""Whole nodes while governance changes the set of validators: nobody is restarted, and all have one chain.

Block time runs a day in a fifth of a second, so that the delays of governance pass in seconds.
"""

import asyncio
import time
from pathlib import Path

import pytest

from chain.clock import ClockPoint, to_wall_ms
from chain.contract.calls import Call
from chain.contract.governance_calls import (
    AddValidator,
    Payload,
    ProposalOpen,
    ProposalVote,
    Rejoin,
    RemoveValidator,
    SetParameter,
    UpgradeProtocol,
)
from chain.contract.governance_tables import CANDIDATE, VALIDATOR_SET
from chain.contract.member_calls import MemberLeave
from chain.crypto import SigningKey
from chain.errors import Refusal
from chain.genesis import Parameters
from chain.transaction import Transaction
from chain.types import Hash
from chain.validators import hash_validators
from consensus.effects import EnterQuarantine
from consensus.messages import Activity
from node.config import parse_address
from node.devnet_files import Devnet, extend_devnet
from node.identities import VALIDATOR_CARD, load_validator_card
from node.peers import PeerTable
from tests.node.in_process import Cluster, create_template, run_cluster, until

DAY_MS = 86_400_000
DAY_WALL_MS = 200
PARAMETERS = Parameters(
    idle_interval_ms=100,
    block_gap_ms=5,
    view_timeout_base_ms=600,
    view_timeout_cap_ms=1_600,
    request_timeout_ms=1_000,
    validity_window_ms=2_678_400_000,
    tenure=7,
)
PLATFORM, CUSTODIAN, AUDITOR_1, AUDITOR_2 = "platform", "custodian", "auditor-1", "auditor-2"


@pytest.fixture
def fast(tmp_path: Path) -> Devnet:
    """A network of four whose days are short."""
    return create_fast(tmp_path, day_wall_ms=DAY_WALL_MS)


def create_fast(tmp_path: Path, *, day_wall_ms: int) -> Devnet:
    wall_ms = time.time_ns() // 1_000_000
    clock: tuple[ClockPoint, ...] = (
        (wall_ms - 3_600_000, wall_ms - 3_600_000),
        (wall_ms, wall_ms),
        (wall_ms + 1_000_000, wall_ms + 1_000_000 // day_wall_ms * DAY_MS),
    )
    return create_template(tmp_path / "template", parameters=PARAMETERS, clock=clock)


class House:
    """The institutions of a cluster: they propose and vote through whichever node is named."""

    def __init__(self, cluster: Cluster, at: int = 0) -> None:
        self.cluster = cluster
        self.at = at
        self.number = 0

    async def send(self, name: str, call: Call) -> bytes:
        """Let an institution sign a call; return the id of its transaction once it has run without refusal."""
        self.number += 1
        node = self.cluster[self.at]
        key = self.cluster.devnet.load_signing_key(name)
        valid_until_ms = node.ledger.header.timestamp_ms + 30 * DAY_MS
        transaction = self.cluster.build_until(call, key, valid_until_ms=valid_until_ms)
        result = await node.intake.submit(transaction.raw, 5_000)
        assert result.status == "committed", result
        assert result.entry is not None
        assert result.entry.receipt.outcome == 0, (call, result.entry.receipt.outcome)
        return bytes(transaction.tx_id)

    async def decide(self, payload: Payload, proposer: str, *voters: str) -> None:
        """Put something to the vote and let others agree."""
        proposal = await self.send(proposer, ProposalOpen(payload=payload, reason_hash=bytes(range(32))))
        for voter in voters:
            await self.send(voter, ProposalVote(proposal=proposal, is_yes=True))


def build_addition(devnet: Devnet, index: int) -> AddValidator:
    """Return what asks for a node of the network as a validator."""
    node = devnet.nodes[index]
    card = load_validator_card(devnet.directory / node.directory / VALIDATOR_CARD)
    host, port = parse_address(card.address, field="address")
    return AddValidator(
        organisation=card.organisation,
        key=card.key,
        checkpoint_key=card.checkpoint_key,
        tls_pin=card.tls_pin,
        host=host,
        port=port,
        reveal_anchor=card.reveal_anchor,
    )


async def add_fifth(cluster: Cluster, house: House) -> None:
    """Start a node that nobody knows, then let the consortium take it in."""
    cluster.devnet = extend_devnet(
        cluster.devnet, organisation=AUDITOR_1, api_port=28_490, p2p_port=28_590, reveal_length=1_024
    )
    await cluster.start(4)
    candidacy = asyncio.create_task(cluster[4].candidacy.run())
    try:
        assert cluster[4].ledger.height == 0
        await house.decide(build_addition(cluster.devnet, 4), AUDITOR_1, PLATFORM, CUSTODIAN)
        await until(lambda: len(cluster[0].ledger.validators) == 5, seconds=20)
        await until(lambda: is_voting(cluster, 4), seconds=10)
    finally:
        candidacy.cancel()


def is_voting(cluster: Cluster, index: int) -> bool:
    state = cluster[index].runtime.state
    return state is not None and state.activity is Activity.VOTING


def get_voters(cluster: Cluster, at: int) -> set[int]:
    """Return whose votes the newest agreed certificate holds."""
    ledger = cluster[at].ledger
    record = ledger.read_header_record(ledger.height)
    assert record is not None
    return {index for index, _ in record.parent_certificate.votes}


async def check_equal(cluster: Cluster, *indexes: int) -> None:
    """Wait until all have the newest block, and compare it."""
    height = max(cluster[index].ledger.height for index in indexes)
    await until(lambda: all(cluster[index].ledger.height >= height for index in indexes))
    hashes = set()
    for index in indexes:
        record = cluster[index].ledger.read_header_record(height)
        assert record is not None
        hashes.add((record.header.state_root, record.header.log_root))
    assert len(hashes) == 1


async def test_fifth_validator_comes_in_and_one_of_the_first_goes_without_a_restart(
    fast: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(fast, tmp_path / "n", 0, 1, 2, 3) as cluster:
        house = House(cluster)
        boots = [cluster[index]._boot_id for index in range(4)]
        await add_fifth(cluster, house)
        await until(lambda: get_voters(cluster, 0) >= {4}, seconds=10)
        assert cluster[4].ledger.read(CANDIDATE.key(cluster[4].storage.own.key), CANDIDATE.codec) is None
        await check_equal(cluster, 0, 1, 2, 3, 4)
        # The old one of the same institution goes: its key is replaced, and every index behind it moves.
        key = cluster[2].storage.own.key
        await house.decide(RemoveValidator(key=key), AUDITOR_1, PLATFORM, AUDITOR_2)
        await until(lambda: len(cluster[4].ledger.validators) == 4, seconds=10)
        last = cluster[4].ledger.height
        await until(lambda: cluster[4].ledger.height > last + 10, seconds=10)
        state = cluster[2].runtime.state
        assert state is not None
        assert state.activity is Activity.FOLLOWING
        await check_equal(cluster, 0, 1, 2, 3, 4)
        assert get_voters(cluster, 4) <= {0, 1, 2, 3}
        assert [cluster[index]._boot_id for index in range(4)] == boots
        # Who was removed is kept connected, so that it learns of it and serves who is behind.
        assert [validator.key for validator in cluster[0].peers.former] == [key]


@pytest.mark.slow
async def test_new_validator_leads_reveals_and_signs_checkpoints(fast: Devnet, tmp_path: Path) -> None:
    async with run_cluster(fast, tmp_path / "n", 0, 1, 2, 3) as cluster:
        await add_fifth(cluster, House(cluster))
        own = cluster[4].storage.own.key

        def has_led() -> bool:
            ledger = cluster[0].ledger
            newest = (ledger.read_header_record(height) for height in range(max(0, ledger.height - 40), ledger.height))
            return any(record is not None and record.header.proposer == own for record in newest)

        await until(has_led, seconds=15)
        await until(lambda: cluster[4].storage.checkpoint_mark.last is not None, seconds=5)
        await until(lambda: own in cluster[0]._cosigner._shares, seconds=5)


async def test_node_restarted_after_changes_knows_everybody_again(fast: Devnet, tmp_path: Path) -> None:
    async with run_cluster(fast, tmp_path / "n", 0, 1, 2, 3) as cluster:
        house = House(cluster)
        await add_fifth(cluster, house)
        key = cluster[2].storage.own.key
        await house.decide(RemoveValidator(key=key), AUDITOR_1, PLATFORM, CUSTODIAN)
        await until(lambda: len(cluster[0].ledger.validators) == 4, seconds=10)
        for index in (0, 4):
            await cluster.stop(index)
        await cluster.start(0, 4)
        assert [validator.key for validator in cluster[0].peers.former] == [key]
        assert set(cluster[4].peers.numbers) == {0, 1, 2, 4}
        await until(lambda: is_voting(cluster, 0) and is_voting(cluster, 4), seconds=10)
        height = cluster[0].ledger.height
        await until(lambda: cluster[4].ledger.height > height + 3, seconds=10)
        await check_equal(cluster, 0, 1, 2, 3, 4)


async def test_archived_sets_prove_old_certificates(fast: Devnet, tmp_path: Path) -> None:
    async with run_cluster(fast, tmp_path / "n", 0, 1, 2, 3) as cluster:
        await add_fifth(cluster, House(cluster))
        ledger = cluster[0].ledger
        record = ledger.read_header_record(ledger.height)
        assert record is not None
        announced = Hash(record.header.next_validators_hash)
        assert announced == hash_validators(ledger.validators)
        archived = ledger.read(VALIDATOR_SET.key(announced), VALIDATOR_SET.codec)
        assert archived is not None
        assert archived.validators == ledger.validators
        # A node that begins now replays the whole chain, each certificate under the set of its height.
        fresh = PeerTable(ledger, own=cluster[0].storage.own)
        assert len(fresh.members) == 5


async def test_changed_parameter_holds_from_the_next_block_on_without_a_restart(fast: Devnet, tmp_path: Path) -> None:
    async with run_cluster(fast, tmp_path / "n", 0, 1, 2, 3) as cluster:
        house = House(cluster)
        payload = SetParameter(name="idle_interval_ms", value=450)
        await house.decide(payload, PLATFORM, CUSTODIAN, AUDITOR_1)
        await until(
            lambda: all(cluster[index].ledger.parameters.idle_interval_ms == 450 for index in range(4)), seconds=9
        )
        first = max(cluster[index].ledger.height for index in range(4)) + 1
        await until(lambda: cluster[2].ledger.height >= first + 2, seconds=9)
        # By what their makers wrote, whenever this busy machine let node 2 see them.
        times = [to_wall_ms(cluster[2].ledger.genesis.clock, read_time(cluster, 2, first + after)) for after in (0, 2)]
        assert times[1] - times[0] >= 2 * 450, "two empty blocks, each after the longer interval"
        state = cluster[3].runtime.state
        assert state is not None
        assert state.head.pace.idle_interval_ms == 450
        assert cluster[1].follower._parameters.idle_interval_ms == 450


def read_time(cluster: Cluster, index: int, height: int) -> int:
    """Return the block time of a block."""
    record = cluster[index].ledger.read_header_record(height)
    assert record is not None
    return record.header.timestamp_ms


@pytest.mark.slow
async def test_p29_node_without_the_scheduled_version_stops_below_the_height_says_so_and_serves(
    tmp_path: Path,
) -> None:
    fast = create_fast(tmp_path, day_wall_ms=100)
    async with run_cluster(fast, tmp_path / "n", 3) as cluster:
        await cluster.start(0, 1, 2, versions=(1, 2))
        house = House(cluster)
        await until(lambda: cluster[0].ledger.height > 0)
        height = cluster[0].ledger.height + 80
        await house.decide(UpgradeProtocol(version=2, height=height), PLATFORM, CUSTODIAN, AUDITOR_1)
        await until(lambda: cluster[3].ledger.protocol.versions[-1][0] == 2, seconds=20)
        at = cluster[3].ledger.protocol.versions[-1][1]
        (warning,) = [item for item in cluster[3].condition.get_readiness() if item.name == "protocol_version"]
        assert warning.is_met == (cluster[3].ledger.height + 1 < at)
        await until(lambda: cluster[0].ledger.height > at + 3, seconds=60)
        assert cluster[3].ledger.height == at - 1
        (condition,) = [item for item in cluster[3].condition.get_readiness() if item.name == "protocol_version"]
        assert not condition.is_met
        assert "install a newer one" in cluster[3].condition.get_consensus().reason
        assert not cluster.members[3].halted, "it serves what it has"
        record = cluster[0].ledger.read_header_record(at)
        assert record is not None
        assert record.header.version == 2
        await cluster.stop(3)
        await cluster.start(3, versions=(1, 2))
        await until(lambda: cluster[3].ledger.height > at + 3, seconds=10)
        await check_equal(cluster, 0, 1, 2, 3)


async def test_quarantine_that_began_while_it_ran_outlives_a_restart(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        reason = "a peer shows my signature at (9, 9, 4), above my mark"
        cluster[2].runtime._on_fault(EnterQuarantine(reason=reason))
        await cluster.stop(2)
        await cluster.start(2)
        state = cluster[2].runtime.state
        assert state is not None
        assert state.quarantine == reason
        assert cluster[2].storage.restart.quarantine == reason


async def test_candidate_says_ready_once_and_only_while_it_follows(fast: Devnet, tmp_path: Path) -> None:
    async with run_cluster(fast, tmp_path / "n", 0, 1, 2, 3) as cluster:
        assert not await cluster[0].candidacy.look(), "a validator is no candidate"
        house = House(cluster)
        cluster.devnet = extend_devnet(
            cluster.devnet, organisation=AUDITOR_1, api_port=28_490, p2p_port=28_590, reveal_length=1_024
        )
        await house.decide(build_addition(cluster.devnet, 4), AUDITOR_1, PLATFORM, CUSTODIAN)
        key = load_validator_card(cluster.devnet.directory / "node-4" / VALIDATOR_CARD).key
        await until(lambda: cluster[0].ledger.read(CANDIDATE.key(key), CANDIDATE.codec) is not None, seconds=10)
        await cluster.start(4)
        assert not await cluster[4].candidacy.look(), "it has not even begun to follow"
        alone = await cluster[4].intake.submit(build_leave(cluster, 0).raw, 0)
        assert alone.refusal is not None
        assert alone.refusal.code == "no_ingress", "as far as it knows, nobody would take it in"
        await until(lambda: cluster[4].ledger.height >= cluster[0].ledger.height - 1, seconds=10)
        for _ in range(100):
            if await cluster[4].candidacy.look():
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("it follows and does not say so")
        assert not await cluster[4].candidacy.look()
        await until(lambda: len(cluster[4].ledger.validators) == 5, seconds=10)


async def test_removed_validator_sends_clients_elsewhere_and_keeps_what_it_promised(
    fast: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(fast, tmp_path / "n", 0, 1, 2, 3) as cluster:
        house = House(cluster)
        await add_fifth(cluster, house)
        key = cluster[2].storage.own.key
        await house.decide(RemoveValidator(key=key), AUDITOR_1, PLATFORM, AUDITOR_2)
        promised = build_leave(cluster, 2)
        assert (await cluster[2].intake.submit(promised.raw, 0)).status == "received"
        await until(lambda: all(len(cluster[index].ledger.validators) == 4 for index in (0, 2, 4)), seconds=10)
        late = await cluster[2].intake.submit(build_leave(cluster, 2).raw, 0)
        assert late.refusal is not None
        assert late.refusal.code == "no_ingress"
        with pytest.raises(Refusal):
            await cluster[2].intake.put_blob(bytes(32), b"blob")
        await until(lambda: cluster.is_committed(promised, (0, 2, 4)), seconds=5)


def build_leave(cluster: Cluster, index: int) -> Transaction:
    until_ms = cluster[index].ledger.header.timestamp_ms + 30 * DAY_MS
    return cluster.build_until(MemberLeave(member=bytes(32)), SigningKey(bytes(range(32))), valid_until_ms=until_ms)


async def lose_guard(cluster: Cluster, index: int) -> None:
    await cluster.stop(index)
    Path(cluster.get_config(index).guard).unlink()
    await cluster.start(index)
    state = cluster[index].runtime.state
    assert state is not None
    assert state.quarantine is not None


def build_rejoin(cluster: Cluster, index: int) -> Transaction:
    ledger = cluster[index].ledger
    return cluster.build(Rejoin(height=ledger.height), cluster[index].storage.key)


async def test_single_validator_ends_its_quarantine_by_rejoin(tmp_path: Path) -> None:
    alone = create_template(tmp_path / "template", nodes=1)
    async with run_cluster(alone, tmp_path / "n") as cluster:
        await lose_guard(cluster, 0)
        transaction = build_rejoin(cluster, 0)
        result = await cluster[0].intake.submit(transaction.raw, 5_000)
        assert result.status == "committed"
        assert is_voting(cluster, 0)
        await cluster.stop(0)
        await cluster.start(0)
        await until(lambda: is_voting(cluster, 0))


async def test_rejoin_counts_only_where_it_is_handed_in_and_with_the_own_key(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster.stop(1)
        await lose_guard(cluster, 3)
        await until(lambda: cluster[3].ledger.height == cluster[0].ledger.height)
        stranger = cluster.build(Rejoin(height=1), cluster[0].storage.key)
        await cluster[3].intake.submit(stranger.raw, 0)
        declared = build_rejoin(cluster, 3)
        await cluster[0].intake.submit(declared.raw, 0)
        await until(lambda: declared.tx_id in cluster[3].mempool)
        assert not is_voting(cluster, 3), "it came by gossip: nobody spoke to this node"
        await cluster[3].intake.submit(declared.raw, 0)
        await until(lambda: is_voting(cluster, 3))
        await until(lambda: cluster.is_committed(declared, (0, 2, 3)))


async def test_declared_rejoin_is_not_forgotten_by_a_restart(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        for index in (1, 2):
            await cluster.stop(index)
        await lose_guard(cluster, 3)
        await cluster[3].intake.submit(build_rejoin(cluster, 3).raw, 0)
        await cluster.stop(3)
        await cluster.start(3)
        assert not is_voting(cluster, 3), "one other has answered, two are needed"
        await cluster.start(2)
        await until(lambda: is_voting(cluster, 3))
