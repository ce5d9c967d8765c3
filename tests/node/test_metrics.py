from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from node.devnet_files import Devnet
from node.metrics import BlockFigures, NodeMetrics
from tests.node.in_process import run_cluster, until


def make_metrics() -> NodeMetrics:
    return NodeMetrics(version="0.1.0", chain_id="ab", validator="platform")


def read(metrics: NodeMetrics) -> dict[str, float]:
    content, media_type = metrics.render()
    assert media_type.startswith("text/plain")
    return read_rendered(content)


def read_rendered(content: bytes) -> dict[str, float]:
    return {
        sample.name + "".join(f",{key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
    }


def test_committed_block_is_counted() -> None:
    metrics = make_metrics()
    for height in (1, 2):
        figures = BlockFigures(
            height=height,
            transactions=10,
            failed=3,
            bytes_count=4_000,
            view=0,
            execute_seconds=0.5,
            write_seconds=0.25,
        )
        metrics.count_block(figures)
    values = read(metrics)
    assert values["gongji_height"] == 2
    assert values["gongji_blocks_total"] == 2
    assert values["gongji_transactions_total,outcome=success"] == 14
    assert values["gongji_transactions_total,outcome=failed"] == 6
    assert values["gongji_block_bytes_total"] == 8_000
    assert values["gongji_stage_seconds_total,stage=execute"] == 1.0
    assert values["gongji_block_transactions_count"] == 2


def test_requests_and_refusals_are_counted_by_their_labels() -> None:
    metrics = make_metrics()
    metrics.observe_request("GET", "/v1/blocks/{height}", 200, 2_000)
    metrics.count_refusal("expired", is_client=True)
    values = read(metrics)
    assert values["gongji_http_requests_total,method=GET,path=/v1/blocks/{height},status=200"] == 1
    assert values["gongji_http_request_seconds_sum,path=/v1/blocks/{height}"] == 0.002
    assert values["gongji_refused_total,code=expired,source=client"] == 1


def test_two_nodes_in_one_process_share_nothing() -> None:
    first, second = make_metrics(), make_metrics()
    first.height.set(5)
    assert (read(first)["gongji_height"], read(second)["gongji_height"]) == (5, 0)


def test_process_figures_are_shown() -> None:
    assert read(make_metrics())["process_resident_memory_bytes"] > 0


async def test_node_fills_finality_sync_time_and_clock_drift(template: Devnet, tmp_path: Path) -> None:
    async with run_cluster(template, tmp_path / "n") as cluster:
        await cluster[1].intake.submit(cluster.build_leave().raw, 5_000)
        await until(lambda: cluster[1].ledger.height == 2)
        cluster[1].follower._drift_ms[3] = -1_500
        values = read_rendered(cluster[1].condition.render_metrics()[0])
        assert values["gongji_finality_seconds_count"] == 1, "of its own clients only"
        for file in ("ledger", "journal", "guard", "pool"):
            assert values[f"gongji_sync_seconds_count,file={file}"] > 0, file
        for journal in ("votes", "pool"):
            assert values[f"gongji_journal_bytes,journal={journal}"] > 0, journal
        assert values["gongji_clock_drift_seconds"] == 1.5
        others = read_rendered(cluster[2].condition.render_metrics()[0])
        assert others["gongji_finality_seconds_count"] == 0
        cluster.wires.separate(1, 3)
        assert read_rendered(cluster[1].condition.render_metrics()[0])["gongji_clock_drift_seconds"] < 1
