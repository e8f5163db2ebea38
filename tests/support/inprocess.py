"""The service on a real Hypercorn in a thread of this process: bytes go over a socket, and a test can look inside.

`ServerProcess` is the way for everything that only the wire needs to show.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config

from service.assembly import Assembly
from service.resources import resource
from service.server.config import load_config
from service.server.listen import listen
from service.settings import Settings
from service.stream.hypercorn.guards import WATCH
from service.web.app import create_app

T = TypeVar("T")

LOOPS: Final[dict[str, Callable[[], asyncio.AbstractEventLoop]]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
_DEADLINE: Final = 30.0


class InProcess:
    """Serves from `__enter__` to `__exit__`, configured as `twinwire serve` is.

    `config`: values of Hypercorn's configuration that are to be different.
    """

    def __init__(
        self, directory: Path, loop: str = "asyncio", *, config: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        self._changes = dict(config or {})
        self._settings = Settings.read({"database": directory / "test.db", "grace": 2, **settings})
        self._factory = LOOPS[loop]
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="server")
        self._app = create_app(self._settings)
        self._listener = listen("127.0.0.1", 0, 100, self._settings.stream.send_timeout)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def assembly(self) -> Assembly:
        assert self._app.assembly is not None
        return self._app.assembly

    def ask(self, question: Callable[[Assembly], T]) -> T:
        """What `question(assembly)` returns on the server's event loop."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(question(self.assembly))
            except BaseException as error:
                answer.set_exception(error)

        self._ready.result(_DEADLINE)[0].call_soon_threadsafe(run)
        return answer.result(_DEADLINE)

    def pipes(self) -> list[str]:
        """The kinds of pipe that the open streams write to."""
        return self.ask(
            lambda assembly: sorted(type(stream.pipe).__name__ for stream in assembly.hub._streams.values())
        )

    def connections(self) -> int:
        """The server's tasks beyond those that it has without anybody connected: some for each connection."""
        return self._tasks() - self._own

    def _tasks(self) -> int:
        """Without the one that waits for the end of all connections, and begins with the first."""
        return self.ask(lambda assembly: sum(task.get_name() != WATCH for task in asyncio.all_tasks()))

    def __enter__(self) -> "InProcess":
        self._thread.start()
        self._ready.result(_DEADLINE)
        self._own = self._tasks()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop, stop = self._ready.result(_DEADLINE)
        loop.call_soon_threadsafe(stop.set)
        self._thread.join(_DEADLINE)
        self._listener.detach()  # Hypercorn has made the descriptor its own, and closed it
        assert not self._thread.is_alive(), "the server does not end"

    def _config(self) -> Config:
        config = load_config(resource("hypercorn.toml"))
        config.bind = [f"fd://{self._listener.fileno()}"]
        config.graceful_timeout = 1
        for name, value in self._changes.items():
            setattr(config, name, value)
        return config

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._factory) as runner:
                runner.run(self._serve())
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    async def _serve(self) -> None:
        stop = asyncio.Event()

        async def trigger() -> None:
            self._ready.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()
            await self.assembly.drain()

        await serve(self._app, self._config(), shutdown_trigger=trigger, mode="asgi")  # type: ignore[arg-type]
