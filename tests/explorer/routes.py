"""Every address that the application serves, for tests that no route may escape (pitfalls A3); and its tasks."""

import httpx

PAGES = ("/", "/docs", "/problems", "/problems/not_found", "/openapi.json", "/static/explorer.css")
EXAMPLES = {
    "height": "1",
    "tx_id": "ab" * 32,
    "plan": "demo",
    "member": "ab" * 32,
    "claim": "ab" * 32,
    "proposal": "ab" * 32,
    "name": "platform",
    "account": "demo-account",
    "below": "100",
}
"""A value for each part of an address, and for each parameter that must be given."""


async def list_routes(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Return (method, path) of every route: those of the OpenAPI document and the pages."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    found = [("GET", path) for path in PAGES]
    for path, methods in paths.items():
        for method, operation in methods.items():
            address = path.format(**EXAMPLES, sha256="ab" * 32)
            parameters = operation.get("parameters", [])
            needed = [item["name"] for item in parameters if item["in"] == "query" and item.get("required")]
            query = "&".join(f"{name}={EXAMPLES[name]}" for name in needed)
            found.append((method.upper(), f"{address}?{query}" if query else address))
    return found


def add_query(path: str, query: str) -> str:
    """Return an address with one more parameter."""
    return f"{path}{'&' if '?' in path else '?'}{query}"


async def read_tasks(client: httpx.AsyncClient, kind: str) -> list[dict[str, object]]:
    """Return what waits of one kind, as the interface shows it."""
    answer = await client.get("/v1/tasks?plan=demo&limit=100")
    assert answer.status_code == 200, answer.text
    return [row for row in answer.json()["items"] if row["kind"] == kind]
