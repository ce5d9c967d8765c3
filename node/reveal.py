"""The randomness hash chain of a validator: genesis holds its last link, each block reveals the one
before it.

    seed -> H(seed) -> H(H(seed)) -> ... -> anchor          `length` hashes; block k of this proposer reveals
                                                             the link that hashes to its reveal k - 1

Every 1,024th link is kept in the file, so that a reveal costs at most that many hashes. All links that
are not revealed yet are secret: who knows them knows the beacon's future. The file is for its owner only.
"""

import enum
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from chain.contract.call_base import Name
from chain.crypto import sha256
from chain.errors import ConfigError, StoreError
from chain.types import Hash
from node.files import create_file, read_secret
from node.keys import Hex32

STEP = 1_024
"""Links between two that are kept."""
LENGTH_DEFAULT = 2**20
LENGTH_MAX = 2**24
FILE_BYTES_MAX = 2 * 1024 * 1024
REVEAL_FORMAT = 1


class _RevealFile(Struct, frozen=True, forbid_unknown_fields=True):
    format: Annotated[int, Meta(ge=REVEAL_FORMAT, le=REVEAL_FORMAT)]
    kind: "_Kind"
    owner: Name
    length: Annotated[int, Meta(ge=STEP, le=LENGTH_MAX, multiple_of=STEP)]
    anchor: Hex32
    kept: Annotated[tuple[Hex32, ...], Meta(min_length=1, max_length=LENGTH_MAX // STEP)]
    """Links 0, 1024, 2048, ... counted from the seed, which is the first."""


class _Kind(enum.Enum):
    REVEAL = "reveal"


_decoder = msgspec.json.Decoder(_RevealFile)


class RevealExhausted(StoreError):
    """The chain has no link before the one that was asked for: the validator needs a new anchor."""


class RevealChain:
    """Find the link before a given one; made by `load_reveal`."""

    def __init__(self, kept: tuple[Hash, ...], anchor: Hash) -> None:
        self.anchor = anchor
        self.length = len(kept) * STEP
        self._kept = kept
        self._segment = len(kept)
        self._before: dict[Hash, Hash] = {}

    def find_preimage(self, link: Hash) -> Hash:
        """Return the link whose hash is `link`: the next reveal after the state's last one.

        Raises `StoreError` where the chain does not contain `link`, `RevealExhausted` where it begins
        with it. The first call looks through the segments from the anchor on, later ones continue in the
        same or the next.
        """
        found = self._before.get(link)
        if found is not None:
            return found
        if link == self._kept[0]:
            raise RevealExhausted("the reveal chain is used up")
        # Going on from the present segment first: that is where the next link is, unless this node was
        # restarted.
        order = [*range(self._segment - 1, -1, -1), *range(len(self._kept) - 1, self._segment - 1, -1)]
        for segment in order:
            before = self._compute_segment(segment)
            if link in before:
                self._segment, self._before = segment, before
                return before[link]
        raise StoreError("the reveal chain does not contain the last link of the state")

    def _compute_segment(self, segment: int) -> dict[Hash, Hash]:
        link = self._kept[segment]
        before: dict[Hash, Hash] = {}
        for _ in range(STEP):
            following = sha256(link)
            before[following] = link
            link = following
        return before


class RevealFiles:
    """The chain of a validator and, beside it, the one that governance may have renewed it with.

    `reveal.json` is read at the start. Where the state's last link is not in it, `reveal.next.json` is looked for:
    so an operator makes the new chain, has its anchor voted on, and need not be there when it takes effect.
    """

    def __init__(self, path: Path) -> None:
        """Read the present chain; raise `ConfigError` as `load_reveal` does."""
        self._next_path = path.with_name(f"{path.stem}.next{path.suffix}")
        self._chain = load_reveal(path)

    @property
    def anchor(self) -> Hash:
        """Return the anchor of the present chain."""
        return self._chain.anchor

    def find_preimage(self, link: Hash) -> Hash:
        """Return the next reveal; raise `RevealExhausted` where no file has it: this node can vote and not lead."""
        try:
            return self._chain.find_preimage(link)
        except RevealExhausted:
            raise
        except StoreError as error:
            if not self._next_path.exists():
                raise RevealExhausted(f"{error}, and there is no {self._next_path.name}") from error
        try:
            following = load_reveal(self._next_path)
            found = following.find_preimage(link)
        except (ConfigError, StoreError) as error:
            raise RevealExhausted(f"{self._next_path.name} does not help: {error}") from error
        self._chain = following
        return found


def validate_length(length: int) -> None:
    """Raise `ConfigError` unless a chain may have this many links."""
    if not STEP <= length <= LENGTH_MAX or length % STEP:
        raise ConfigError(field="reveal_length", reason=f"must be a multiple of {STEP}, at most {LENGTH_MAX}")


def create_reveal(path: Path, *, owner: str, length: int = LENGTH_DEFAULT) -> RevealChain:
    """Make a new chain and its file (mode 0600); raise `ConfigError` where the file exists or the length
    is bad."""
    validate_length(length)
    link = Hash(secrets.token_bytes(32))
    kept = []
    for place in range(length):
        if place % STEP == 0:
            kept.append(link)
        link = sha256(link)
    content = _RevealFile(
        format=REVEAL_FORMAT,
        kind=_Kind.REVEAL,
        owner=owner,
        length=length,
        anchor=link.hex(),
        kept=tuple(item.hex() for item in kept),
    )
    create_file(path, msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
    return RevealChain(tuple(kept), link)


def load_reveal(path: Path) -> RevealChain:
    """Read a chain; raise `ConfigError` naming the file where it is not readable by its owner alone or
    not whole."""
    content = read_secret(path, bytes_max=FILE_BYTES_MAX)
    try:
        stored = _decoder.decode(content)
    except msgspec.DecodeError as error:
        raise ConfigError(field=str(path), reason=f"is no reveal chain: {error}") from error
    if stored.length != len(stored.kept) * STEP:
        raise ConfigError(field=str(path), reason="the number of kept links does not fit the length")
    kept = tuple(Hash(bytes.fromhex(item)) for item in stored.kept)
    chain = RevealChain(kept, Hash(bytes.fromhex(stored.anchor)))
    # The segments before are checked by use: a found link always hashes to the one that was asked for.
    link = kept[-1]
    for _ in range(STEP):
        link = sha256(link)
    if link != chain.anchor:
        raise ConfigError(field=str(path), reason="its links do not lead to its anchor")
    return chain
