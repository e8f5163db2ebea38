"""What is heard of a model while it answers, between the task that listens and the agent that shows it."""

from typing import NamedTuple


class Heard(NamedTuple):
    """Since the last look: text to show, and notes, in their order."""

    text: str
    notes: tuple[str, ...]


class Hearing:
    """Of one question. One task tells it, another one takes; neither waits for the other."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._notes: list[str] = []
        self._before = 0
        self._now = 0
        self.has_begun = False
        """Whether this try has said something."""

    @property
    def tokens(self) -> int:
        """Used so far, as told or estimated, in all tries."""
        return self._before + self._now

    def begin(self) -> None:
        """Another try."""
        self._before, self._now = self.tokens, 0
        self.has_begun = False

    def hear(self, text: str) -> None:
        self.has_begun = True
        if text:
            self._text.append(text)

    def note(self, text: str) -> None:
        self._notes.append(text)

    def count(self, tokens: int) -> None:
        """So many were used in this try."""
        self._now = tokens

    def take(self) -> Heard:
        heard = Heard("".join(self._text), tuple(self._notes))
        self._text.clear()
        self._notes.clear()
        return heard
