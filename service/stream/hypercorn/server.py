"""One connection: how it is read, and how it ends.

What Hypercorn 0.18 leaves open, and what holds here instead:

- A connection that its peer has closed stayed for `keep_alive_timeout`, 65 seconds: so many short ones a second as
  there are descriptors / 65 shut everybody else out. Here the idle timer ends with the reading.
- Nothing noticed a peer's leaving while the reader waited for somebody, and a reader whose application was gone waited
  for ever. Here the reader has GONE_GRACE seconds for what it is at, and is taken out of any wait after that.
- What a peer has begun it could leave unfinished for ever. Here `owed` of its protocol names what it owes, and the
  same may be owed for `patience` seconds (`guards.py`), or as long again for every STEP bytes of it.
- A piece was as long as it came, and the next was read at once if it was there. Here pieces are short once somebody
  speaks frames, and each is taken in when its connection has had a turn (`guards.py`).
- Connections were begun with in the order of their coming, and those that had been given up meanwhile held up the
  others. Here who has left before its first turn comes last, and if it asked for no more than an answer has none, if
  there are many (`guards.py`).
- Two tasks and a timer watched for idleness between any two requests. Here one timer does for all connections.
- Closing with bytes unread makes the kernel reset the connection, and the peer may lose the answer that said why. Here
  what still comes is thrown away, slowly, for LINGER seconds (RFC 9112, 9.6).

    state     `_limit` is set to             ends with
    reading   None, or when `owed` runs out  the peer's end, an error, `_finish`, the limit
    gone      GONE_GRACE from the peer's end the limit, or the reader by itself
              or from the turn that it waits for
    lingering LINGER from our end            the peer's end, or the limit

Who runs where. `run` is the connection's task: it reads and hands on, so what an application does not take stops the
reading. Applications' tasks end a connection through `protocol_send`, which therefore only begins the end; the reader
carries it out. `_gone` is called by the transport, between two turns.
"""

import asyncio
import contextlib
from operator import attrgetter
from typing import Any, Final

import structlog
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H2ProtocolAssumedError
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from service.stream.hypercorn.budget import Budget
from service.stream.hypercorn.guards import PIECE as PACE_PIECE
from service.stream.hypercorn.guards import PIECES, PIECES_RATE, STATE, Crowd, Guards, Idle, Rank
from service.stream.hypercorn.http1 import GuardedHTTP1
from service.stream.hypercorn.http2 import GuardedHTTP2
from service.stream.hypercorn.inbox import GuardedTaskGroup
from service.stream.hypercorn.transport import changes_nothing, close, has_left, is_reset_unseen, throw_away

GONE_GRACE: Final = 1.0
"""Seconds for what was read to be worked off after its peer has left; a request that was sent whole is carried out."""

LINGER: Final = 1.0
"""Seconds for a peer to stop sending once we have stopped."""

STEP: Final = 64 * 1024
"""Bytes of what a peer owes that earn it more time: 1 KiB a second at least."""
UNSENT_LOOK: Final = 5.0
"""Seconds in which some of what is left in a closed connection's buffer must leave."""

_parts: Final = attrgetter(
    *["app", "config", "context", "task_group", "connection_state", "ssl", "client", "server", "send"]
)
"""Of a protocol, what it was made of."""

logger = structlog.get_logger(__name__)


class GuardedServer(TCPServer):
    """Hypercorn's connection, guarded. Made by Hypercorn in place of its own, see `upstream.install`."""

    protocol: GuardedHTTP1 | GuardedHTTP2  # type: ignore[assignment]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._limit: asyncio.Timeout | None = None
        """When the reader is taken out of whatever it waits for; None when nobody reads."""
        self._owed: object = None
        """What the peer owed after the last piece, and `_taken` bytes have come of it since the limit was set."""
        self._taken = 0
        self._rests = False
        """It has begun, and nothing is under way."""
        self._asks = False
        """What was read waits for its turn: its peer's leaving gives it no less time for it."""
        self._has_spoken = False
        self._pace: Budget | None = None
        """What the peer may send without being busy; None until it sends a second piece."""
        self._crowd: Crowd | None = None
        """Where it is counted, from when it is."""
        self._is_gone = False
        """The transport said that nothing more will come."""
        self._is_closing = False
        """We have ended it: what comes is thrown away."""

    async def run(self) -> None:
        guards: Guards = self.state[STATE]
        own = self.writer.get_extra_info("socket")
        try:
            peer = parse_socket_addr(own.family, own.getpeername())
            server = parse_socket_addr(own.family, own.getsockname())
            tls = self.writer.get_extra_info("ssl_object")
            guards.crowd.watch(self.config.keep_alive_timeout, self.context.terminated)
            guards.crowd.enter(self)
            self._crowd = guards.crowd
            if not await self._enter(guards):
                return
            async with GuardedTaskGroup(self.loop) as task_group:
                self._task_group = task_group
                kind = GuardedHTTP2 if tls is not None and tls.selected_alpn_protocol() == "h2" else GuardedHTTP1
                parts = (
                    self.app,
                    self.config,
                    self.context,
                    task_group,
                    ConnectionState(self.state),
                    tls is not None,
                    await guards.client(self.reader, peer),
                    server,
                    self.protocol_send,
                )
                await self._speak(kind, guards, parts)
                await self._read_guarded(guards)
        except* OSError:  # of the peer's, from whichever task
            pass
        finally:
            try:
                await self._close()
            finally:
                if self._crowd is not None:
                    self._crowd.leave(self)
                # Each holds the other: with many short connections a collection of that garbage stops the loop.
                vars(self).pop("protocol", None)
                vars(self).pop("_task_group", None)

    async def _enter(self, guards: Guards) -> bool:
        """Have the first turn; False if there is none for it."""
        if not has_left(self.writer.transport):
            await guards.turns.take(Rank.NEW)
            if not has_left(self.writer.transport):
                return True
        if self._is_in_vain(guards, bytes(self.reader._buffer[:8])):  # type: ignore[attr-defined]
            return False
        await guards.turns.take(Rank.LEFT)
        return True

    def _is_in_vain(self, guards: Guards, begun: bytes) -> bool:
        """Of a peer that has left: whether all it asks for is an answer, and too many have asked like that lately."""
        return changes_nothing(self.writer.transport, begun) and not guards.has_room_for_left()

    def give_way(self) -> None:
        """As `Resting`."""
        self._is_closing = True
        if self.writer.transport.get_write_buffer_size():  # of its last answer
            self._close_in_a_while()
        else:
            self.writer.transport.abort()

    def has_rested(self) -> None:
        """As `Resting`. Before it is read from, and once it is not any more, somebody else ends it."""
        if self._rests and not self._asks and self._limit is not None and not self._is_closing:
            self._is_closing = True
            with contextlib.suppress(RuntimeError):  # its tasks are ending already
                self._task_group.spawn(self._initiate_server_close)

    async def _speak(self, kind: type[GuardedHTTP1 | GuardedHTTP2], guards: Guards, parts: tuple[Any, ...]) -> None:
        """Begin with a protocol; `parts` are what Hypercorn makes its own of."""
        self.protocol = kind(*parts)
        self.protocol.guards = guards
        await self.protocol.initiate()
        self._rests = True

    async def _read_guarded(self, guards: Guards) -> None:
        """Read to the end, whoever ends it, and let go of what waits for this connection."""
        feed_eof = self.reader.feed_eof

        def gone() -> None:
            feed_eof()
            self._gone()

        self.reader.feed_eof = gone  # type: ignore[method-assign]
        try:
            async with asyncio.timeout(None) as self._limit:
                if guards.crowd.is_stopping:
                    self.has_rested()
                await self._read(guards)
        except TimeoutError:
            if not self._is_gone and not self._is_closing:
                await self._expire()
        except OSError as error:
            error.__traceback__ = None  # which names us, and stays with the stream's reader: each would hold the other
        except Exception:
            logger.exception("connection_failed")
        finally:
            self._limit = None
            guards.leaving.end(self)
            del self.reader.feed_eof  # else the two would hold each other
            self.reader._buffer.clear()  # type: ignore[attr-defined]
            vars(self.reader).pop("feed_data", None)
            await self.protocol.handle(Closed())

    async def _read(self, guards: Guards) -> None:
        while not self.reader.at_eof():
            data = await asyncio.wait_for(self.reader.read(self.protocol.piece), self.config.read_timeout)
            if self._is_closing:
                continue
            was_gone, self._asks, is_first = self._is_gone, True, not self._has_spoken
            rank = self._rank(len(data))
            guards.leaving.begin(self)
            await guards.turns.take(rank)
            self._asks = False
            if self._is_closing:  # it gave way meanwhile: what would be done now, nobody would be told of
                guards.leaving.end(self)
                continue
            if rank is Rank.BUSY and self.is_reset():
                return
            if is_first and has_left(self.writer.transport) and self._is_in_vain(guards, data[:8]):
                return
            if self._is_gone and not was_gone:  # only now: it had nothing of its time yet
                self._set_limit(GONE_GRACE)
            try:
                await self.protocol.handle(RawData(data))
            except H2ProtocolAssumedError as error:
                await self._begin_http2(error.data)
            guards.leaving.end(self)
            self._judge(len(data))
            if guards.crowd.is_stopping:
                self.has_rested()

    def _gone(self) -> None:
        """The peer has closed its side."""
        self._is_gone = True
        if len(self.reader._buffer) >= STEP:  # type: ignore[attr-defined]
            self.protocol.guards.leaving.left(self)
        if not self._asks:
            self._set_limit(GONE_GRACE)

    def is_reset(self) -> bool:
        """Nobody else notices before all that was read is worked off."""
        return self.writer.transport.is_closing() or is_reset_unseen(self.writer.transport)

    def look(self) -> None:
        """As `Working`."""
        transport: Any = self.writer.transport
        if self.is_reset():
            self.cut()
        elif not self._is_gone and not transport.is_reading() and has_left(transport):
            self._gone()

    def cut(self) -> None:
        """As `Working`."""
        self._is_gone = True
        self._set_limit(0)

    def _rank(self, size: int) -> Rank:
        """Of a peer that sends so much now. Its first piece is no reason to keep count, and most send no other."""
        now = self.loop.time()
        if self._pace is None:
            if not self._has_spoken:
                self._has_spoken = True
                return Rank.QUIET
            self._pace = Budget(PIECES, PIECES_RATE, now)
        is_quiet = self._pace.take(1 + size / PACE_PIECE, now)
        self._pace.settle()
        return Rank.QUIET if is_quiet else Rank.BUSY

    async def _begin_http2(self, data: bytes) -> None:
        """In cleartext, with prior knowledge (RFC 9113, 3.3), where that is allowed."""
        old = self.protocol
        await self._speak(GuardedHTTP2, old.guards, _parts(old))
        await self.protocol.handle(RawData(data))

    def _judge(self, size: int) -> None:
        """Give what the peer owes its time. Nothing is set for a peer that owes nothing, which is nearly always."""
        owed = self.protocol.owed
        if self._is_gone or self._is_closing or (owed is None and self._owed is None):
            return
        self._taken += size
        if owed != self._owed or self._taken >= STEP:
            self._owed = owed
            self._taken = 0
            self._set_limit(None if owed is None else self.protocol.guards.patience)

    def _set_limit(self, seconds: float | None) -> None:
        """From now; None for no limit."""
        if self._limit is not None:
            with contextlib.suppress(RuntimeError):  # it has just run out
                self._limit.reschedule(None if seconds is None else self.loop.time() + seconds)

    async def _expire(self) -> None:
        """What was owed did not come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER):  # a peer that sends nothing may well read nothing
                await self.protocol.expire()

    async def protocol_send(self, event: Event) -> None:
        if type(event) is RawData:  # nearly always; `isinstance` asks much more of a class that is abstract
            await super().protocol_send(event)
        elif isinstance(event, Closed):
            self._finish()
        elif isinstance(event, Updated):
            self._rests = event.idle
            if self._crowd is not None and not self._is_closing:
                self._crowd.becomes(self, Idle.RESTING if event.idle else None)
        else:
            await super().protocol_send(event)

    def _finish(self) -> None:
        """Say no more, and let the reader end: at once if the peer is done, else when it has noticed."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._crowd is not None:
            self._crowd.becomes(self, Idle.ENDING)
        can_linger = not self.protocol.is_whole and self.writer.can_write_eof()
        if can_linger and not self.writer.transport.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                self.writer.write_eof()
            if self._limit is not None:  # else nobody reads any more
                throw_away(self.reader, self.writer.transport)
        else:
            self.writer.close()
        self._set_limit(LINGER)

    async def _close(self) -> None:
        await close(self.writer, UNSENT_LOOK)

    async def _initiate_server_close(self) -> None:
        """A peer that owes nothing has said nothing for too long, or the service stops."""
        await self.protocol.handle(Closed())
        self._close_in_a_while()

    def _close_in_a_while(self) -> None:
        """What is left of an answer goes out first, if its peer takes it."""
        self.writer.close()
        self._set_limit(LINGER)
