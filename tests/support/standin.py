"""A stand-in for an OpenAI-compatible endpoint: it answers by script, well or in any of the ways in which they fail.

A *manner* is a coroutine of a few lines that is handed one request. What it has not ended it leaves to the client: the
connection stays open until that closes it, and `gone` tells of it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

KEY: Final = "sk-a-secret/of-the-stand-in"
"""What it is asked with."""
MODEL: Final = "stand-in-1"
DEADLINE: Final = 30.0
ENDLESS: Final = 40 << 20
"""Bytes after which what never ends is ended, so that a test which fails ends too."""


@dataclass(slots=True)
class Asked:
    """One request, and the way to answer it."""

    head: str
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has closed the connection."""

    @property
    def prompt(self) -> str:
        """All that the model is told."""
        return "\n".join(one["content"] for one in self.body["messages"])

    @property
    def last(self) -> str:
        return str(self.body["messages"][-1]["content"])

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: str, body: bytes = b"", *fields: str, media: str = "application/json") -> None:
        """A whole answer, and the end of the connection."""
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {media}", f"Content-Length: {len(body)}", *fields]
        await self.send("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
        self.writer.close()

    async def begin(self, media: str = "text/event-stream") -> None:
        """A stream: its head."""
        await self.send(f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nConnection: close\r\n\r\n".encode())

    async def say(self, *pieces: str, finish: str | None = None) -> None:
        """Chunks of an answer."""
        for piece in pieces:
            await self.send(event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}))
        if finish is not None:
            await self.send(event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}))

    async def end(self, usage: dict[str, int] | None = None) -> None:
        if usage is not None:
            await self.send(event({"choices": [], "usage": usage}))
        await self.send(b"data: [DONE]\n\n")
        self.writer.close()


Manner = Callable[[Asked], Awaitable[None]]


def event(chunk: Any) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def cut(text: str, size: int = 7) -> Iterator[str]:
    """In pieces, as tokens come."""
    return (text[start : start + size] for start in range(0, len(text), size))


def saying(text: str, usage: dict[str, int] | None = None, finish: str = "stop", size: int = 7) -> Manner:
    """Answers well, with this."""

    async def manner(asked: Asked) -> None:
        await asked.begin()
        await asked.say(*cut(text, size), finish=finish)
        await asked.end(usage)

    return manner


def file(path: str, text: str) -> str:
    return f"=== file: {path} ===\n{text}=== end: {path} ===\n"


# A model that works


APP: Final = {
    "app/__init__.py": '"""An application."""\n',
    "app/__main__.py": "from app.greeting import greet\n\nprint(greet('world'))\n",
    "app/greeting.py": "def greet(name):\n    return f'Hello, {name}'\n",
    "tests/__init__.py": "",
    "tests/test_greeting.py": (
        "import unittest\n\nfrom app.greeting import greet\n\n\nclass Greeting(unittest.TestCase):\n"
        "    def test_it_greets(self):\n        self.assertEqual(greet('Ada'), 'Hello, Ada')\n"
    ),
}
BROKEN: Final = {**APP, "app/greeting.py": "def greet(name):\n    return f'Hello {name}'\n"}
PLAN: Final = "# The plan\n\nOne module that greets.\n"


def answer_to(prompt: str, app: dict[str, str] = APP) -> str:
    """What a model would say to one of our prompts."""
    if "Plan a web application" in prompt:
        return "Here it is.\n" + file("docs/plan.md", PLAN)
    if "Write the web application" in prompt:
        return "".join(file(path, text) for path, text in app.items())
    if "Write README.md" in prompt:
        return file("README.md", "# Greetings\n\n    python3 -m app\n")
    if "Somebody describes" in prompt:
        return file("brief.txt", "tools: name text, deposit float\n") + file("explanation.txt", "Tools, as you said.\n")
    assert "The tests of the web application" in prompt, prompt[:200]
    return file("app/greeting.py", APP["app/greeting.py"])


async def well(asked: Asked) -> None:
    await saying(answer_to(asked.prompt))(asked)


async def mends(asked: Asked) -> None:
    """Writes an application whose tests fail, and mends it when it is told so."""
    await saying(answer_to(asked.prompt, BROKEN))(asked)


# Manners of those that do not


async def stalls_at_once(asked: Asked) -> None:
    """Nothing comes, not even a head."""
    await asked.gone.wait()


async def stalls_in_the_middle(asked: Asked) -> None:
    await asked.begin()
    await asked.say("=== file: docs/plan.md ===\n", "# The")
    await asked.gone.wait()


async def breaks_off(asked: Asked) -> None:
    """The connection ends in the middle of a body."""
    await asked.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    said = event({"choices": [{"index": 0, "delta": {"content": "=== file: docs/plan.md ===\n# The"}}]})
    await asked.send(f"{len(said):x}\r\n".encode() + said + b"\r\n3e8\r\ndata: ")
    asked.writer.close()


async def ends_without_an_end(asked: Asked) -> None:
    """The connection ends as if all were well."""
    await asked.begin()
    await asked.say("=== file: docs/plan.md ===\n")
    asked.writer.close()


async def is_no_stream(asked: Asked) -> None:
    """Of the right type, and something else."""
    await asked.begin()
    await asked.send(b"<!doctype html>\n<title>It works!</title>\n")
    asked.writer.close()


async def is_no_json(asked: Asked) -> None:
    await asked.begin()
    await asked.send(b"data: {'choices': []}\n\n")
    await asked.gone.wait()


async def is_a_page(asked: Asked) -> None:
    """A media type that is none of a stream."""
    await asked.answer("200 OK", b"<!doctype html><title>Sign in</title>", media="text/html; charset=utf-8")


async def has_no_files(asked: Asked) -> None:
    await saying("I am sorry, I can't help with that.")(asked)


async def is_busy(asked: Asked) -> None:
    body = {"error": {"message": "Rate limit reached for requests"}}
    await asked.answer("429 Too Many Requests", json.dumps(body).encode())


async def is_busy_for_an_hour(asked: Asked) -> None:
    await asked.answer("429 Too Many Requests", b"{}", "Retry-After: 3600")


async def fails(asked: Asked) -> None:
    await asked.answer("500 Internal Server Error", b'{"error": "CUDA out of memory"}')


async def never_ends(asked: Asked) -> None:
    await asked.begin()
    piece = event({"choices": [{"index": 0, "delta": {"content": "and so on " * 100}, "finish_reason": None}]}) * 20
    for _ in range(ENDLESS // len(piece)):
        if asked.gone.is_set():
            return
        await asked.send(piece)


async def has_one_line(asked: Asked) -> None:
    """Of many MiB."""
    await asked.begin()
    await asked.send(b'data: {"choices": [{"delta": {"content": "')
    for _ in range(ENDLESS >> 16):
        if asked.gone.is_set():
            return
        await asked.send(b"x" * (1 << 16))


async def is_no_text(asked: Asked) -> None:
    """Bytes that are not UTF-8."""
    await asked.begin()
    await asked.send(b'data: {"choices": [{"delta": {"content": "caf\xe9"}}]}\n\n')
    await asked.gone.wait()


async def redirects(asked: Asked) -> None:
    await asked.answer("307 Temporary Redirect", b"", "Location: http://127.0.0.1:1/v1/chat/completions")


async def trickles(asked: Asked) -> None:
    """Never silent, and never done."""
    await asked.begin()
    while not asked.gone.is_set():
        await asked.say("a")
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.gone.wait(), 0.05)


async def leaves_the_folder(asked: Asked) -> None:
    await saying(file("../x", "import os\n"))(asked)


async def says_nothing(asked: Asked) -> None:
    await saying("")(asked)


async def is_cut_off(asked: Asked) -> None:
    await saying("=== file: docs/plan.md ===\n# The plan\n", finish="length")(asked)


async def refuses_the_key(asked: Asked) -> None:
    """And says it."""
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}."}})
    await asked.answer(f"401 {KEY}", body.encode())


async def says_the_key(asked: Asked) -> None:
    """In its answer, one character at a time."""
    text = file("docs/plan.md", f"# The plan\n\nThe key is {KEY}, or {KEY.replace('/', '%2F')}.\n")
    await saying(text, size=1)(asked)


MISBEHAVIOURS: Final[dict[str, Manner]] = {
    manner.__name__.replace("_", "-"): manner
    for manner in (
        stalls_at_once,
        stalls_in_the_middle,
        breaks_off,
        ends_without_an_end,
        is_no_stream,
        is_no_json,
        is_a_page,
        has_no_files,
        is_busy,
        is_busy_for_an_hour,
        fails,
        never_ends,
        has_one_line,
        is_no_text,
        redirects,
        trickles,
        leaves_the_folder,
        says_nothing,
        is_cut_off,
        refuses_the_key,
    )
}
"""Those with which a run fails; `says_the_key` spoils nothing but what it says."""


class StandIn:
    """Requests are answered by the manners in `script`, one each, and by its last for ever."""

    def __init__(self, *script: Manner) -> None:
        self.script: list[Manner] = list(script or (well,))
        self.asked: list[Asked] = []
        self.url = ""
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def open(cls, *script: Manner) -> "AsyncIterator[StandIn]":
        standin = cls(*script)
        standin._server = await asyncio.start_server(standin._serve, "127.0.0.1", 0)
        standin.url = f"http://127.0.0.1:{standin._server.sockets[0].getsockname()[1]}/v1"
        try:
            yield standin
        finally:
            standin._server.close()
            for one in standin.asked:
                one.gone.set()
                one.writer.transport.abort()
            if standin._serving:
                await asyncio.wait(standin._serving, timeout=DEADLINE)

    def then(self, *script: Manner) -> None:
        """From now on, with the next request."""
        self.script[:] = script

    async def until(self, count: int) -> Asked:
        """The request of this number, from 1."""
        async with asyncio.timeout(DEADLINE), self._changed:
            await self._changed.wait_for(lambda: len(self.asked) >= count)
        return self.asked[count - 1]

    def env(self, **more: str) -> dict[str, str]:
        """Variables of a service that asks it."""
        return {"TWINWIRE_LLM_URL": self.url, "TWINWIRE_LLM_MODEL": MODEL, "TWINWIRE_LLM_KEY": KEY, **more}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            (length,) = (line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length"))
            body = json.loads(await reader.readexactly(int(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        asked = Asked(head, body, reader, writer)
        manner = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        async with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
        watching = asyncio.create_task(self._watch(asked))
        with suppress(ConnectionError):
            await manner(asked)
        await watching

    async def _watch(self, asked: Asked) -> None:
        with suppress(ConnectionError):
            await asked.reader.read()
        asked.gone.set()
        asked.writer.close()


def messages(*texts: str) -> Sequence[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]
