"""What an attack is, and what an attacker can do.

    @attack("tiny-frames", row="6")
    async def tiny_frames(attacker: Attacker) -> None:
        \"\"\"One connection sends the smallest frames that there are, as fast as it can.\"\"\"
        line = await attacker.websocket()
        await attacker.pour(line, frame(CONTINUATION, b"") * 5_000)

The function is *one connection's* part, and is run as often as there are connections, each with an attacker of its own
number. It may end early, or go on until it is cancelled when the time is up. Whatever the server does to it (refuse,
close, reset) is fine, and then it begins again; what a server must not do is told with `attacker.must(...)`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tests.hostile.victim import Stock
from tests.support.http import Connection, Response

MANY: Final = 200
"""Connections of the second run of an attack."""
FEW: Final = 40
"""Connections where the time is short."""
COMING_BACK: Final = 0.01
"""Seconds until one who was thrown out is there again."""
OPENING: Final = 10.0
"""Seconds for one to connect, and for an answer that an attack looks at."""


class Act(Protocol):
    __module__: str

    def __call__(self, attacker: "Attacker") -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Attack:
    """`row` is that of the list of what was found, or the kind of its neighbours.

    `needs` is what the log holds beforehand; `env` the server's settings; `descriptors` its bound of them;
    `connections` with how many it is run; `quick` with how many where the time is short: a few, or one. `leaves` is
    what it leaves in the server for longer than the next attack may be put off: that one gets another server.
    """

    name: str
    row: str
    act: Act
    needs: Stock | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    descriptors: int | None = None
    connections: tuple[int, ...] = (1, MANY)
    quick: int = FEW
    leaves: str = ""
    seconds: float = 0.0  # that it takes at least, however short the times are

    def counts(self, is_quick: bool) -> tuple[int, ...]:
        return (min(self.quick, max(self.connections)),) if is_quick else self.connections

    @property
    def what(self) -> str:
        return (self.act.__doc__ or "").strip().partition("\n")[0]


@dataclass(slots=True)
class Registry:
    """The list of attacks, in the order in which they were written."""

    attacks: dict[str, Attack] = field(default_factory=dict)

    def __call__(self, name: str, row: str, **options: Any) -> Callable[[Act], Act]:
        def register(act: Act) -> Act:
            assert name not in self.attacks, f"{name} is there twice"
            assert act.__doc__, f"{name} has to say what it does"
            self.attacks[name] = Attack(name, row, act, **options)
            return act

        return register


attack: Final = Registry()


@dataclass(slots=True)
class Siege:
    """What the attackers of one run share."""

    url: str
    connections: int
    breaches: list[str] = field(default_factory=list)
    arrived: set[int] = field(default_factory=set)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class Attacker:
    """One stranger's connection, or his part in what several of them do. `number` counts from 0."""

    def __init__(self, siege: Siege, number: int) -> None:
        self._siege = siege
        self._opened: list[Connection] = []
        self.number = number

    @property
    def share(self) -> int:
        """By how many a sum is to be divided."""
        return self._siege.connections

    @property
    def is_first(self) -> bool:
        return self.number == 0

    def must(self, condition: object, otherwise: str) -> None:
        """The server has to behave so, whatever its load."""
        if not condition and otherwise not in self._siege.breaches:
            self._siege.breaches.append(otherwise)

    async def together(self) -> None:
        """Wait until every other one has come here too."""
        self._siege.arrived.add(self.number)
        if len(self._siege.arrived) == self._siege.connections:
            self._siege.complete.set()
        await self._siege.complete.wait()

    async def connect(self, receive_buffer: int | None = None) -> Connection:
        """A connection that is ended when the attack is over, if not before."""
        async with asyncio.timeout(OPENING):
            connection = await Connection.open(self._siege.url, receive_buffer=receive_buffer)
        self._opened.append(connection)
        return connection

    def leave(self, connection: Connection) -> None:
        """Hang up with a FIN, now."""
        connection.writer.close()
        self._opened.remove(connection)

    def vanish(self) -> None:
        """End every connection that is still open."""
        for connection in self._opened:
            connection.writer.transport.abort()
        self._opened.clear()

    async def attack(self, act: Act) -> None:
        """Do it; and who is thrown out comes back, until he is cancelled."""
        while True:
            try:
                return await act(self)
            except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
                self.vanish()
                await asyncio.sleep(COMING_BACK)

    async def send(self, data: bytes) -> Connection:
        """A new connection on which this has been written."""
        connection = await self.connect()
        connection.writer.write(data)
        await connection.writer.drain()
        return connection

    async def websocket(self, query: str = "topic=nobody/here") -> Connection:
        """A WebSocket after its handshake, as bare bytes."""
        connection = await self.send(handshake(query))
        head = await connection.read_head()
        if head.status != 101:
            raise ConnectionRefusedError(head.status)
        return connection

    async def pour(self, connection: Connection, data: bytes) -> None:
        """Write the same again and again, as fast as it is taken, until the server hangs up."""
        while not connection.writer.is_closing():
            connection.writer.write(data)
            await connection.writer.drain()
            await asyncio.sleep(0)  # a drain that need not wait gives no turn, and no end either

    async def ask(self, connection: Connection, method: str, path: str, **options: Any) -> Response:
        """One request and its answer, however long it takes."""
        return await connection.request(method, path, **options)

    async def ask_anew(self, method: str, path: str, **options: Any) -> Response:
        """The same on a connection of its own, which is let go."""
        connection = await self.connect()
        try:
            return await connection.request(method, path, **options)
        finally:
            self.leave(connection)

    async def project(self) -> str:
        """The id of a new project."""
        body = b'{"name":"n","brief":"a: b text"}'
        answer = await self.ask_anew("POST", "/api/projects", headers={"Content-Type": "application/json"}, body=body)
        return str(answer.json()["id"])

    async def keep_asking(self, method: str, path: str, **options: Any) -> None:
        """The same request over and over on one connection, each answer read to its end."""
        connection = await self.connect()
        while True:
            response = await connection.request(method, path, **options)
            self.must(response.status != 500, f"{method} {path[:40]}: 500")
            if (response.header("connection") or "").lower() == "close":
                self.leave(connection)
                connection = await self.connect()

    async def is_let_go(self, connection: Connection, seconds: float) -> bool:
        """Whether the server ends this connection by itself within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while await connection.reader.read(65_536):
                    pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True


def handshake(query: str, key: str = "dGhlIHNhbXBsZSBub25jZQ==", **more: str) -> bytes:
    """A WebSocket's request head (RFC 6455, 4.1)."""
    fields = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        **more,
    }
    return head("GET", f"/api/ws?{query}", **fields)


def head(method: str, path: str, *, version: str = "1.1", **fields: str) -> bytes:
    """A request head as bytes. `Host` is there unless it is given; `_` in a name stands for `-`."""
    named = {"Host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in fields.items()}}
    lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    """A client's frame with a mask of zeros, which leaves the payload as it is (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes([(0x80 if final else 0) | opcode]) + length + b"\0\0\0\0" + payload


def message(**members: Any) -> bytes:
    """A client message as one text frame."""
    return frame(0x1, json.dumps(members).encode())
