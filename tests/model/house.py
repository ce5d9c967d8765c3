"""The consortium: who is in, with which key, and what is voted on (contract 5; ADR 0021)."""

from dataclasses import dataclass, field

from chain.contract.governance_calls import Payload


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
class House:
    """The consortium."""

    offices: dict[str, Office] = field(default_factory=dict)
    keys: set[bytes] = field(default_factory=set)
    """Every key that an institution uses or ever used."""
    revoked: set[bytes] = field(default_factory=set)
    """Those that a recovery key has called stolen."""
    proposals: dict[bytes, Proposal] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)

    @property
    def live(self) -> dict[bytes, Proposal]:
        """What is open or waits for its day."""
        return {name: one for name, one in self.proposals.items() if one.status in ("open", "accepted")}

    def has_lost(self, name: str, key: bytes) -> bool:
        """Tell whether a signature counts no more: by a key that was revoked, or of somebody who was let go."""
        office = self.offices.get(name)
        return office is not None and (office.has_left or key in self.revoked)
