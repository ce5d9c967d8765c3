"""The clocks of the machine; nothing below `node/` reads them."""

import time


class SystemClock:
    """Wall and monotonic time in milliseconds."""

    def wall_ms(self) -> int:
        """Return milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def now_ms(self) -> int:
        """Return monotonic milliseconds."""
        return time.monotonic_ns() // 1_000_000
