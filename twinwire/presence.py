"""Who is at a place, and to be there oneself (docs/protocol.md, section 11): what programs use of it.

A `Watch` is a stream of its own, of which only what it says of people is taken. A `Room` is a watch of one place with a
member there (`holding.py`), bound to the stream that works, or, where that is polls or there is none, to a lease.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypedDict

from twinwire.chooser import Transport
from twinwire.connection import Connection, State
from twinwire.errors import ClosedError, InvalidError, TwinwireError
from twinwire.holding import Holding, member_id, merged, object_of
from twinwire.http import Http
from twinwire.inbox import Inbox, Item
from twinwire.logs import logger
from twinwire.roll import Change, Changes, Key, Member, Roll, User
from twinwire.watching import Watching

LISTED: Final = 3.0
"""Seconds for which who enters waits to be in the list: the service tells of it within a quarter of one."""

COMING_BACK: Final = frozenset({"closed", "lost", "expired", "node"})
"""Why a member may have gone of whom the program wants that it is there: it enters again."""

Connect = Callable[[Watching, Inbox], Connection]
"""Makes the stream."""


class Told(TypedDict, total=False):
    """What is called as it happens, in this order; none of it may wait. `came` with a user whose first member is there,
    `went` with one whose last member has gone, as he was, `change` with all of it."""

    came: Callable[[User], object] | None
    went: Callable[[User], object] | None
    change: Callable[[Change], object] | None


class Unread(Inbox):
    """Of a stream whose events nobody wants."""

    def put(self, item: Item) -> None:
        """It is passed over."""


@dataclass(slots=True)
class Teller:
    """Calls what a program has given, with what it was not told yet. A fault of the program's is in the log."""

    told: Told
    changes: Changes

    def tell(self) -> None:
        while change := self.changes.take():
            for user in change.came:
                self._call("came", user)
            for user in change.went:
                self._call("went", user)
            self._call("change", change)

    def _call(self, name: str, what: User | Change) -> None:
        act: Any = self.told.get(name)
        if act is None:
            return
        try:
            act(what)
        except Exception:
            logger.exception("what was to be told who is there has failed")


def told_of(http: Http, places: Sequence[str], change: Callable[[Change], object]) -> Watching:
    """What a subscription's stream says of who is there, for a function."""
    teller = Teller({"change": change}, Changes())

    def saw(roll: Roll, reasons: Mapping[Key, str | None]) -> None:
        teller.changes.note(roll, reasons)
        teller.tell()

    return Watching(http, places, saw)


class Watch:
    """`async with live.watch("projects/*") as watch`, and `async for change in watch`: who comes, goes and changes, and
    at first who is there. A program that is slow is told less often, and never something that is not so any more.

    It goes on over reconnects. Whoever was there before one counts as there for ten seconds after it, unless the
    service says that he has gone.
    """

    def __init__(self, http: Callable[[], Http], connect: Connect, places: Sequence[str], told: Told) -> None:
        self._get_http = http
        self._connect = connect
        self._places = tuple(places)
        self._inbox = Unread()
        self._changes = Changes()
        self._teller = Teller(told, Changes())
        self._news = asyncio.Event()
        self._watching: Watching | None = None
        self._connection: Connection | None = None
        self._error: TwinwireError | None = None
        self._is_closed = False
        self._count = 0
        self._last: Change | None = None
        """The change that was given out last, and how many there were."""

    @property
    def state(self) -> State:
        """As of a subscription. Unless it is `replaying` or `live`, who is there is who was."""
        if self._is_closed:
            return "closed"
        return self._connection.state if self._connection else "connecting"

    @property
    def transport(self) -> Transport | None:
        """As of a subscription."""
        return self._connection.transport if self._connection else None

    @property
    def rolls(self) -> tuple[Roll, ...]:
        """Who is there now, by place; of a place that was named also that nobody is."""
        return tuple(self._watching.rolls.values()) if self._watching is not None else ()

    async def __aenter__(self) -> Self:
        """Once it has begun, and who is at the places that were named is known. Raises TwinwireError if it is refused,
        ClosedError."""
        if self._is_closed or self._watching is not None:
            raise ClosedError("it is closed, or was entered before: make another one")
        try:
            await self._begin()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        self._is_closed = True
        self._news.set()
        if self._watching is not None:
            self._watching.close()
        if self._connection is not None:
            await self._connection.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        """Raises TwinwireError once it has ended for a reason; StopAsyncIteration once it was closed."""
        change = await self.take(self._count)
        if change is None:
            raise StopAsyncIteration
        return change

    async def take(self, taken: int) -> Change | None:
        """The change after the first `taken` since the beginning, for whoever keeps his own account; None once it was
        closed. Raises as `__anext__`."""
        while taken >= self._count and not self._is_closed:
            self._check_begun()
            change = self._changes.take()
            if change is not None:
                self._count, self._last = self._count + 1, change
            elif self._error is not None:
                raise self._error
            else:
                self._news.clear()
                await self._news.wait()
        return None if self._is_closed else self._last

    def _check_begun(self) -> None:
        if self._watching is None:
            raise ClosedError("it was never entered: async with")

    async def _begin(self) -> None:
        self._watching = watching = Watching(self._get_http(), self._places, self._saw, self._adopted)
        self._connection = connection = self._connect(watching, self._inbox)
        connection.whenever_done(self._ended)
        await asyncio.shield(connection.began)
        exact = [place for place in self._places if "*" not in place]
        await self._until(lambda: all(place in watching.rolls for place in exact), self._get_http().timing.request)
        if self._error is not None:
            raise self._error

    async def _until(self, what: Callable[[], bool], seconds: float) -> None:
        """Or until it has ended, or so many seconds are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not (what() or self._error is not None or self._is_closed):
                    self._news.clear()
                    await self._news.wait()

    def _saw(self, roll: Roll, reasons: Mapping[Key, str | None]) -> None:
        self._changes.note(roll, reasons)
        self._teller.changes.note(roll, reasons)
        self._news.set()
        self._tell()

    def _tell(self) -> None:
        self._teller.tell()

    def _adopted(self, connection: str | None) -> None:
        """That connection works from now on."""

    def _ended(self) -> None:
        """The stream has, for a reason."""
        self._fail(self._inbox.error)

    def _fail(self, error: BaseException | None) -> None:
        if error is not None and not self._is_closed and self._error is None:
            self._error = error if isinstance(error, TwinwireError) else TwinwireError(f"it has ended: {error!r}")
        elif not self._is_closed and self._error is None:
            self._is_closed = True  # with its client
        self._news.set()


class Room(Watch):
    """`async with live.place("projects/42", data={"name": "Ada"}) as room`: the program is there while the body runs,
    under one member id, over reconnects, other transports and restarts of the service.

    `users` and `members` are who is there; `async for change in room` tells what is another way than when it was
    entered. `member` is its own id.
    """

    def __init__(
        self,
        http: Callable[[], Http],
        connect: Connect,
        place: str,
        told: Told,
        *,
        data: Mapping[str, Any] | None,
        member: str | None,
        watch: bool,
    ) -> None:
        """Raises InvalidError."""
        if not isinstance(place, str) or "*" in place:
            raise InvalidError("a place is one topic: a filter can only be watched", field="place")
        super().__init__(http, connect, (place,), told)
        self.place: Final = place
        self.member: Final = member_id(member)
        self._data = object_of({} if data is None else data)
        self._does_watch = watch
        self._holding: Holding | None = None
        self._is_in = False

    # -- who is there

    @property
    def roll(self) -> Roll:
        """Who is there, all in one; nobody is known where it does not watch."""
        found = None if self._watching is None else self._watching.rolls.get(self.place)
        return found or Roll(self.place)

    @property
    def members(self) -> tuple[Member, ...]:
        """Everybody, this program's own member too; none of them where they are only counted (`roll.truncated`)."""
        return self.roll.members

    @property
    def users(self) -> tuple[User, ...]:
        """Everybody by user, one's own first; who came without a user is one by himself."""
        users = self.roll.users
        return tuple(sorted(users, key=lambda user: all(one.member != self.member for one in user.members)))

    @property
    def self(self) -> Member | None:
        """This program's own member as the others see it; None while it is not among them."""
        return next((member for member in self.members if member.member == self.member), None)

    # -- to be there

    async def set(self, data: Mapping[str, Any]) -> None:
        """Other data of this member, once the service has them, or newer ones. At most four times a second they are
        sent: what is set in between waits, and the last wins. Raises TwinwireError for what the service does not take,
        and then they are what they were; and one that `is_passing` where it can't be reached in time, and then they are
        told later."""
        await self._held().set(object_of(data))

    async def merge(self, patch: Mapping[str, Any]) -> None:
        """As `set`, of what is to be another way (RFC 7396): a member that is None goes."""
        holding = self._held()
        await holding.set(merged(holding.data, object_of(patch)))

    def _held(self) -> Holding:
        if self._holding is None or self._is_closed:
            raise ClosedError("it is closed, or was never entered: async with live.place(...) as room")
        return self._holding

    async def aclose(self) -> None:
        """Leaves, and tells the service."""
        if self._holding is not None and not self._is_closed:
            self._is_closed = True
            self._news.set()
            await self._holding.leave()
        await super().aclose()

    async def _begin(self) -> None:
        self._holding = Holding(self._get_http(), self.place, self.member, self._data, self._fail)
        if self._does_watch:
            await super()._begin()
        else:
            self._watching = Watching(self._get_http(), (), self._saw)
            self._holding.bind(None)
        await self._holding.until_told()
        if self._does_watch:
            await self._until(lambda: self.self is not None or self.roll.truncated, LISTED)
        self._changes.pass_over()
        self._teller.changes.pass_over()
        self._is_in = True

    def _adopted(self, connection: str | None) -> None:
        assert self._holding is not None
        self._holding.bind(connection)

    def _ended(self) -> None:
        """It is there all the same, by its lease: it may be present where it may not look on any more."""
        super()._ended()
        if self._holding is not None and not self._is_closed:
            self._holding.bind(None)

    def _saw(self, roll: Roll, reasons: Mapping[Key, str | None]) -> None:
        super()._saw(roll, reasons)
        if self._holding is not None and any(
            member == self.member and reason in COMING_BACK for (_, member), reason in reasons.items()
        ):
            self._holding.again()

    def _tell(self) -> None:
        if self._is_in:
            super()._tell()
