"""Every address that the application serves, for tests that no route may escape (pitfalls A3)."""

import httpx

PAGES = ("/", "/docs", "/problems", "/problems/not_found", "/openapi.json", "/static/explorer.css")
EXAMPLES = {"height": "1", "tx_id": "ab" * 32, "plan": "demo", "member": "ab" * 32, "claim": "ab" * 32}


async def list_routes(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Return (method, path) of every route: those of the OpenAPI document and the pages."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    found = [("GET", path) for path in PAGES]
    for path, methods in paths.items():
        for method in methods:
            found.append((method.upper(), path.format(**EXAMPLES, sha256="ab" * 32)))
    return found
