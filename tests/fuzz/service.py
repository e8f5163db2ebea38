"""The whole application in this process, asked over ASGI: requests, and what WebSocket clients say."""

import asyncio
import json
import logging
from collections.abc import Coroutine, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import structlog
from hypothesis import strategies as st

from service.core.errors import TwinwireError
from service.settings import Settings
from service.stream.asgi import ASGI
from service.web.app import create_app
from tests.fuzz import grammar
from tests.fuzz.target import Check, Target, Targets, must

T = TypeVar("T")
PATIENCE: Final = 10.0
"""Seconds after which an answer that has not come is a hang."""
PROBLEM: Final = b"application/problem+json"
REQUEST: Final = st.tuples(
    grammar.METHODS, grammar.PATHS, grammar.QUERY, grammar.HEADERS, grammar.BODIES | grammar.RESOURCE_BODIES
)
Asked = tuple[str, str, list[tuple[str, str]], dict[str, str], bytes]


def add_service(targets: Targets) -> None:
    """Adds the targets of this module."""
    targets.add(Target("requests", REQUEST, lambda: _open(_request), 15))
    targets.add(Target("messages", grammar.MESSAGES, lambda: _open(_converse), 10))


@contextmanager
def _open(ask: Any) -> Iterator[Check[Any]]:
    """One application and one loop for all inputs."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)  # a fault is told once, by whoever runs the target
    with TemporaryDirectory(prefix="fuzz-") as folder, asyncio.Runner() as runner:
        app = create_app(Settings.read({"database": Path(folder) / "fuzz.db", "log_level": "error"}))

        async def bounded(work: Coroutine[Any, Any, T]) -> T:
            async with asyncio.timeout(PATIENCE):
                return await work

        runner.run(app.startup())
        try:
            project = runner.run(_project(app.front))
            yield lambda given: runner.run(bounded(ask(app.front, _about(project, given))))
        finally:
            runner.run(app.shutdown())
            logging.disable(logging.NOTSET)
            structlog.reset_defaults()


async def _project(app: ASGI) -> str:
    """The id of a project that is there: events about others are nobody's business."""
    body = b'{"name":"n","brief":"a: b text"}'
    client = Client({"type": "http.request", "body": body, "more_body": False}, over="http.disconnect")
    scope = _scope("http", "/api/projects", "", {"content-type": "application/json"}, method="POST")
    await app(scope, client.receive, client.send)
    return str(json.loads(client.sent[1]["body"])["id"])


def _about(project: str, given: Any) -> Any:
    """What is said of the project `x`, of the one that is there."""
    if isinstance(given, str):
        return given.replace("projects/x", f"projects/{project}")
    if isinstance(given, bytes):
        return given.replace(b"projects/x", f"projects/{project}".encode())
    return type(given)(_about(project, one) for one in given) if isinstance(given, (list, tuple)) else given


class Client:
    """The other side of one ASGI call: hands in what was said, and hangs up when nothing more is to come."""

    def __init__(self, *messages: dict[str, Any], over: str) -> None:
        self.sent: list[dict[str, Any]] = []
        self._inbox = list(messages)
        self._over = {"type": over}
        self._gone = asyncio.Event()

    def hang_up(self) -> None:
        self._gone.set()

    async def receive(self) -> dict[str, Any]:
        if self._inbox:
            return self._inbox.pop(0)
        await self._gone.wait()
        return self._over

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(dict(message))


def _scope(kind: str, path: str, query: str, headers: dict[str, str], **more: Any) -> dict[str, Any]:
    path = path.encode("utf-8", "replace").decode()
    return {
        "type": kind,
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "root_path": "",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "extensions": {"websocket.http.response": {}},
        "headers": [(name.encode(), grammar.latin(value)) for name, value in headers.items()],
        **more,
    }


class _Reader(Client):
    """Hangs up on a stream as soon as its first bytes have come."""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await super().send(message)
        if message["type"] == "http.response.body" and message.get("more_body"):
            self.hang_up()


async def _request(app: ASGI, given: Asked) -> None:
    """Whatever is asked: no exception, no 500, and what is refused is refused with a problem."""
    method, path, query, headers, body = given
    encoded = urlencode([(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in query])
    client = _Reader({"type": "http.request", "body": body, "more_body": False}, over="http.disconnect")
    await app(_scope("http", path, encoded, headers, method=method), client.receive, client.send)
    must(client.sent and client.sent[0]["type"] == "http.response.start", "no answer")
    status, fields = client.sent[0]["status"], {name.lower(): value for name, value in client.sent[0]["headers"]}
    must(status != 500, f"500: {client.sent[1:]}")
    whole = b"".join(message.get("body", b"") for message in client.sent[1:])
    if status >= 400:
        must(fields.get(b"content-type") == PROBLEM, f"{status} is no problem but {fields.get(b'content-type')!r}")
        must(method == "HEAD" or json.loads(whole)["status"] == status, f"{status}: {whole[:200]!r}")


async def _converse(app: ASGI, given: list[str]) -> None:
    """Whatever is said: the connection lives on, and answers are frames that the contract knows."""
    said = [{"type": "websocket.receive", "text": text.encode("utf-8", "ignore").decode()} for text in given]
    last = {"type": "websocket.receive", "text": '{"op":"ping","ref":"the last"}'}
    client = _Talker({"type": "websocket.connect"}, *said, last, over="websocket.disconnect")
    scope = _scope("websocket", "/api/ws", "topic=a/*", {}, subprotocols=[])
    try:
        await app(scope, client.receive, client.send)
    except TwinwireError as error:
        raise AssertionError(f"an error went through: {error!r}") from error
    texts = [message["text"] for message in client.sent if message["type"] == "websocket.send" and message.get("text")]
    kinds = {json.loads(text)["type"] for text in texts}
    closes = [message.get("code") for message in client.sent if message["type"] == "websocket.close"]
    must(set(closes) <= {1009}, f"closed with {closes}")
    must(closes or any('"the last"' in text for text in texts), f"no answer to the last message, only {kinds}")


class _Talker(Client):
    """Hangs up once its last message is answered, or the connection is closed."""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await super().send(message)
        if message["type"] == "websocket.close" or '"the last"' in (message.get("text") or ""):
            self.hang_up()
