"""What a stream has beside its events: who hears ephemeral ones for it, and who watches places."""

from typing import Any, Final

from service.bus.ephemeral import EphemeralBus
from service.bus.presence import PresenceBus
from service.core.topics import TopicFilter
from service.stream.eyes import BLIND, Eyes
from service.stream.hearing import DEAF, Ears, Hearing
from service.stream.watching import Watching


class Beside:
    """Of one stream."""

    __slots__ = ("hearing", "is_lost", "watching")

    def __init__(self) -> None:
        self.hearing: Ears = DEAF
        self.watching: Eyes = BLIND
        self.is_lost = False
        """Its client left without a word: the line may have been cut."""

    def has_sent(self) -> bool:
        """Whether the client was sent any of it since this was asked last."""
        heard, seen = self.hearing.has_sent(), self.watching.has_sent()
        return heard or seen

    def change(self, topics: TopicFilter) -> None:
        """The stream has another filter."""
        self.hearing.change(topics)
        self.watching.change(topics)

    def close(self) -> None:
        """Once, with the stream."""
        self.hearing = self.hearing.close()
        self.watching = self.watching.close()


class Besides:
    """Gives streams what they ask for."""

    def __init__(self, ephemeral: EphemeralBus, presence: PresenceBus) -> None:
        self._ephemeral = ephemeral
        self.presence: Final = presence

    def listen_in(self, stream: Any, *, hears: bool) -> None:
        """Whether it gets ephemeral events from now on."""
        beside: Beside = stream.beside
        if not hears:
            beside.hearing = beside.hearing.close()
        elif beside.hearing is DEAF:
            beside.hearing = Hearing(self._ephemeral, stream)

    def follow(self, stream: Any, *, watches: bool) -> None:
        """Whether it watches what it is about from now on."""
        if watches:
            self.eyes(stream).follow(stream.subscription.topics)
        elif isinstance(eyes := stream.beside.watching, Watching):
            eyes.follow(None)

    def eyes(self, stream: Any) -> Watching:
        """Who watches for it, also if it has asked for nothing yet."""
        beside: Beside = stream.beside
        found = beside.watching
        if not isinstance(found, Watching):
            found = beside.watching = Watching(self.presence, stream)
        return found
