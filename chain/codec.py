"""The one canonical encoding of everything that is hashed, signed or stored.

Msgpack of `msgspec.Struct(array_like=True, frozen=True, forbid_unknown_fields=True)` (design 2). Bytes are
accepted only if they re-encode to themselves, so each value has exactly one encoding, and the size is bounded
before anything is decoded. JSON is for people and never reaches this module.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from chain.errors import DecodeError

T = TypeVar("T")

encode: Final[Callable[[object], bytes]] = msgspec.msgpack.Encoder().encode
"""Encode a struct (or a tuple of plain values) canonically; the encoder's own method, as it is called everywhere."""


class Codec(Generic[T]):
    """Decode one type strictly: bounded, typed and canonical.

    Raises `DecodeError` (the sender's fault) with the reason: too large, malformed, wrong type or out of range,
    or not canonical.
    """

    def __init__(self, decoded_type: type[T] | object, bytes_max: int, name: str) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(decoded_type)
        self.bytes_max = bytes_max
        self.name = name

    def encode_checked(self, value: T) -> bytes:
        """Return the canonical bytes of a value of ours.

        Raises `DecodeError` where they could not be read back: too large, or a field out of its range.
        """
        try:
            data = encode(value)
            self._decoder.decode(data)
        except (msgspec.DecodeError, OverflowError) as error:
            raise DecodeError(what=self.name, reason=str(error)) from error
        if len(data) > self.bytes_max:
            raise DecodeError(what=self.name, reason=f"{len(data)} bytes, at most {self.bytes_max} are allowed")
        return data

    def decode(self, data: bytes) -> T:
        """Return the value whose canonical encoding is `data`."""
        if len(data) > self.bytes_max:
            raise DecodeError(what=self.name, reason=f"{len(data)} bytes, at most {self.bytes_max} are allowed")
        try:
            value = self._decoder.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise DecodeError(what=self.name, reason=str(error)) from error
        if encode(value) != data:
            raise DecodeError(what=self.name, reason="the encoding is not canonical")
        return value
