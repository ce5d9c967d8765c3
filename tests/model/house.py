"""The consortium: who is in, with which key, and what is voted on (contract 5; ADR 0021)."""

from dataclasses import dataclass, field

from chain.contract.governance_calls import Payload

GOVERNING = ("platform", "custodian", "auditor")
NO_KEY = bytes(32)


@dataclass
class Office:
    """An organisation, also one that was let go."""

    role: str
    group: str
    key: bytes
    recovery: bytes
    has_left: bool = False


@dataclass
class Proposal:
    """Something that is voted on."""

    payload: Payload
    proposer: str
    concerned: str | None
    voters: list[str]
    expires: int
    votes: dict[str, tuple[bool, bytes]] = field(default_factory=dict)
    """(yes, key) by organisation."""
    status: str = "open"
    due: int = 0


@dataclass
class Validator:
    """A node that votes on blocks, or waits to."""

    operator: str
    checkpoint: bytes
    pin: bytes
    address: str
    link: bytes
    """What its next reveal hashes to."""
    revealed: int = 0
    """Height of its last reveal."""
    expires: int = 0
    """Day on which it is dropped if it is not ready."""
    is_ready: bool = False


@dataclass
class House:
    """The consortium."""

    offices: dict[str, Office] = field(default_factory=dict)
    keys: set[bytes] = field(default_factory=set)
    """Every key that an institution uses or ever used."""
    revoked: set[bytes] = field(default_factory=set)
    """Those that a recovery key has called stolen."""
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)
    validators: dict[bytes, Validator] = field(default_factory=dict)
    """By key, in the order of the set of the next height."""
    candidates: dict[bytes, Validator] = field(default_factory=dict)
    node_keys: dict[bytes, bytes] = field(default_factory=dict)
    """Checkpoint key by key of each validator that was ever let in, or waited to be."""
    set_height: int = 0
    """Last block that changed the set."""
    last_proposer: bytes = b""
    recent: dict[int, bytes] = field(default_factory=dict)
    """Hashes of blocks by height, while a candidate waits."""
    rejoins: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)
    """(height, block that holds it, how often) by validator."""
    protocol: list[tuple[int, int]] = field(default_factory=lambda: [(1, 0)])
    """(version, its first height)."""

    @property
    def live(self) -> dict[bytes, Proposal]:
        """What is open or waits for its day."""
        return {name: one for name, one in self.proposals.items() if one.status in ("open", "accepted")}

    def has_lost(self, name: str, key: bytes) -> bool:
        """Tell whether a signature counts no more: by a key that was revoked, or of somebody who was let go."""
        office = self.offices.get(name)
        return office is not None and (office.has_left or key in self.revoked)


def find_key_problems(house: House, *keys: bytes) -> set[str]:
    """Return what forbids keys to become an institution's."""
    problems = {"value_out_of_range"} if NO_KEY in keys else set()
    return problems | ({"key_in_use"} if len(set(keys)) < len(keys) or house.keys & set(keys) else set())
