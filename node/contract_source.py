"""The contract's source that this node runs, hashed at its start (api.md; GET /v1/contract).

What is hashed are the files as they are installed beside the running code: a release, or anybody with the repository,
computes the same by one shell line. It says which text the node was started from; whether a node really runs it only
its blocks say, which every other node recomputes.
"""

from hashlib import sha256
from importlib import resources

from explorer.settings import ContractSource

PACKAGE = "chain.contract"


def read_contract_source() -> ContractSource:
    """Return the files of the contract with their hashes, and the hash over that list."""
    folder = PACKAGE.replace(".", "/")
    files = []
    for item in resources.files(PACKAGE).iterdir():
        if item.name.endswith(".py"):
            files.append((f"{folder}/{item.name}", sha256(item.read_bytes()).hexdigest()))
    files.sort()
    lines = "".join(f"{digest}  {path}\n" for path, digest in files)
    return ContractSource(source_hash=sha256(lines.encode()).hexdigest(), files=tuple(files))
