"""Events of calls that need several signatures (halves.py)."""

from msgspec import Struct


class _HalfEvent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base of every event of a half-signed call."""

    call_hash: bytes
    """SHA-256 under which the halves meet."""
    name: str
    """Name of the call."""


class HalfSigned(_HalfEvent, frozen=True, tag="half_signed"):
    """A party signed a call that needs several."""

    organisation: str
    """Who signed; "-" where it was a key of no organisation."""
    missing: tuple[str, ...]
    """Roles that have not signed; "key" stands for a key. Empty: the call was carried out."""


class HalfExpired(_HalfEvent, frozen=True, tag="half_expired"):
    """A call was not completed within its days and is forgotten."""


HalfEvent = HalfSigned | HalfExpired
"""Every event of a half-signed call."""
