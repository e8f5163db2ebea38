"""The command's client against scripted servers; `test_commands` has it against the service."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from service.command import client as module
from service.command.client import Client, ClientError
from tests.support.server import free_port


class Script:
    """A server that gives one answer a connection, in order, and keeps what it was asked. None: it hangs up."""

    def __init__(self, *answers: tuple[int, bytes] | None) -> None:
        self.asked: list[bytes] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for answer in self._answers:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rb") as file:
                head = b"".join(iter(file.readline, b"\r\n"))
                length = next((int(line[15:]) for line in head.splitlines() if line.startswith(b"Content-Length:")), 0)
                self.asked.append(head + b"\r\n" + file.read(length))
                if answer is not None:
                    status, body = answer
                    head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                    connection.sendall(head % (status, len(body)) + body)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def script() -> Iterator[Any]:
    made: list[Script] = []

    def make(*answers: tuple[int, bytes] | None) -> Script:
        made.append(Script(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest that each pause may be, instead of pausing."""
    told: list[float] = []

    def longest(low: float, high: float) -> float:
        told.append(high)
        return 0.0

    monkeypatch.setattr(module.random, "uniform", longest)
    return told


def page(cursor: str, *events: object, gap: object = None, more: bool = False) -> tuple[int, bytes]:
    return 200, json.dumps({"events": events, "gap": gap, "cursor": cursor, "more": more}).encode()


def test_data_goes_out_as_it_was_written(script: Any) -> None:
    server = script((200, b'{"id":"e-1"}'))
    answer = Client(server.url + "/prefix/").publish("a", "x", '{"n": 1.0, "big": 12345678901234567890}', key="k")
    assert answer == {"id": "e-1"}
    head, _, body = server.asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /prefix/api/events HTTP/1.1\r\n")
    assert body.endswith(b'"data": {"n": 1.0, "big": 12345678901234567890}}')
    assert json.loads(body) | {"data": 0} == {"topic": "a", "type": "x", "key": "k", "data": 0}


def test_what_is_no_json_is_not_sent() -> None:
    with pytest.raises(ClientError, match="not JSON"):
        Client(f"http://127.0.0.1:{free_port()}").publish("a", "x", "{")


def test_a_page_after_the_other_until_there_is_no_more(script: Any) -> None:
    server = script(page("e-1", {"id": "e-1"}, more=True), page("e-2", {"id": "e-2"}, gap={"reason": "trimmed"}))
    got = list(Client(server.url).follow(("a/*", "b c"), "earliest", 25, once=True))
    assert got == [{"id": "e-1"}, {"type": "gap", "reason": "trimmed"}, {"id": "e-2"}]
    assert server.asked[0].startswith(b"GET /api/events?after=earliest&wait=0&topic=a/%2A&topic=b%20c HTTP/1.1")
    assert server.asked[1].startswith(b"GET /api/events?after=e-1&wait=0&")


def test_it_goes_on_from_its_cursor_after_failures_and_waits_longer_each_time(script: Any, pauses: list[float]) -> None:
    server = script(
        page("e-1", {"id": "e-1"}),
        None,
        (503, b"{}"),
        (500, b"no json"),
        page("e-2", {"id": "e-2"}),
        (502, b""),
        page("e-3", {"id": "e-3"}),
    )
    events = Client(server.url).follow((), None, 1.5, once=False)
    assert [next(events)["id"] for _ in range(3)] == ["e-1", "e-2", "e-3"]
    after = [asked.split(b"after=")[1].split(b"&")[0] for asked in server.asked]
    assert after == [b"latest", b"e-1", b"e-1", b"e-1", b"e-1", b"e-2", b"e-2"]
    assert pauses == [2.0, 4.0, 8.0, 2.0], "and begins anew after a success"


def test_what_a_retry_can_not_help_ends_it(script: Any, pauses: list[float]) -> None:
    server = script((422, b'{"title":"Invalid","detail":"no such filter","field":"topic"}'))
    with pytest.raises(ClientError, match="422 Invalid: no such filter") as caught:
        next(Client(server.url).follow(("**/a",), None, 1, once=False))
    assert (caught.value.status, caught.value.field) == (422, "topic")
    assert pauses == []


def test_once_is_not_tried_again(script: Any, pauses: list[float]) -> None:
    with pytest.raises(ClientError, match="503"):
        next(Client(script((503, b"<html>")).url).follow((), None, 1, once=True))
    assert pauses == []


def test_a_server_that_hangs_up_is_named(script: Any) -> None:
    server = script(None)
    with pytest.raises(ClientError, match=f"no answer from 127.0.0.1 port {server.url.rpartition(':')[2]}") as caught:
        Client(server.url).publish("a", "x", "1")
    assert caught.value.status == 503


@pytest.mark.parametrize("url", ["ftp://a", "http://", "://", "mailto://a", "http://x:abc", "http://x:70000"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ClientError) as caught:
        Client(url)
    assert url in caught.value.detail
