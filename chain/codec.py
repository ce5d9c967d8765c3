"""The one canonical encoding of everything that is hashed, signed or stored.

Msgpack of `msgspec.Struct(array_like=True, frozen=True, forbid_unknown_fields=True)` (design 2). Bytes are
accepted only if they re-encode to themselves, so each value has exactly one encoding, and the size is bounded
before anything is decoded. JSON is for people and never reaches this module.
"""

from typing import Generic, TypeVar

import msgspec

from chain.errors import DecodeError

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


def encode(value: object) -> bytes:
    """Encode a struct (or a tuple of plain values) canonically."""
    return _encoder.encode(value)


class Codec(Generic[T]):
    """Decode one type strictly: bounded, typed and canonical.

    Raises `DecodeError` (the sender's fault) with the reason: too large, malformed, wrong type or out of range,
    or not canonical.
    """

    def __init__(self, decoded_type: type[T] | object, bytes_max: int, name: str) -> None:
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(decoded_type)
        self.bytes_max = bytes_max
        self.name = name

    def validate(self, value: T) -> None:
        """Raise `DecodeError` where a value of ours could not be read back: too large, or a field out of its range."""
        try:
            data = _encoder.encode(value)
            self._decoder.decode(data)
        except (msgspec.DecodeError, OverflowError) as error:
            raise DecodeError(what=self.name, reason=str(error)) from error
        if len(data) > self.bytes_max:
            raise DecodeError(what=self.name, reason=f"{len(data)} bytes, at most {self.bytes_max} are allowed")

    def decode(self, data: bytes) -> T:
        """Return the value whose canonical encoding is `data`."""
        if len(data) > self.bytes_max:
            raise DecodeError(what=self.name, reason=f"{len(data)} bytes, at most {self.bytes_max} are allowed")
        try:
            value = self._decoder.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise DecodeError(what=self.name, reason=str(error)) from error
        if _encoder.encode(value) != data:
            raise DecodeError(what=self.name, reason="the encoding is not canonical")
        return value
