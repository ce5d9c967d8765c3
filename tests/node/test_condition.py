"""What the operator sees: whose vote is missing, why there is no block, and whether the node is ready."""

import asyncio
from pathlib import Path

from explorer.reader import ConsensusCondition
from node.devnet_files import Devnet
from tests.node.in_process import Cluster, run_cluster, until


def get_condition(cluster: Cluster, index: int) -> ConsensusCondition:
    return cluster[index].condition.get_consensus()


def name(cluster: Cluster, index: int) -> str:
    return cluster.genesis.validators[index].organisation


def get_leader(cluster: Cluster) -> int:
    leader = get_condition(cluster, min(cluster.members)).leader
    return next(index for index, item in enumerate(cluster.genesis.validators) if item.organisation == leader)


async def test_quiet_network_is_idle_and_misses_nobody(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        shown = get_condition(cluster, 0)
        assert (shown.mode, shown.phase, shown.missing) == ("normal", "idle", ())
        assert shown.height == 2
        assert shown.quorum == 3
        assert all(validator.is_connected for validator in shown.validators)
        assert {condition.name: condition.is_met for condition in cluster[0].condition.get_readiness()} == {
            "block_fresh": True,
            "peers_quorum": True,
            "disk_space": True,
            "voting": True,
            "protocol_version": True,
        }


async def test_with_two_of_four_dead_it_says_whose_votes_are_missing(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        leader = get_leader(cluster)
        dead = [(leader + 1) % 4, (leader + 2) % 4]
        for index in dead:
            await cluster.stop(index)
        alive = [index for index in range(4) if index not in dead]
        await cluster[leader].intake.submit(cluster.build_leave().raw, 0)
        expected = {name(cluster, index) for index in dead}
        for index in alive:
            await until(
                lambda index=index: (
                    set(get_condition(cluster, index).missing) == expected  # type: ignore[misc]
                    and get_condition(cluster, index).phase in {"prepare", "view_change"}
                ),
                seconds=4,
            )
            shown = get_condition(cluster, index)
            assert all(organisation in shown.reason for organisation in expected)
            assert [item.is_connected for item in shown.validators] == [other in alive for other in range(4)]
            ready = {condition.name: condition for condition in cluster[index].condition.get_readiness()}
            assert not ready["peers_quorum"].is_met
            assert ready["peers_quorum"].detail.startswith("2 validators")


async def test_with_the_leader_and_another_dead_it_names_both_once_the_view_changes(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        leader = get_leader(cluster)
        dead = [leader, (leader + 1) % 4]
        for index in dead:
            await cluster.stop(index)
        alive = [index for index in range(4) if index not in dead]
        await cluster[alive[0]].intake.submit(cluster.build_leave().raw, 0)
        expected = {name(cluster, index) for index in dead}
        await until(lambda: get_condition(cluster, alive[0]).phase == "view_change", seconds=4)
        await until(lambda: set(get_condition(cluster, alive[0]).missing) == expected, seconds=4)
        shown = get_condition(cluster, alive[0])
        assert shown.mode == "changing"
        assert shown.pending == 1
        assert "VIEW-CHANGE" in shown.reason
        has_view_change = [item.has_view_change for item in shown.validators]
        assert has_view_change == [index in alive for index in range(4)]


async def test_node_alone_after_its_start_says_whom_it_waits_for(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n", 2) as cluster:
        shown = get_condition(cluster, 2)
        assert shown.mode == "starting"
        assert set(shown.missing) == {name(cluster, index) for index in (0, 1, 3)}
        assert "waits until enough validators have answered" in shown.reason


async def test_votes_of_an_older_view_are_not_shown_as_votes_of_this_one(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        leader = get_leader(cluster)
        await cluster[leader].intake.submit(cluster.build_leave().raw, 5_000)
        for index in ((leader + 1) % 4, (leader + 2) % 4):
            await cluster.stop(index)
        last = (leader + 3) % 4
        await cluster[leader].intake.submit(cluster.build_leave().raw, 0)
        await until(lambda: get_condition(cluster, last).view > 0, seconds=5)
        shown = get_condition(cluster, last)
        assert not any(item.has_prepared for item in shown.validators)


async def test_waiting_for_a_height_that_is_there_ends_at_once(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await asyncio.wait_for(cluster[0].condition.wait_height(1, 60_000), 1)
        waiting = asyncio.create_task(cluster[0].condition.wait_height(2, 60_000))
        await asyncio.sleep(0)
        await cluster[1].intake.submit(cluster.build_leave().raw, 5_000)
        await asyncio.wait_for(waiting, 2)


async def test_waiting_for_a_committed_transaction_ends_at_once_and_for_a_pending_one_with_its_block(
    template: Devnet, tmp_path: Path
) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        transaction = cluster.build_leave()
        waiting = asyncio.create_task(cluster[3].condition.wait_transaction(transaction.tx_id, 60_000))
        await asyncio.sleep(0)
        await cluster[1].intake.submit(transaction.raw, 5_000)
        await asyncio.wait_for(waiting, 2)
        await asyncio.wait_for(cluster[3].condition.wait_transaction(transaction.tx_id, 60_000), 1)


async def test_metrics_follow_the_chain(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster[0].intake.submit(cluster.build_leave().raw, 5_000)
        text = cluster[0].condition.render_metrics()[0].decode()
        assert "gongji_height 2.0" in text
        assert "gongji_peers_connected 3.0" in text
        assert "gongji_voting 1.0" in text
