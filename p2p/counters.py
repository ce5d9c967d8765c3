"""Counters of what passes on a connection, for metrics."""


class LinkCounters:
    """Count what passes; the owner may share one between successive connections."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "connects",
        "frames_dropped",
        "frames_in",
        "frames_out",
        "violations",
    )

    def __init__(self) -> None:
        self.frames_in = 0
        self.frames_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.frames_dropped = 0
        self.connects = 0
        self.violations = 0
