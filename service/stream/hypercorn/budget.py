"""What one peer may ask for without saying anything: so much at once, and so much a second."""


class Budget:
    """A bucket of `most`, filled again at `rate` a second. Times are in seconds, of whichever clock is asked."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, most: float, rate: float, now: float) -> None:
        self._most = most
        self._rate = rate
        self._left = most
        self._at = now

    def take(self, cost: float, now: float) -> bool:
        """False if that is more than there is: it was taken nevertheless, so that asking again does not help."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate) - cost
        self._at = now
        return self._left >= 0

    def settle(self) -> None:
        """Owe no more than there is at most: where asking too often is only remembered for a while."""
        self._left = max(self._left, -self._most)

    def give(self, credit: float) -> None:
        """For what the peer has to say because of us."""
        self._left = min(self._most, self._left + credit)
