"""Service: `twinwire serve` in a process of its own, that a test may kill and start again."""

import base64
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from twinwire.blocking import Twinwire
from twinwire.errors import InvalidError, TwinwireError
from twinwire.event import Event
from twinwire.signing import Signer

DEADLINE: Final = 30.0
"""Seconds that a start, or an end, may take: a machine that does much else starts Python slowly."""

_URL: Final = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_KID: Final = "test"
"""Of its key."""

_LINES: Final = 1_000
"""Of what it says that are kept."""

_HERE: Final = str(Path(__file__).parents[2])
"""Where this package is found. It comes first there, before whatever else is called `service`."""


class Service:
    """A service on a free port of 127.0.0.1, which nobody else uses, as a context manager.

    Its database is in a folder that is removed in the end. `keys`: it has one, so that whoever comes needs a token,
    which `token` makes; else whoever comes may do everything. `settings` are those of the README's table by their names
    in lower case, as `retention=[{"topics": "logs/**", "max_age": 60}]`; what the environment has of them
    (`TWINWIRE_*`) does not count. Raises InvalidError for what it decides itself; what does not start raises
    TwinwireError, with what it said.
    """

    def __init__(self, *, keys: bool = False, **settings: Any) -> None:
        for name in ("host", "port", "database", "token_keys"):
            if name in settings:
                raise InvalidError(f"{name} is the service's own here", field=name)
        self._settings = {f"TWINWIRE_{name.upper()}": _text(value) for name, value in settings.items()}
        self._secret = secrets.token_bytes(32) if keys else None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._port = 0
        self._said = _Said()

    @property
    def url(self) -> str:
        """Without a slash at its end; the same after another start. Raises TwinwireError before the first."""
        if not self._port:
            raise TwinwireError("the service was not started: `with Service() as service:`")
        return f"http://127.0.0.1:{self._port}"

    @property
    def folder(self) -> Path:
        """Where its database is, `twinwire.db`, while it is there. Raises TwinwireError before the first start."""
        if self._folder is None:
            raise TwinwireError("the service was not started")
        return Path(self._folder.name)

    @property
    def log(self) -> str:
        """What it has written, of all its starts; the last 1,000 lines."""
        return self._said.text

    def token(
        self,
        subject: str | None = None,
        *,
        subscribe: Sequence[str] = (),
        publish: Sequence[str] = (),
        admin: bool = False,
        ttl: int = 3600,
        **claims: Any,
    ) -> str:
        """A token for so many seconds, with these rights, and more claims (docs/tokens.md). Raises InvalidError of a
        service without keys."""
        if self._secret is None:
            raise InvalidError("this service has no keys: `Service(keys=True)`")
        found: dict[str, Any] = {"subscribe": list(subscribe), "publish": list(publish), **claims}
        if subject is not None:
            found["sub"] = subject
        if admin:
            found["admin"] = True
        return Signer("HS256", self._secret, _KID).sign(found, ttl=ttl)

    @contextmanager
    def published(self, *topics: str) -> Iterator[list[Event]]:
        """What is published on these topics, or patterns, within the block; the list is filled at its end."""
        found: list[Event] = []
        token = self.token(admin=True) if self._secret is not None else None
        with Twinwire(self.url, token=token) as live:
            cursor = live.history(*topics, before="latest", limit=1).head
            yield found
            has_more = True
            while has_more:
                page = live.history(*topics, after=cursor)
                found += page.events
                cursor, has_more = page.cursor, page.more

    def start(self) -> Self:
        """Starts it, or starts it again, with the port and the database that it had; returns once it serves."""
        if self._process is not None and self._process.poll() is None:
            raise TwinwireError("the service runs already")
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="twinwire-test-")
        ready = threading.Event()
        self._process = self._launched(self.folder)
        self._said.port = None
        self._reader = threading.Thread(target=self._said.read, args=(self._process.stdout, ready), daemon=True)
        self._reader.start()
        if ready.wait(DEADLINE) and self._said.port is not None:
            self._port = self._said.port
            return self
        self.kill()
        raise TwinwireError(f"the service did not start:\n{self.log}")

    def stop(self) -> int:
        """Ends it as an operator does, with a goodbye to every client; its exit status, 0 if all went well."""
        process = self._running()
        process.terminate()
        try:
            status = process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TwinwireError(f"the service did not end in {DEADLINE:g} s:\n{self.log}") from None
        self._heard_out()
        return status

    def kill(self) -> None:
        """Ends it at once, as `kill -9` does. It may be gone already."""
        process = self._running()
        process.kill()
        process.wait()
        self._heard_out()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Whatever state it is in: afterwards it is gone, and so is its database."""
        if self._process is not None:
            self.kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _launched(self, folder: Path) -> "subprocess.Popen[str]":
        path = [_HERE, *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {name: value for name, value in os.environ.items() if not name.startswith("TWINWIRE_")}
        env = {**own, **self._settings, "PYTHONPATH": os.pathsep.join(path)}
        if self._secret is not None:
            key = base64.urlsafe_b64encode(self._secret).decode().rstrip("=")
            env["TWINWIRE_TOKEN_KEYS"] = json.dumps([{"kid": _KID, "alg": "HS256", "key": key}])
        where = ("--host", "127.0.0.1", "--port", str(self._port), "--database", str(folder / "twinwire.db"))
        return subprocess.Popen(  # noqa: S603 - our own module, and no shell
            [sys.executable, "-m", "twinwire", "serve", *where],
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def _heard_out(self) -> None:
        """What it has said to its end is in the log; a child of its own may have its output still."""
        if self._reader is not None:
            self._reader.join(1.0)

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            raise TwinwireError("the service was not started")
        return self._process


class _Said:
    """What the process writes, which has to be read: a full pipe would stop it."""

    def __init__(self) -> None:
        self.port: int | None = None
        self._lines: deque[str] = deque(maxlen=_LINES)

    @property
    def text(self) -> str:
        return "".join(self._lines.copy())

    def read(self, output: IO[str], ready: threading.Event) -> None:
        """To its end; `ready` once it serves, or is gone."""
        with output:
            for line in output:
                self._lines.append(line)
                if not ready.is_set() and (found := _URL.search(line)):
                    self.port = int(found[1])
                    ready.set()
        ready.set()


def _text(value: Any) -> str:
    """A setting as the environment has it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return value if isinstance(value, str) else json.dumps(value)
