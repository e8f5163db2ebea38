"""HTTP requests from the clients' core, one at a time on a connection that stays: what one answer takes, and holds."""

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, NamedTuple, TypeVar

from tests.bench.measure import IncompleteError
from tests.bench.process import CLIENT_CORE, HOST, pin

T = TypeVar("T")

DEADLINE: Final = 300.0
"""Seconds for an answer; a search of a large log takes a while where nothing bounds it."""


class Answer(NamedTuple):
    """`seconds` from the request to the last byte; `location` is that of a job which goes on."""

    body: bytes
    seconds: float
    location: str | None

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class Asker:
    """One connection. It is one thread's, but for `hang_up`."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection(HOST, port, timeout=DEADLINE)

    def get(self, path: str) -> Answer:
        """Raises IncompleteError for an answer that is no success."""
        return self._ask("GET", path, None)

    def post(self, path: str, document: object) -> Answer:
        """As `get`."""
        return self._ask("POST", path, json.dumps(document))

    def hang_up(self) -> None:
        """Whoever waits for an answer gets an OSError, or an HTTPException."""
        if (open := self._connection.sock) is not None:
            with suppress(OSError):
                open.shutdown(socket.SHUT_RDWR)

    def _ask(self, method: str, path: str, body: str | None) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        found = response.read()
        seconds = time.perf_counter() - began
        if response.status >= 300:
            raise IncompleteError(f"{method} {path}: {response.status} {found[:300]!r}")
        return Answer(found, seconds, response.headers["Location"])


def clients_core(threads: int = 1) -> ThreadPoolExecutor:
    """Threads that run there: a program that measures a server may not take its core from it."""
    return ThreadPoolExecutor(threads, initializer=pin(CLIENT_CORE))


def from_clients_core(work: Callable[[], T]) -> T:
    """Run it there. Servers and load clients are started from elsewhere: they would inherit the core."""
    with clients_core() as pool:
        return pool.submit(work).result()


BROKEN_OFF: Final = (OSError, HTTPException)
"""What a request ends with whose connection was hung up."""
