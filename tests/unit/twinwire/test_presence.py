"""A room whose stream has ended; what it does with one is in tests/python, against real servers."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.twinwire.answers import Answers
from twinwire import presence
from twinwire.errors import TwinwireError
from twinwire.presence import Room

EMPTY = '{"type":"presence","place":"a/b~c","version":1,"state":[],"users":0,"members":0,"truncated":false}'


class Line:
    """A connection that is there at once, and ends when a test says so."""

    state = "live"
    transport = "sse"

    def __init__(self, watching: Any, inbox: Any) -> None:
        self.began = asyncio.get_running_loop().create_future()
        self.began.set_result(None)
        self._inbox = inbox
        self._done: list[Any] = []
        link = SimpleNamespace(fault=None, connection=SimpleNamespace(connection="one"))
        asyncio.get_running_loop().call_soon(watching.adopt, link)
        asyncio.get_running_loop().call_soon(watching.frame, link, EMPTY)

    def whenever_done(self, act: Any) -> None:
        self._done.append(act)

    def end(self, error: Exception) -> None:
        self._inbox.end(error)
        for act in self._done:
            act()

    async def close(self) -> None:
        pass


async def test_whose_stream_has_ended_for_good_is_there_by_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that may not read any more, and may be present: the dead connection was named again and again."""
    monkeypatch.setattr(presence, "LISTED", 0.01)
    http: Any = Answers()
    lines: list[Line] = []

    def connect(watching: Any, inbox: Any) -> Any:
        lines.append(Line(watching, inbox))
        return lines[-1]

    async with Room(lambda: http, connect, "a/b~c", {}, data={"n": 0}, member="t.1", watch=True) as room:
        assert http.said[-1][1]["connection"] == "one"
        lines[0].end(TwinwireError("forbidden", status=403))
        await room.set({"n": 1})
        assert http.said[-1] == ("PUT", {"data": {"n": 1}, "lease": 30.0})
        with pytest.raises(TwinwireError, match="forbidden"):
            async for _ in room:
                pass
