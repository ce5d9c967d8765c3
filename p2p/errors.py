"""Errors of the network layer, one drawn tree.

Here are failures of others (a peer, a stranger, the network) and of the local configuration. None of them may
stop the node: the connection concerned is closed, the cause is counted and shown.

    PeerError
    |- FrameError            the byte stream is not a sequence of permitted frames
    |  |- FrameZeroLengthError
    |  |- FrameUnknownKindError
    |  |- FrameWrongLaneError
    |  '- FrameOversizeError
    |- CertificateMalformedError
    |- HelloMalformedError
    |- HandshakeRefusedError   one side said no, with a reason that people can read
    |- HandshakeTimeoutError
    |- LinkLostError           the connection ended (also: by a TLS alert)
    |- LinkSilentError         nothing arrived for too long
    |- LinkReplacedError       the same peer opened a newer connection
    '- LinkDroppedError        this node no longer wants the connection
    ConfigurationError         a value given by the composer is unusable (a ValueError)
"""

from enum import IntEnum
from typing import ClassVar


class RefusalReason(IntEnum):
    """Say why a connection is refused. The numbers are on the wire and never change meaning."""

    OTHER = 0
    """A reason that this version does not know; the text says more."""
    WRONG_PROTOCOL = 1
    WRONG_CHAIN = 2
    NO_COMMON_VERSION = 3
    UNKNOWN_KEY = 4
    WRONG_INDEX = 5
    """Said by earlier versions, which compared indexes; kept so that its number means nothing else."""
    WRONG_LANE = 6
    WRONG_DIRECTION = 7


class PeerError(Exception):
    """Be the root of everything that a peer or the network can do wrong."""

    code: ClassVar[str] = "peer"
    """Stable word for counters and logs."""


class FrameError(PeerError):
    """Be the root of violations of the frame format; the connection is closed."""

    code = "frame"


class FrameZeroLengthError(FrameError):
    """Report a frame of length zero: it has not even a kind."""

    code = "frame_zero_length"

    def __init__(self) -> None:
        super().__init__("frame of length zero")


class FrameUnknownKindError(FrameError):
    """Report a frame kind that is not permitted in this state of the connection."""

    code = "frame_unknown_kind"

    def __init__(self, *, kind: int) -> None:
        super().__init__(f"frame kind {kind} is unknown or not permitted here")
        self.kind = kind


class FrameWrongLaneError(FrameError):
    """Report a known frame kind that arrived on the lane of the other kinds."""

    code = "frame_wrong_lane"

    def __init__(self, *, kind: int) -> None:
        super().__init__(f"frame kind {kind} does not belong on this lane")
        self.kind = kind


class FrameOversizeError(FrameError):
    """Report a frame whose announced payload is larger than its kind permits (pitfalls P27)."""

    code = "frame_oversize"

    def __init__(self, *, kind: int, payload_bytes: int, bytes_max: int) -> None:
        super().__init__(f"frame kind {kind} announces {payload_bytes} bytes, permitted are {bytes_max}")
        self.kind = kind
        self.payload_bytes = payload_bytes
        self.bytes_max = bytes_max


class CertificateMalformedError(PeerError):
    """Report a certificate from which no public key can be read."""

    code = "certificate_malformed"


class HelloMalformedError(PeerError):
    """Report a HELLO or REFUSE payload that is too short or not well formed."""

    code = "hello_malformed"


class HandshakeRefusedError(PeerError):
    """Report a refusal, by this node (`is_by_peer` false) or by the other side."""

    code = "handshake_refused"

    def __init__(self, *, reason: RefusalReason, text: str, is_by_peer: bool) -> None:
        super().__init__(f"refused by {'the peer' if is_by_peer else 'this node'}: {text}")
        self.reason = reason
        self.text = text
        self.is_by_peer = is_by_peer


class HandshakeTimeoutError(PeerError):
    """Report that TLS and HELLO were not finished within `MeshLimits.handshake_ms`."""

    code = "handshake_timeout"

    def __init__(self) -> None:
        super().__init__("no complete handshake in time")


class LinkLostError(PeerError):
    """Report that the connection ended, with the words of the operating system or of TLS."""

    code = "link_lost"


class LinkSilentError(PeerError):
    """Report that nothing, not even a PING, arrived for too long."""

    code = "link_silent"

    def __init__(self) -> None:
        super().__init__("the peer was silent for too long")


class LinkReplacedError(PeerError):
    """Report that the peer opened a newer connection, or that a newer process of it answers."""

    code = "link_replaced"

    def __init__(self) -> None:
        super().__init__("replaced by a newer connection of the same peer")


class LinkDroppedError(PeerError):
    """Report that this node ended the connection: the peer left the table, or the mesh closes."""

    code = "link_dropped"


class ConfigurationError(ValueError):
    """Report an unusable value, naming its field."""

    def __init__(self, *, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail
