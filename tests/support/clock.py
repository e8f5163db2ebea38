"""Clocks that stand still until a test moves them."""


class ManualClock:
    """Call it for Unix milliseconds, as the log does."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> int:
        """Move by `seconds`, backwards if negative; returns the new time."""
        self.now += round(seconds * 1000)
        return self.now


class Monotonic:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now
