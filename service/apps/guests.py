"""All applications as one: what the front doors ask of them."""

from collections.abc import Sequence
from typing import Final

from service.apps.base import App
from service.core.errors import ForbiddenError
from service.core.event import Rule
from service.core.topics import TopicFilter
from service.stream.asgi import ASGI


class Guests:
    """Those that are on; the first that knows an answer gives it."""

    def __init__(self, apps: Sequence[App], *, has_hosts: bool = True) -> None:
        """`has_hosts`: requests under host names of theirs come here."""
        self._apps: Final = tuple(apps)
        self._hosting: Final = self._apps if has_hosts else ()

    def rule(self, topic: str, type: str) -> Rule | None:
        """What an event's data has to pass: the first application that has a rule for it decides.

        Raises ForbiddenError for what an application publishes alone.
        """
        owner = next((app.name for app in self._apps if app.owns(topic, type)), None)
        if owner is not None:
            raise ForbiddenError(f"{type!r} on {topic!r} is told by the application {owner} alone", field="type")
        return next((rule for app in self._apps if (rule := app.rule(topic, type)) is not None), None)

    def check_subjects(self, topic: str) -> None:
        """Raises ForbiddenError for a topic on which an application alone says what events are about."""
        owner = next((app.name for app in self._apps if app.owns_subjects(topic)), None)
        if owner is not None:
            detail = f"what events on {topic!r} are about is told by the application {owner} alone"
            raise ForbiddenError(detail, field="subject")

    def alias(self, path: str) -> TopicFilter | None:
        """The topics that a stream's path stands for; None if no application knows it. Raises NotFoundError."""
        return next((topics for app in self._apps if (topics := app.alias(path)) is not None), None)

    def host(self, host: str) -> ASGI | None:
        """Who answers under a Host field in place of the service; None if that does."""
        return next((found for app in self._hosting if (found := app.host(host)) is not None), None)

    def frames(self, host: str) -> tuple[str, ...]:
        """What pages that were asked for under this Host may show in frames."""
        return tuple(source for app in self._hosting for source in app.frames(host))

    async def leave(self) -> None:
        """The service is going away."""
        for app in self._apps:
            await app.leave()
