"""The client for programs on asyncio."""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Unpack
from weakref import WeakSet

from twinwire.batch import Batch
from twinwire.beside import Beside
from twinwire.chooser import TRANSPORTS, Transport
from twinwire.connection import Connection
from twinwire.errors import ClosedError, ForkedError, InvalidError
from twinwire.event import About, Draft, Event, Page, Snapshot
from twinwire.http import Http
from twinwire.inbox import Inbox
from twinwire.listing import list_who
from twinwire.passing import Heard, send_ephemeral
from twinwire.place import Place
from twinwire.presence import Room, Told, Watch, told_of
from twinwire.publishing import Publisher
from twinwire.reading import Reads, Where, filters
from twinwire.roll import Change, Roll
from twinwire.store import CursorStore
from twinwire.subscription import Subscription
from twinwire.timing import Timing
from twinwire.token import Source, Token
from twinwire.watching import Watching


class AsyncTwinwire:
    """A Twinwire service: `async with AsyncTwinwire("https://live.example") as live`.

    `url` may have a path prefix; without one it is that of `TWINWIRE_URL`, else `http://127.0.0.1:8000`. `token` is a
    JWT, or a function, also an asynchronous one, that gives one: it is asked for the first, and again when one ends
    or is refused. Without it, it is that of `TWINWIRE_TOKEN`, if there is one. `transports`, best first, are those that
    subscriptions may use. `retry_for`: seconds for which publishing is tried again, 30 without it.

    Of one event loop and one process. Raises InvalidError for a URL or a token that can't be one.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: Source | None = None,
        transports: Sequence[Transport] = TRANSPORTS,
        retry_for: float | None = None,
        timing: Timing | None = None,
    ) -> None:
        if not transports or not set(transports) <= set(TRANSPORTS) or len(set(transports)) < len(transports):
            raise InvalidError(f"transports are some of {', '.join(TRANSPORTS)}, each once")
        self._place = Place(url)
        self._token = Token(token)
        self._transports = tuple(transports)
        self._timing = timing or Timing()
        if retry_for is not None:
            self._timing = replace(self._timing, publish=retry_for)
        self._http: Http | None = None
        self._pid = 0
        self._is_closed = False
        self._connections: set[Connection] = set()
        self._watches: WeakSet[Watch] = WeakSet()

    async def __aenter__(self) -> "AsyncTwinwire":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Leaves every place, ends every subscription, and lets go of all connections."""
        self._is_closed = True
        if self._pid != os.getpid():
            return  # of another process, if of any
        await asyncio.gather(*(watch.aclose() for watch in list(self._watches)))
        await asyncio.gather(*(connection.close() for connection in list(self._connections)))
        if self._http is not None:
            await self._http.close()

    def _ready(self) -> Http:
        """Raises ClosedError, ForkedError."""
        if self._is_closed:
            raise ClosedError("this client is closed")
        if self._http is None:
            self._http, self._pid = Http(self._place, self._token, self._timing), os.getpid()
        elif self._pid != os.getpid():
            raise ForkedError(
                f"this client was opened in process {self._pid}, of which {os.getpid()} is a fork: its connections are "
                "shared with it. Make one in each process, after the fork"
            )
        return self._http

    # -- reading

    def subscribe(
        self,
        *topics: str,
        after: str | None = None,
        store: CursorStore | None = None,
        ephemeral: Heard | None = None,
        presence: Callable[[Change], object] | None = None,
    ) -> Subscription:
        """Events of these topics and filters (all that the token is for, without any), and `Gap`s where something
        can't be delivered any more.

        `after` is a cursor, `earliest` or `latest`; from now without it. `store` keeps the cursor: what it holds beats
        `after`. Nothing is lost and nothing comes twice, whatever cuts the connection, as long as the subscription
        lives; and from one process to the next with a store, but for the event whose body did not end. `ephemeral` is
        called with each event that is not kept, as it comes and at most once, while the subscription is live;
        `presence` with who is at these topics, and comes and goes. Neither may wait. Raises InvalidError.
        """
        wanted = filters(topics)
        self._place.url("sse", [*(("topic", topic) for topic in wanted), ("after", after)])  # or it raises at once

        def connect(stored: str | None, inbox: Inbox) -> Connection:
            http = self._ready()
            watching = None if presence is None else told_of(http, wanted, presence)
            return self._connected(http, wanted, stored or after, inbox, Beside(ephemeral, watching))

        return Subscription(connect, store)

    def _connected(
        self, http: Http, topics: Sequence[str], after: str | None, inbox: Inbox, beside: Beside
    ) -> Connection:
        """One that is known until it ends."""
        connection = Connection(http, topics, after, self._transports, inbox, beside=beside)
        self._connections.add(connection)
        connection.whenever_done(lambda: self._connections.discard(connection))
        if beside.watching is not None:
            connection.whenever_done(beside.watching.close)
        return connection

    async def history(self, *topics: str, **where: Unpack[Where]) -> Page:
        """One page of what is kept, from the oldest event on unless it says where (`after`, `before`, `order`, and
        `type`, `since`, `until`); `page.cursor` is where to go on. 500 events without `limit`, 1,000 at most. Raises
        TwinwireError."""
        return await Reads(self._ready()).history(topics, **where)

    async def latest(self, *topics: str, count: int = 1) -> list[Event]:
        """The newest `count` events, oldest first. Raises TwinwireError."""
        return await Reads(self._ready()).latest(topics, count)

    async def state(self, *topics: str, subject: str | None = None, join: bool = False) -> Snapshot:
        """The latest of each subject, of this one alone if it is given; `join`: a text that was appended to is one
        event. Raises TwinwireError."""
        return await Reads(self._ready()).state(topics, subject=subject, join=join)

    # -- who is there

    def place(
        self,
        place: str,
        *,
        data: Mapping[str, Any] | None = None,
        member: str | None = None,
        watch: bool = True,
        **told: Unpack[Told],
    ) -> Room:
        """`async with live.place("projects/42", data={"name": "Ada"}) as room`: to be there, and to see who else is.

        `data` is a JSON object, of which others see all; `member` the id, which a program that is started again keeps
        if it gives one. With `watch=False` it is only there, and needs neither a stream nor the right to subscribe.
        `came`, `went` and `change` are called with what happens after it was entered (`Told`). Raises InvalidError.
        """
        room = Room(self._ready, self._watch_stream((place,)), place, told, data=data, member=member, watch=watch)
        self._watches.add(room)
        return room

    def watch(self, *places: str, **told: Unpack[Told]) -> Watch:
        """`async with live.watch("projects/*") as watch`: who is there, comes and goes, at these places and filters
        (all that the token is for, without any). Calls as of `place`, from those who are there on."""
        wanted = filters(places)
        watch = Watch(self._ready, self._watch_stream(wanted), wanted, told)
        self._watches.add(watch)
        return watch

    def _watch_stream(self, places: Sequence[str]) -> Callable[[Watching, Inbox], Connection]:
        def connect(watching: Watching, inbox: Inbox) -> Connection:
            beside = Beside(watching=watching, is_alone=True)
            return self._connected(self._ready(), places, "latest", inbox, beside)

        return connect

    async def who(self, *places: str) -> list[Roll]:
        """Who is at these places and filters now (all that the token is for, without any), everybody of them; a place
        that is named is in it also if nobody is there. Raises TwinwireError."""
        return await list_who(self._ready(), filters(places))

    # -- publishing

    async def publish(self, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> str:
        """Publishes one event (`key`, `subject`, `append`, `final` as in `Draft`); its id, which is the cursor after
        it, once it is on disk. Tried again for `retry_for` seconds, and never published twice. Raises TwinwireError."""
        return await Publisher(self._ready()).one(Draft(topic, type, data, **about))

    async def ephemeral(
        self, topic: str, type: str, data: Any = None, *, key: str | None = None, ttl: float | None = None
    ) -> None:
        """Sends one event that is not kept, to whoever is live and has asked: tried once, and nothing is promised. Of
        several with the same `key` that are on their way, the newest comes. `ttl` is in seconds. Raises TwinwireError.
        """
        await send_ephemeral(self._ready(), Draft(topic, type, data, key), ttl)

    async def publish_many(self, drafts: Iterable[Draft]) -> list[str]:
        """Publishes them in their order, in requests of at most 1,000 events and 1 MiB, each all or nothing; the ids.
        Raises TwinwireError for the first request that is refused; its `stored` are the ids of those before."""
        return await Publisher(self._ready()).many(drafts)

    def batch(self, linger_ms: float = 5.0) -> Batch:
        """`async with live.batch() as batch`: many publishes at once become few requests. `linger_ms`: for how long the
        first one waits for others."""
        return Batch(Publisher(self._ready()), linger_ms / 1_000)
