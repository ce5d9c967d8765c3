"""The drawn tree of errors (conventions 12).

Theirs: `GongjiError` and its children carry a code of the one catalogue (`chain/catalogue.py`) and the values that
explain it. Ours: `InvariantViolation` stops the node.

    Exception
    +-- GongjiError                 somebody else's fault: typed, answered, nothing changed
    |   +-- DecodeError             bytes that are not the one canonical encoding
    |   +-- ProofError              a proof that does not show what it claims
    |   +-- Refusal                 a rule says no: submit checks, contract guards
    |   +-- InvalidBlock            a block that no validator may vote for
    |   +-- ConfigError             genesis or configuration: names the field
    +-- InvariantViolation          our fault: the node stops rather than go on from a wrong state
    +-- StoreError                  the disk or its contents cannot be trusted: the node stops
"""

from collections.abc import Mapping

from chain.catalogue import Entry, get_entry


class GongjiError(Exception):
    """An error that the other side caused; `code` names its catalogue entry, `values` say what, where and how much."""

    def __init__(self, code: str, **values: str | int) -> None:
        self.code = code
        self.entry: Entry = get_entry(code)
        self.values: Mapping[str, str | int] = values
        super().__init__(code)

    @property
    def detail(self) -> str:
        """Return the sentence with the values filled in."""
        listed = ", ".join(f"{name}={value}" for name, value in self.values.items())
        return f"{self.entry.title_en}: {listed}" if listed else self.entry.title_en

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class DecodeError(GongjiError):
    """Bytes that are too large, malformed or not canonical."""

    def __init__(self, *, what: str, reason: str) -> None:
        super().__init__("malformed", what=what, reason=reason)


class ProofError(GongjiError):
    """A proof that does not hold."""

    def __init__(self, reason: str) -> None:
        super().__init__("proof_invalid", reason=reason)


class Refusal(GongjiError):
    """A rule of admission or of the contract says no; nothing was changed."""


class InvalidBlock(GongjiError):
    """A block that breaks a rule of consensus section 4."""

    def __init__(self, reason: str, **values: str | int) -> None:
        super().__init__("block_invalid", reason=reason, **values)


class ConfigError(GongjiError):
    """A wrong genesis, plan file or configuration; `field` is its dotted path."""

    def __init__(self, *, field: str, reason: str) -> None:
        super().__init__("config_invalid", field=field, reason=reason)


class InvariantViolation(Exception):
    """A rule of our own was broken by us: stop the node."""


class StoreError(Exception):
    """The database is damaged, foreign, or failed to sync: stop the node, never repair."""
