"""Where everything lies in the database: format F-8 of docs/spec.md (design 4).

The first byte tells the table. Bodies and log entries lie under sequential (height, index) keys and `tx_id` points
there, so that a block is one range and old data stays untouched.
"""

from chain.state import PoolKey

FORMAT_VERSION = b"\x00\x04"
"""Version of this layout; another one is refused."""

META = b"M"
HEADER = b"h"
BLOCK_HASH = b"x"
TRANSACTION = b"t"
RECEIPT = b"l"
TX_INDEX = b"i"
STATE = b"s"
STATE_TREE = b"m"
POOL_TREE = b"p"
HISTORY_TILE = b"n"
BLOB = b"d"
BLOB_USE = b"u"
SUBJECT = b"e"
LISTING = b"g"

META_FORMAT = META + b"format"
META_CHAIN_ID = META + b"chain_id"
META_HEAD = META + b"head"
META_CERTIFICATE = META + b"certificate"
META_GENESIS = META + b"genesis"

PLACE_BYTES = 12


def place(height: int, index: int) -> bytes:
    """Return the sequential place of an entry: height u64 || index u32."""
    return height.to_bytes(8, "big") + index.to_bytes(4, "big")


def parse_place(data: bytes) -> tuple[int, int]:
    """Read a place as (height, index)."""
    return int.from_bytes(data[:8], "big"), int.from_bytes(data[8:12], "big")


def header_key(height: int) -> bytes:
    """Return the key of a block's header record."""
    return HEADER + height.to_bytes(8, "big")


def pool_tag(pool: PoolKey) -> bytes:
    """Return the tag of a pool's sum tree: free of prefixes of one another, as the name's length leads."""
    name = pool[0].encode()
    return POOL_TREE + bytes([len(name)]) + name + pool[1].to_bytes(2, "big")


def prefix_end(prefix: bytes) -> bytes:
    """Return the first key behind all keys that start with a prefix."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1])
