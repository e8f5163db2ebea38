"""Long polls, where the answer comes at once; tests/python has them on a real server."""

import asyncio
from typing import Any

import pytest

from twinwire.frames import WirePage
from twinwire.place import Place
from twinwire.timing import Timing
from twinwire.wires import poll as module
from twinwire.wires.poll import Patience, PollWire


class Empty:
    """Answers every question at once, with nothing: as a service does that is about to stop, and a cache."""

    place = Place("http://x")
    timing = Timing()

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def attempt(self, method: str, url: str, kind: Any, **sent: Any) -> WirePage:
        self.asked.append(url)
        return WirePage([], "e-1")


async def test_nothing_at_once_is_not_asked_for_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was asked a thousand times a second."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    http: Any = Empty()
    monkeypatch.setattr(module, "asyncio", type("Clock", (), {"sleep": staticmethod(sleep)}))
    frames = PollWire(http, (), None, Patience()).frames()
    while len(http.asked) < 5:
        frame, _ = await anext(frames)
    await frames.aclose()
    assert frame.type == "heartbeat"
    assert len(slept) == 3, "behind the first, which did not wait, and between each two that did"
    assert all(0.5 < pause <= module.EMPTY_PAUSE for pause in slept)
    assert asyncio.sleep is not sleep
