from prometheus_client.parser import text_string_to_metric_families

from node.metrics import BlockFigures, NodeMetrics


def make_metrics() -> NodeMetrics:
    return NodeMetrics(version="0.1.0", chain_id="ab", validator="platform")


def read(metrics: NodeMetrics) -> dict[str, float]:
    content, media_type = metrics.render()
    assert media_type.startswith("text/plain")
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
