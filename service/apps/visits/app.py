"""The record of visits as an application of the service."""

from collections.abc import Sequence
from typing import ClassVar

from service.apps.base import App, Ground
from service.apps.visits.visits import OWN_TYPES, Visits
from service.core.topics import TopicFilter
from service.log.base import Ability, require


class VisitsApp(App):
    """Rides along where `TWINWIRE_PRESENCE_LOG` names places."""

    name: ClassVar[str] = "visits"

    def __init__(self, places: Sequence[str]) -> None:
        """`places` are filters, one at least. Raises InvalidError for what is none."""
        self._places = TopicFilter(tuple(places))
        self._visits: Visits | None = None

    async def open(self, ground: Ground) -> None:
        """Raises UnsupportedError if the log's engine has no statements, StorageError if the table can't be read."""
        require(ground.bus, Ability.STATEMENTS)
        self._visits = Visits(ground.bus, await ground.tables(), ground.presence, ground.clock, self._places)

    async def start(self) -> None:
        """Raises StorageError."""
        if self._visits is None:
            raise RuntimeError("the application is not open")
        await self._visits.start()

    async def close(self) -> None:
        if self._visits is not None:
            await self._visits.close()

    def owns(self, topic: str, type: str) -> bool:
        return type in OWN_TYPES
