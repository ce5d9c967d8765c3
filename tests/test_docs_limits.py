"""Limits that the page of the interface tells are those of the program."""

from chain.transaction import TRANSACTION_BYTES_MAX
from explorer.edge import QUERY_BYTES_MAX
from explorer.settings import PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, SCAN_ROWS_MAX, HttpLimits
from node.config import PoolConfig
from node.http_server import ConnectionLimits
from tests.doc_pages import find_section, read_rows


def test_limits_of_the_page_are_those_of_the_interface() -> None:
    http, connections, pool = HttpLimits(), ConnectionLimits(), PoolConfig()
    signer, organisation = pool.signer_transactions_max, pool.organisation_transactions_max
    rows = {row[0]: row[1] for row in read_rows(find_section("docs/api.md", "Limits"))}
    assert rows == {
        "transaction": f"{TRANSACTION_BYTES_MAX // 1024} KiB",
        "request body": f"{http.body_bytes_max // 1024} KiB",
        "batch": f"{http.batch_items_max:,} transactions, {http.batch_bytes_max // 1024**2} MiB",
        "blob": f"{http.blob_bytes_max // 1024} KiB",
        "query string": f"{QUERY_BYTES_MAX:,} bytes",
        "headers": f"{connections.header_bytes_max // 1024} KiB, {connections.header_timeout_ms // 1000} s to arrive",
        "body": f"{http.body_timeout_ms // 1000} s to arrive",
        "all bodies being received": f"{http.bodies_bytes_max // 1024**2} MiB",
        "requests of one address": f"{http.requests_per_s:,} a second, bursts of {http.requests_burst:,} (configured)",
        "connections": f"{connections.connections_max:,}; of one address {connections.connections_per_address_max:,}",
        "lists read at once": f"{http.readers_max}, and {http.readers_waiting_max} waiting",
        "pool, share of this node": "see `pool.*` in [operations.md](operations.md)",
        "one signing key in the pool": f"{signer}, an organisation {organisation:,}",
    }
    text = " ".join(find_section("docs/api.md", "Reading").split())
    assert f"`limit` is 1 to {PAGE_LIMIT_MAX}, {PAGE_LIMIT_DEFAULT} by default" in text
    assert f"no more than {SCAN_ROWS_MAX:,} rows" in text
    assert f"waits up to {http.min_height_wait_ms // 1000} seconds" in text
