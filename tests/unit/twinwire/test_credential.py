"""Another token in time, for a link that does as it is told."""

import asyncio
import json
from typing import Any

import pytest

from twinwire import credential as module
from twinwire.credential import Credential
from twinwire.errors import RefusedError, TwinwireError
from twinwire.frames import Frame
from twinwire.place import Place
from twinwire.timing import Timing
from twinwire.token import Token


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.random, "random", lambda: 0.0)


class Link:
    token = "one"
    ends_at: float | None = None
    connection = Frame("connection", connection="c-1")

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[dict[str, Any]] = []

    async def send(self, text: str) -> bool:
        self.sent.append(json.loads(text))
        return True


class Http:
    place = Place("http://x")
    timing = Timing(backoff_base=0.001, backoff_cap=0.001, request=0.05)

    def __init__(self, *answers: Exception | None) -> None:
        given = iter(["two", "three", "four"])
        self.token = Token(lambda: next(given))
        self.token.text, self.token._is_asked = "one", True
        self.asked: list[bytes] = []
        self._answers = list(answers)

    async def json(self, method: str, url: str, kind: Any, *, body: bytes) -> Any:
        self.asked.append(body)
        answer = self._answers.pop(0)
        if answer is not None:
            raise answer
        return {}


class Rig:
    def __init__(self, name: str, *answers: Exception | None) -> None:
        self.link: Any = Link(name)
        self.http: Any = Http(*answers)
        self.restarts = 0
        self.credential = Credential(self.http, self.restart)

    def restart(self) -> None:
        self.restarts += 1

    def warn(self, seconds: float = 15.0) -> None:
        self.credential.frame(self.link, Frame("auth", state="expiring", in_=seconds), is_working=True)

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(5):
            while not what():
                await asyncio.sleep(0.001)


async def test_a_websocket_is_told_in_place() -> None:
    rig = Rig("websocket")
    rig.warn()
    await rig.until(lambda: rig.link.sent)
    assert rig.link.sent == [{"op": "auth", "token": "two", "ref": "auth"}]
    rig.credential.frame(rig.link, Frame("reply", ref="auth"), is_working=True)
    await rig.until(lambda: rig.link.token == "two")


async def test_another_stream_by_a_request() -> None:
    rig = Rig("sse", None)
    rig.warn()
    await rig.until(lambda: rig.link.token == "two")
    assert json.loads(rig.http.asked[0]) == {"connection": "c-1"}


async def test_a_bad_one_is_asked_for_again() -> None:
    rig = Rig("sse", RefusedError("no", status=401), None)
    rig.http.token.text = "one"
    rig.warn()
    await rig.until(lambda: len(rig.http.asked) == 2)


@pytest.mark.parametrize(
    "error", [RefusedError("other", status=403, reason="forbidden"), TwinwireError("gone", status=404)]
)
async def test_what_can_not_be_told_to_it_takes_a_new_one(error: Exception) -> None:
    rig = Rig("sse", error)
    rig.warn()
    await rig.until(lambda: rig.restarts == 1)


async def test_a_websocket_that_does_not_answer_is_asked_again() -> None:
    rig = Rig("websocket")
    rig.warn()
    await rig.until(lambda: len(rig.link.sent) >= 2)
    rig.credential.cancel()
    assert {message["token"] for message in rig.link.sent} == {"two"}


async def test_a_websocket_that_refuses_it_is_given_another() -> None:
    rig = Rig("websocket")
    rig.warn()
    await rig.until(lambda: rig.link.sent)
    rig.credential.frame(rig.link, Frame("problem", ref="auth", status=401, title="no"), is_working=True)
    await rig.until(lambda: rig.link.sent[-1]["token"] == "three")
    rig.credential.cancel()


async def test_one_that_is_tried_is_renewed_once_it_works() -> None:
    rig = Rig("sse", None)
    rig.credential.frame(rig.link, Frame("auth", state="expiring", in_=15.0), is_working=False)
    await asyncio.sleep(0.01)
    assert rig.http.asked == []
    rig.credential.adopt(rig.link)
    await rig.until(lambda: rig.link.token == "two")


async def test_warned_twice_it_asks_once() -> None:
    rig = Rig("sse", None, None)
    rig.warn(60)
    rig.warn(15)
    await rig.until(lambda: rig.link.token == "two")
    await asyncio.sleep(0.01)
    assert len(rig.http.asked) == 1


async def test_without_a_function_there_is_nothing_to_ask() -> None:
    rig = Rig("sse")
    rig.http.token = Token("one")
    rig.warn()
    await asyncio.sleep(0.01)
    assert rig.http.asked == []
    rig.credential.frame(rig.link, Frame("auth", state="reduced", lost=["a"]), is_working=True)
