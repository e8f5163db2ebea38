"""The client for programs without an event loop: Flask, Django, Celery, scripts.

It is the other client, on an event loop in a thread of its own, which begins with the first use and ends with `close`.
Events come over from there many at a time.
"""

import asyncio
import concurrent.futures
import inspect
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Unpack

from twinwire.aio import AsyncTwinwire
from twinwire.batch import Batch
from twinwire.blocking_room import BlockingRoom, BlockingWatch
from twinwire.chooser import TRANSPORTS, Transport
from twinwire.connection import State
from twinwire.cursor import is_cursor
from twinwire.errors import ClosedError, ForkedError, InvalidError
from twinwire.event import About, Draft, Event, Gap, Page, Snapshot
from twinwire.inbox import Position
from twinwire.passing import Heard
from twinwire.portal import Portal
from twinwire.presence import Told
from twinwire.reading import Where
from twinwire.roll import Change, Roll
from twinwire.store import CursorStore
from twinwire.subscription import Subscription
from twinwire.timing import Timing
from twinwire.token import Source

BUNCH: Final = 500
"""Events that come over from the other thread at a time."""

_asking: Final = threading.local()
"""`client`: for which this thread asks a program's function for a token."""


class Twinwire:
    """A Twinwire service: `with Twinwire("https://live.example") as live`, or made once a process and closed at its
    end.

    Arguments as of `AsyncTwinwire`. It may be used by several threads. After a fork the child can't use what its parent
    has used before: it is told so (ForkedError). One that was only made, and not used, is the child's own.
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
        self._live = AsyncTwinwire(
            url, token=self._elsewhere(token), transports=transports, retry_for=retry_for, timing=timing
        )
        self._portal: Portal | None = None
        self._pid = 0
        self._is_closed = False
        self._lock = threading.Lock()

    def __enter__(self) -> "Twinwire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every subscription, all connections and the thread."""
        with self._lock:
            self._is_closed = True
            portal, self._portal = self._portal, None
        if portal is None or self._pid != os.getpid():
            return  # never used; or the parent's, whose thread is not here
        try:
            portal.call(self._live.aclose())
        finally:
            portal.close()

    def opened(self) -> Portal:
        """Raises ClosedError, ForkedError; InvalidError for a token's function that would wait for itself."""
        if getattr(_asking, "client", None) is self:
            raise InvalidError("a token's function can't use the client that it is for")
        with self._lock:
            if self._is_closed:
                raise ClosedError("this client is closed")
            if self._portal is None:
                self._portal, self._pid = Portal(), os.getpid()
            elif self._pid != os.getpid():
                raise ForkedError(
                    f"this client was used in process {self._pid}, of which {os.getpid()} is a fork: its thread and "
                    "its connections are there. Make one in each process, after the fork"
                )
            return self._portal

    def subscribe(
        self,
        *topics: str,
        after: str | None = None,
        store: CursorStore | None = None,
        ephemeral: Heard | None = None,
        presence: Callable[[Change], object] | None = None,
    ) -> "BlockingSubscription":
        """As `AsyncTwinwire.subscribe`, for `for`. `ephemeral` and `presence` are called in the client's own thread."""
        self.opened()
        loaded = store.load() if store is not None else None
        if inspect.iscoroutine(loaded):
            loaded.close()
        if inspect.isawaitable(loaded):
            raise TypeError("a store of coroutines is for AsyncTwinwire")
        after = loaded or after
        subscription = self._live.subscribe(*topics, after=after, ephemeral=ephemeral, presence=presence)
        return BlockingSubscription(self, subscription, after, store)

    def history(self, *topics: str, **where: Unpack[Where]) -> Page:
        """As `AsyncTwinwire.history`."""
        return self.opened().call(self._live.history(*topics, **where))

    def latest(self, *topics: str, count: int = 1) -> list[Event]:
        """As `AsyncTwinwire.latest`."""
        return self.opened().call(self._live.latest(*topics, count=count))

    def state(self, *topics: str, subject: str | None = None, join: bool = False) -> Snapshot:
        """As `AsyncTwinwire.state`."""
        return self.opened().call(self._live.state(*topics, subject=subject, join=join))

    def publish(self, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> str:
        """As `AsyncTwinwire.publish`."""
        return self.opened().call(self._live.publish(topic, type, data, **about))

    def ephemeral(
        self, topic: str, type: str, data: Any = None, *, key: str | None = None, ttl: float | None = None
    ) -> None:
        """As `AsyncTwinwire.ephemeral`."""
        self.opened().call(self._live.ephemeral(topic, type, data, key=key, ttl=ttl))

    def place(
        self,
        place: str,
        *,
        data: Mapping[str, Any] | None = None,
        member: str | None = None,
        watch: bool = True,
        **told: Unpack[Told],
    ) -> BlockingRoom:
        """As `AsyncTwinwire.place`: `with live.place(...) as room`. What is given to be called is so in the client's
        own thread."""
        self.opened()
        return BlockingRoom(self.opened, self._live.place(place, data=data, member=member, watch=watch, **told))

    def watch(self, *places: str, **told: Unpack[Told]) -> BlockingWatch:
        """As `AsyncTwinwire.watch`: `with live.watch(...) as watch`."""
        self.opened()
        return BlockingWatch(self.opened, self._live.watch(*places, **told))

    def who(self, *places: str) -> list[Roll]:
        """As `AsyncTwinwire.who`."""
        return self.opened().call(self._live.who(*places))

    def publish_many(self, drafts: Iterable[Draft]) -> list[str]:
        """As `AsyncTwinwire.publish_many`."""
        return self.opened().call(self._live.publish_many(list(drafts)))

    def batch(self, linger_ms: float = 5.0) -> "BlockingBatch":
        """As `AsyncTwinwire.batch`: `with live.batch() as batch`."""
        self.opened()
        return BlockingBatch(self, self._live, linger_ms)

    def _elsewhere(self, token: Source | None) -> Source | None:
        """A function is called in a thread of its own: it may wait, and others' events come meanwhile."""
        if not callable(token) or inspect.iscoroutinefunction(token):
            return token

        def ask() -> Any:
            _asking.client = self
            try:
                return token()
            finally:
                _asking.client = None

        async def asked() -> str | None:
            found = await asyncio.to_thread(ask)
            text: str | None = await found if inspect.isawaitable(found) else found
            return text

        return asked


class BlockingSubscription:
    """`for event in subscription`, and `with subscription` to be sure that it has begun. As `Subscription`."""

    def __init__(
        self, client: Twinwire, subscription: Subscription, after: str | None, store: CursorStore | None
    ) -> None:
        self._client = client
        self._subscription = subscription
        self._store = store
        self._items: deque[Event | Gap | Position] = deque()
        self._taken = 0
        """Of all that came, how many were given out: what was fetched and did not arrive here is fetched again."""
        self._pid = os.getpid()
        self._pending: str | None = None
        self.cursor = after if is_cursor(after) else None
        """Behind the last event whose body has run."""

    @property
    def state(self) -> State:
        """As `Subscription.state`."""
        return self._subscription.state

    @property
    def transport(self) -> Transport | None:
        """As `Subscription.transport`."""
        return self._subscription.transport

    def __enter__(self) -> "BlockingSubscription":
        """Raises TwinwireError if it is refused."""
        self._client.opened().call(self._subscription.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._done()
        finally:
            self.close()

    def close(self) -> None:
        """As `Subscription.aclose`; nothing where its client is closed, or another process's."""
        self._items.clear()
        with suppress(ClosedError, ForkedError):
            self._client.opened().call(self._subscription.aclose())

    def __iter__(self) -> Iterator[Event | Gap]:
        return self

    def __next__(self) -> Event | Gap:
        """As `Subscription.__anext__`."""
        if self._pid != os.getpid():
            self._client.opened()  # says so
            raise ForkedError("this subscription was made in another process, of which this one is a fork")
        while True:
            if self._pending is not None:
                self._done()
            if not self._items:
                portal = self._client.opened()
                self._items.extend(portal.call(self._subscription.take(self._taken, BUNCH)))
                if not self._items:
                    raise StopIteration
            item = self._items.popleft()
            self._taken += 1
            self._pending = item.id
            if not isinstance(item, Position):
                return item

    def _done(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None or pending == self.cursor:
            return
        if self._store is not None:
            self._store.save(pending)
        self.cursor = pending


class BlockingBatch:
    """`with live.batch() as batch`: at its end everything is on disk, or TwinwireError says what was not. As
    `Batch`."""

    def __init__(self, client: Twinwire, live: AsyncTwinwire, linger_ms: float) -> None:
        self._client = client
        self._live = live
        self._linger_ms = linger_ms
        self._batch: Batch | None = None

    def __enter__(self) -> "BlockingBatch":
        async def entered() -> Batch:
            return await self._live.batch(self._linger_ms).__aenter__()

        self._batch = self._client.opened().call(entered())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._batch is not None
        self._client.opened().call(self._batch.__aexit__(kind, error, traceback))

    def add(self, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> "concurrent.futures.Future[str]":
        """Takes it along, once there is room; `result()` of what it gives is the id, once it is on disk. Raises
        InvalidError, ClosedError."""
        if self._batch is None:
            raise ClosedError("the batch was never entered: with live.batch() as batch")
        portal = self._client.opened()
        return portal.call(_handed_over(self._batch, topic, type, data, about))

    def publish(self, topic: str, type: str, data: Any = None, **about: Unpack[About]) -> str:
        """As `add`, and waits for the id. Raises TwinwireError."""
        return self.add(topic, type, data, **about).result()


async def _handed_over(
    batch: Batch, topic: str, type: str, data: Any, about: About
) -> "concurrent.futures.Future[str]":
    """What is added, as a future for another thread."""
    id = await batch.add(topic, type, data, **about)
    other: concurrent.futures.Future[str] = concurrent.futures.Future()

    def tell(done: "asyncio.Future[str]") -> None:
        if not other.set_running_or_notify_cancel():
            return  # the program does not want to know any more
        if done.cancelled():
            other.set_exception(ClosedError("the batch ended before it was sent"))
        elif error := done.exception():
            other.set_exception(error)
        else:
            other.set_result(done.result())

    id.add_done_callback(tell)
    return other
