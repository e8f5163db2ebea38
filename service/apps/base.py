"""The contract of an application that rides on the bus.

An application publishes events, and what belongs to them, under topics of its own; pages and programs read them as any
others. It is a guest: nothing outside its folder knows it but the composition root, which is handed it.

Its life: made with its settings; `open` when log and bus are there and before anybody is served; `start` when the rest
of the service is; `close` before the bus. In between it is asked, on the event loop and never to wait:

- `rule(topic, type)`: what an event's data has to pass before it is stored;
- `owns(topic, type)`: whether an event is its own to publish, so that nobody can lie about what it does;
- `owns_subjects(topic)`: whether only it says what an event there is about, since whoever does changes a state;
- `alias(path)`: which topics `/api/ws/{path}` and `/api/sse/{path}` stand for;
- `host(host)`: who answers under a host name that is the application's alone, in place of the whole service;
- `frames(host)`: what the service's pages may show in frames.

What it serves, `routes` and `pages`, and what of it `describe` tells are asked once, after `open`.
Only `name` has to be given: an application of one route needs nothing else of this.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from service.core.event import Draft, Rule
from service.core.time import Clock
from service.core.topics import TopicFilter
from service.log.base import Ability, Guard, Page, Receipt, Search, Statement, Tables
from service.openapi import Description
from service.stream.asgi import ASGI

if TYPE_CHECKING:
    from quart import Blueprint


class Bus(Protocol):
    """The part of `service.bus.bus.EventBus` that an application uses."""

    @property
    def head(self) -> int:
        """The offset of the newest event; 0 before the first."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the log can do beside events; `service.log.base.require` asks for it."""

    async def publish(
        self, drafts: Sequence[Draft], also: Sequence[Statement] = (), guards: Sequence[Guard] = ()
    ) -> Receipt:
        """Commit drafts and statements in one transaction, if all guards hold. Raises TwinwireError."""

    async def reach(self, offset: int) -> None:
        """Return once the head is at `offset` or beyond."""

    async def trim(self, topics: TopicFilter, keep: int) -> int:
        """Keep the newest `keep` events of each matching topic; returns how many went."""

    def cursor(self, offset: int) -> str: ...


class History(Protocol):
    """The part of `service.bus.reading.Reading` that an application uses."""

    async def search(self, search: Search) -> Page:
        """A page of what was published. Raises StorageError."""


class Passage(NamedTuple):
    """Users came to a place with their first member, or went with their last. `users` and `members` are what it has
    now."""

    place: str
    came: tuple[str, ...]
    went: tuple[str, ...]
    users: int
    members: int


class Company(Protocol):
    """The part of presence that an application uses: members of this process, who need no connection and no lease, and
    are gone with it; and who came and went.

    A member's id begins with a colon, which nobody's does who comes from outside. Nothing of it waits, and all of it is
    told with the next batch.
    """

    def enter(self, place: str, member: str, *, user: str | None = None, data: Mapping[str, Any] | None = None) -> bool:
        """Be at a place, or go on there with these data; without, with those that are there. False if there is no room
        for one more. Raises InvalidError for a place, an id or data that none can have."""

    def update(self, place: str, member: str, data: Mapping[str, Any]) -> bool:
        """Other data, all of them. False if it is not there. Raises InvalidError as `enter`."""

    def leave(self, place: str, member: str) -> bool:
        """Be there no more. False if it was not."""

    def users(self, place: str) -> Mapping[str, int]:
        """How many members each user has there, as was told last."""

    def follow(self, callback: Callable[[Passage], None]) -> Callable[[], None]:
        """Call with each place at which users came or went, once a batch, until what is returned is called. It must
        neither wait nor raise. Who is there by members of this process alone is not among them."""


class Alone:
    """Where there is no presence: a `Company` of nobody."""

    def enter(self, place: str, member: str, *, user: str | None = None, data: Mapping[str, Any] | None = None) -> bool:
        return False

    def update(self, place: str, member: str, data: Mapping[str, Any]) -> bool:
        return False

    def leave(self, place: str, member: str) -> bool:
        return False

    def users(self, place: str) -> Mapping[str, int]:
        return {}

    def follow(self, callback: Callable[[Passage], None]) -> Callable[[], None]:
        return lambda: None


@dataclass(frozen=True, slots=True)
class Ground:
    """What an application stands on. `tables` opens a door to what its statements write, for it to close.

    `is_guarded`: who comes has to say who he is. `has_hosts`: requests under other host names come here too, so that
    `App.host` is asked; not so where the service is mounted in another application. `presence` is who is where.
    """

    bus: Bus
    history: History
    clock: Clock
    tables: Callable[[], Awaitable[Tables]]
    is_guarded: bool = False
    has_hosts: bool = False
    presence: Company = field(default_factory=Alone)


class App:
    """See the module. What an application does not have, it leaves as it is here."""

    name: ClassVar[str]
    """As in `TWINWIRE_APPS`: lower-case letters, digits and hyphens."""
    variables: ClassVar[frozenset[str]] = frozenset()
    """Names of its own settings, `TWINWIRE_...`: others that begin so are told to be unknown."""

    async def open(self, ground: Ground) -> None:
        """Get ready. Raises TwinwireError: then the service does not start, and says why."""

    async def start(self) -> None:
        """Begin to work by itself, such as to go on with what an earlier process left."""

    async def leave(self) -> None:
        """The service is going away: end what is under way below `host`, and let nobody in there."""

    async def close(self) -> None:
        """Stop, and let go of everything. Called once, also if `start` was not."""

    def routes(self) -> "Sequence[Blueprint]":
        """Resources, below `/api/{name}`."""
        return ()

    def alias(self, path: str) -> TopicFilter | None:
        """The topics that a stream's `path` stands for; None if it is none of ours.

        Raises NotFoundError, with the topics that it would stand for: who may not read those is told that instead.
        """
        return None

    def host(self, host: str) -> ASGI | None:
        """Who answers a request with this Host field, before anything of the service is asked; None for a name that is
        none of the application's. Asked with every request: by the name's looks alone, and always the same.

        It checks by itself who comes, and bounds what it holds. Its origin is never the service's own (`origins.py`):
        nothing of the service answers there.
        """
        return None

    def frames(self, host: str) -> Sequence[str]:
        """Sources (CSP 3, 2.3.1) that the pages, asked for under this Host, may show in frames: of such names alone."""
        return ()

    def rule(self, topic: str, type: str) -> Rule | None:
        """What the data of such an event has to pass, by whomever it is published; None if any will do."""
        return None

    def owns(self, topic: str, type: str) -> bool:
        """Whether events of this type on this topic are published by the application alone: others get 403."""
        return False

    def owns_subjects(self, topic: str) -> bool:
        """Whether events with a subject on this topic, of whatever type, are published by the application alone."""
        return False

    def describe(self) -> Description | None:
        """Its part of the OpenAPI document: every route, every alias."""
        return None

    def pages(self) -> Mapping[str, Path]:
        """Files to serve at the top, by name: `{"votes.html": Path(...)}`. The name "" is what `/` shows."""
        return {}
