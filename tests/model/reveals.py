"""Hash chains of reveals that the story knows, so that whoever votes may propose a block (contract 6)."""

import functools
import hashlib

from tests.chain.contract.world import name_hash

LINKS = 1_000
PREIMAGES: dict[bytes, bytes] = {}
"""The next reveal of whoever is at a link."""


@functools.cache
def make_anchor(number: int) -> bytes:
    """Return the last link of a chain; the first four are those of genesis."""
    links: list[bytes] = [name_hash("reveal", number)]
    for _ in range(LINKS):
        links.append(hashlib.sha256(links[-1]).digest())
    PREIMAGES.update(zip(links[1:], links[:-1], strict=True))
    return links[-1]
