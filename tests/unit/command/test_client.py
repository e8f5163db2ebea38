"""How the operator's commands ask, against scripted servers."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.command import client as module
from service.command.client import Client, ClientError
from twinwire.command.bearer import Bearer
from twinwire.errors import InvalidError

PROBLEM = b"Content-Type: application/problem+json\r\n"
UNAUTHORIZED = (401, b'{"title":"Invalid token","detail":"not valid"}', PROBLEM)


class Script:
    """A server that gives one answer a connection, in order, and keeps what it was asked. None: it hangs up."""

    def __init__(self, *answers: tuple[int, bytes] | tuple[int, bytes, bytes] | None) -> None:
        self.asked: list[bytes] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for answer in self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed: nobody has come
                return
            with connection, connection.makefile("rb") as file:
                head = b"".join(takewhile(lambda line: line not in (b"", b"\r\n"), file))
                length = next((int(line[15:]) for line in head.splitlines() if line.startswith(b"Content-Length:")), 0)
                self.asked.append(head + b"\r\n" + file.read(length))
                if answer is not None:
                    status, body, *fields = answer
                    head = b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n"
                    connection.sendall(head % (status, b"".join(fields), len(body)) + body)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which a thread that waits there notices
        self._listener.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def script() -> Iterator[Any]:
    made: list[Script] = []

    def make(*answers: tuple[int, bytes] | tuple[int, bytes, bytes] | None) -> Script:
        made.append(Script(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Answer(msgspec.Struct):
    n: int


def asked(url: str, **rest: Any) -> Any:
    return Client(url, **rest).ask("GET", "/api/x?a=1", Answer)


FINE = (200, b'{"n":7}')


def test_what_is_asked(script: Any) -> None:
    server = script(FINE, FINE)
    assert asked(server.url + "/prefix/") == asked(f" {server.url} \r\n") == Answer(7)
    assert [one.split()[:2] for one in server.asked] == [[b"GET", b"/prefix/api/x?a=1"], [b"GET", b"/api/x?a=1"]]


def test_a_server_that_hangs_up_is_named(script: Any) -> None:
    server = script(None)
    with pytest.raises(ClientError, match=f"no answer from 127.0.0.1 port {server.url.rpartition(':')[2]}") as caught:
        asked(server.url)
    assert caught.value.status == 503


@pytest.mark.parametrize("url", ["ftp://a", "http://", "://", "mailto://a", "http://x:abc", "http://x:70000"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Client(url)
    assert url in caught.value.detail


@pytest.mark.parametrize("url", ["http://a b", "http://a\x7f", "http://a/\udcff", "http://[::1"])
def test_no_text_is_more_than_no_url(url: str) -> None:
    """A space in the host, and half a character, were tracebacks."""
    with pytest.raises(InvalidError, match="is not a"):
        Client(url)


# What stands in the service's place


@pytest.mark.parametrize(
    "odd",
    [
        (200, b"<html>"),
        (200, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"n":"7"}'),
        (200, b"[" * 100_000),
        (302, b"", b"Location: https://login.example\r\n"),
        (404, b"<html>no route"),
        (408, b"slow", PROBLEM),
        (425, b"{}", PROBLEM),
        (429, b'{"title":"Too many"}', PROBLEM),
        (502, b"\xff\xfe"),
    ],
)
def test_something_else_in_its_place_may_be_gone_later(script: Any, odd: Any) -> None:
    with pytest.raises(ClientError, match=str(odd[0])) as caught:
        asked(script(odd).url)
    assert caught.value.is_passing


def test_a_pause_is_as_long_as_it_says(script: Any) -> None:
    for text, pause in ((b"7", 7.0), (b"999999", 999_999.0), (b"soon", None), (b"-1", None)):
        with pytest.raises(ClientError) as caught:
            asked(script((429, b"{}", PROBLEM + b"Retry-After: %b\r\n" % text)).url)
        assert caught.value.pause == pause


# As whom


def test_a_token_is_sent_with_every_request_and_nothing_without_one(script: Any) -> None:
    server = script(FINE, FINE)
    asked(server.url, bearer=Bearer("a.b.c"))
    asked(server.url)
    assert [one.count(b"\r\nAuthorization: Bearer a.b.c\r\n") for one in server.asked] == [1, 0]
    assert b"Authorization" not in server.asked[1]


def test_a_rotated_file_is_read_when_the_token_is_refused(script: Any, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    server = script(FINE, UNAUTHORIZED, FINE, UNAUTHORIZED)
    client = Client(server.url, bearer=Bearer(file=file))
    client.ask("GET", "/", Answer)
    file.write_text("two\n")
    assert client.ask("GET", "/", Answer) == Answer(7)
    with pytest.raises(ClientError, match="401 Invalid token: not valid; `twinwire token --inspect` says"):
        client.ask("GET", "/", Answer)
    assert [one.partition(b"Bearer ")[2].partition(b"\r\n")[0] for one in server.asked] == [
        b"one",
        b"one",
        b"two",
        b"two",
    ]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, b'{"title":"Unauthorized","detail":"no"}', PROBLEM), "401 Unauthorized: no; TWINWIRE_TOKEN, or --tok"),
        ((403, b'{"title":"Right missing","detail":"no right to read \'a\'"}', PROBLEM), "403 Right missing: no right"),
        ((401, b"<html>", b"WWW-Authenticate: Basic realm=x\r\n"), "not Twinwire that says so, and it asks for Basic"),
        ((403, b"<html>"), "403 .*; it is not Twinwire that says so$"),
    ],
)
def test_who_may_not_is_told_what_is_missing(script: Any, answer: Any, told: str) -> None:
    with pytest.raises(ClientError, match=told) as caught:
        asked(script(answer).url)
    assert not caught.value.is_passing


def test_a_redirect_takes_no_token_elsewhere(script: Any) -> None:
    other = script(FINE)
    server = script((307, b"", f"Location: {other.url}/api/events\r\n".encode()))
    with pytest.raises(ClientError, match="307, to "):
        asked(server.url, bearer=Bearer("a.b.c"))
    assert other.asked == []


def test_a_token_that_is_said_back_is_not_told(script: Any) -> None:
    problem = b'{"title":"No","detail":"Bearer a.b.c is bad"}'
    for answer in ((401, problem, PROBLEM), (500, problem, PROBLEM), (302, b"", b"Location: /?token=a.b.c\r\n")):
        with pytest.raises(ClientError) as caught:
            asked(script(answer).url, bearer=Bearer("a.b.c"))
        assert "a.b.c" not in caught.value.detail


def test_an_answer_without_content(script: Any) -> None:
    assert Client(script((204, b"")).url).ask("DELETE", "/api/auth/revoke", None, b"{}") is None


# trim

ADMIN_PATH = b"/api/topics/trim/0a1b"
GOES_ON = (202, b'{"state":"running","removed":5,"left":null}', b"Location: /behind/a/proxy/api/topics/trim/0a1b\r\n")


def trim_of(client: Client) -> tuple[int, list[tuple[int, int | None]]]:
    told: list[tuple[int, int | None]] = []
    return client.trim("a/*", 3, lambda removed, left: told.append((removed, left))), told


def test_a_trim_that_is_done_says_how_many_went(script: Any) -> None:
    server = script((200, b'{"removed":7}'))
    assert trim_of(Client(server.url)) == (7, [])
    assert server.asked[0].startswith(b"POST /api/topics/trim ")
    assert json.loads(server.asked[0].partition(b"\r\n\r\n")[2]) == {"topic": "a/*", "keep": 3}


def test_a_trim_is_followed_to_its_end(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy that has put a path before its Location, and a service that does not answer for a moment."""
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    said: list[str] = []
    server = script(
        GOES_ON,
        (200, b'{"state":"running","removed":8,"left":4}'),
        None,
        (503, b'{"title":"Overloaded","detail":"later"}', PROBLEM + b"Retry-After: 7\r\n"),
        (200, b'{"state":"done","removed":12,"left":0}'),
    )
    assert trim_of(Client(server.url, told=said.append)) == (12, [(5, None), (8, 4), (8, 4), (8, 4)])
    assert {asked.split()[1] for asked in server.asked[1:]} == {ADMIN_PATH}
    assert slept == [0.5, 0.5, 1.0, 9.0]
    assert len(said) == 1


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([GOES_ON, (404, b'{"title":"Not found","detail":"no such trim"}', PROBLEM)], "as after a restart"),
        ([GOES_ON, (200, b'{"state":"failed","removed":9,"left":1,"reason":"full"}')], "failed after 9 events: full"),
        ([GOES_ON, (401, b'{"title":"Unauthorized","detail":"gone"}', PROBLEM)], "401 Unauthorized: gone"),
        ([GOES_ON[:2]], "its Location was lost on the way"),
        ([(422, b'{"title":"Invalid request","detail":"no filter"}', PROBLEM)], "422 Invalid request: no filter"),
    ],
)
def test_a_trim_that_does_not_end_well_says_so(
    script: Any, monkeypatch: pytest.MonkeyPatch, answers: list[Any], message: str
) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    with pytest.raises(ClientError, match=message):
        trim_of(Client(script(*answers).url))


def test_what_is_no_json_is_handed_on_as_it_is(script: Any) -> None:
    assert Client(script((200, b"a 1\n\xff")).url).ask("GET", "/metrics", bytes) == b"a 1\n\xff"
