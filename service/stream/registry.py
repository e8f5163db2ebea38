"""What a stream asks of those around it: its client's side, and who looks after all streams."""

from collections.abc import Coroutine
from typing import Any, Protocol

from service.bus.encoding import P
from service.stream.control import Control, StreamEncoding


class Listener(Protocol):
    """The client's side of a stream."""

    async def listen(self) -> None:
        """Return when the client has left, or was refused."""


class Registry(Protocol):
    """What a stream asks of those who look after all of them: `StreamHub` is one."""

    @property
    def control(self) -> Control: ...
    @property
    def send_timeout(self) -> float: ...
    def now(self) -> float: ...
    def unix_ms(self) -> int: ...
    def add(self, stream: Any) -> None: ...
    def remove(self, stream: Any) -> None: ...
    def replays(self, stream: Any) -> None:
        """It has more to read than a first look brings. Raises OverloadedError or RateLimitedError."""

    def has_caught_up(self, stream: Any) -> None: ...
    def return_delay(self) -> int: ...
    def do(self, work: Coroutine[Any, Any, Any]) -> object:
        """In a task of its own, which is held until it is done."""

    def heartbeat_frame(self, encoding: StreamEncoding[P], offset: int) -> P: ...
