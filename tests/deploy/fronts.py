"""Real HAProxy and Caddy in front of a server, with the files of deploy/; nginx is in tests/proxies/nginx.py."""

import csv
import io
import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from tests.proxies.nginx import Nginx
from tests.support.daemon import Daemon
from tests.support.needs import program
from tests.support.server import HOST, ROOT, free_port

DEPLOY: Final = ROOT / "deploy"
UPSTREAM: Final = f"{HOST}:8000"
"""Where the files expect the service."""
BACKLOG: Final = 2_048
"""Connections that wait for HAProxy to accept them: a storm of them at once."""


class Upstream(Protocol):
    """What stands behind a front: anything that listens on a port of this machine."""

    @property
    def port(self) -> int: ...


class Front(Protocol):
    """A proxy that serves from `__enter__` to `__exit__`."""

    url: str

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def text(name: str) -> str:
    """A file of deploy/, as people copy it."""
    return (DEPLOY / name).read_text("utf-8")


def replaced(block: str, *changes: tuple[str, str]) -> str:
    """With each of the changes made, wherever it applies, and somewhere at least."""
    for written, meant in changes:
        assert written in block, written
        block = block.replace(written, meant)
    return block


class HAProxy:
    """HAProxy with deploy/haproxy.cfg.

    Its socket listens before it starts, and is inherited: whoever comes too early waits there.
    """

    def __init__(self, server: Upstream, directory: Path) -> None:
        self._server = server
        self._config = directory / "haproxy.cfg"
        self._statistics = directory / "haproxy.sock"

    def __enter__(self) -> Self:
        with socket.create_server((HOST, 0), backlog=BACKLOG) as listener:
            number = listener.fileno()
            self.url = f"http://{HOST}:{listener.getsockname()[1]}"
            block = replaced(
                text("haproxy.cfg"), ("bind :80", f"bind fd@{number}"), (UPSTREAM, f"{HOST}:{self._server.port}")
            )
            self._config.write_text(f"global\n    stats socket {self._statistics}\n\n{block}")
            self._process = Daemon("")
            self._process.start([haproxy(), "-db", "-f", str(self._config)], pass_fds=(number,))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()

    def state(self, server: str, backend: str = "twinwire") -> str:
        """What it thinks of a server: `UP`, `DOWN`, `no check`. It serves already."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._statistics))
            client.sendall(b"show stat\n")
            with client.makefile() as answer:
                table = csv.DictReader(io.StringIO(answer.read().removeprefix("# ")))
        (state,) = (row["status"] for row in table if (row["pxname"], row["svname"]) == (backend, server))
        return state


class Caddy:
    """Caddy with deploy/Caddyfile, over plain http."""

    def __init__(self, server: Upstream, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._port = free_port()
        self.url = f"http://{HOST}:{self._port}"

    def __enter__(self) -> Self:
        file = self._directory / "Caddyfile"
        # Its door for administrators is one for the whole machine.
        file.write_text("{\n\tadmin off\n}\n" + text("Caddyfile"))
        self._process = Daemon("serving initial configuration")
        self._process.start([caddy(), "run", "--config", str(file), "--adapter", "caddyfile"], self._environment())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()

    def _environment(self) -> dict[str, str]:
        home = {name: str(self._directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        return {**os.environ, **home, "SITE": f"http://:{self._port}", "UPSTREAM": f"{HOST}:{self._server.port}"}


def nginx_front(server: Upstream, directory: Path) -> Nginx:
    return Nginx(text("nginx.conf"), server, directory)


FRONTS: Final[dict[str, Callable[[Upstream, Path], Front]]] = {"nginx": nginx_front, "haproxy": HAProxy, "caddy": Caddy}


def haproxy() -> str:
    """Its path. Without it tests are skipped, but never in CI."""
    return program("haproxy", "no haproxy: install Debian's package")


def caddy() -> str:
    """The same."""
    return program("caddy", "no caddy: install Debian's package")
