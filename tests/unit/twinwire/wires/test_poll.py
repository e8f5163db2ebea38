"""Long polls, where the answer comes at once; tests/python has them on a real server."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from tests.unit.twinwire.present import state
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


class Lists:
    """Answers with lists of who is where, in turn."""

    place = Place("http://x")
    timing = Timing()

    def __init__(self, *answers: list[str]) -> None:
        self.answers = [*answers]
        self.asked: list[tuple[str, Any]] = []

    async def attempt(self, method: str, url: str, kind: Any, body: bytes | None = None, **sent: Any) -> WirePage:
        self.asked.append((url, None if body is None else json.loads(body)))
        texts = self.answers.pop(0) if self.answers else []
        return WirePage([], "e-1", presence=[msgspec.Raw(text.encode()) for text in texts])


async def told(http: Any, count: int, topics: tuple[str, ...] = ("p",)) -> list[str]:
    """The texts of the lists that came of so many requests."""
    frames = PollWire(http, topics, None, Patience(), presence=True).frames()
    found = []
    while len(http.asked) <= count:
        frame, text = await anext(frames)
        if frame.type == "presence":
            found.append(text)
    await frames.aclose()
    return found


async def test_the_number_of_each_list_is_said_with_the_next_request() -> None:
    http = Lists([state(3, "ada:a"), state(7, "ada:a", place="q/1")], [state(0), state(8, place="q/1")])
    assert await told(http, 2) == [state(3, "ada:a"), state(7, "ada:a", place="q/1"), state(0), state(8, place="q/1")]
    asked = [parse_qs(urlsplit(url).query) for url, _ in http.asked]
    assert [query["presence"] for query in asked] == [["1"]] * 3
    assert [query.get("presence_version") for query in asked] == [None, ["p:3", "q/1:7"], ["p:0", "q/1:8"]]


async def test_of_more_than_fit_they_are_said_in_a_body_and_not_asked_for_in_a_whirl(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(module, "asyncio", type("Clock", (), {"sleep": staticmethod(sleep)}))
    places = [f"p/{number}/{'x' * 100}" for number in range(module.PLACES_MAX + 5)]
    http = Lists([state(1, "ada:a", place=place) for place in places])
    assert len(await told(http, 1)) == len(places)
    assert len(slept) == 1
    _, body = http.asked[1]
    assert body["presence_version"] == [f"{place}:1" for place in places[5:]]
