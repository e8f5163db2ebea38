"""The command's client against scripted servers; `test_commands` has it against the service."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from service.command import client as module
from service.command.bearer import Bearer
from service.command.client import Client, ClientError, Gap
from tests.support.server import free_port

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


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest that each pause may be, instead of pausing."""
    told: list[float] = []

    def longest(low: float, high: float) -> float:
        told.append(high)
        return 0.0

    monkeypatch.setattr(module.random, "uniform", longest)
    return told


GAP = {"requested": "e-0", "reason": "trimmed", "id": "e-1", "floor": None}


def page(cursor: str, *events: object, gap: object = None, more: bool = False) -> tuple[int, bytes]:
    return 200, json.dumps({"events": events, "gap": gap, "cursor": cursor, "more": more}).encode()


def test_data_goes_out_as_it_was_written(script: Any) -> None:
    server = script((200, b'{"id":"e-1"}'))
    answer = Client(server.url + "/prefix/").publish("a", "x", '{"n": 1.0, "big": 12345678901234567890}', key="k")
    assert answer == "e-1"
    head, _, body = server.asked[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /prefix/api/events HTTP/1.1\r\n")
    assert body.endswith(b'"data":{"n": 1.0, "big": 12345678901234567890}}')
    assert json.loads(body) | {"data": 0} == {"topic": "a", "type": "x", "key": "k", "data": 0}


def test_what_is_no_json_is_not_sent() -> None:
    with pytest.raises(ClientError, match="not JSON"):
        Client(f"http://127.0.0.1:{free_port()}").publish("a", "x", "{")


def test_a_page_after_the_other_until_there_is_no_more(script: Any) -> None:
    server = script(page("e-1", {"id": "e-1"}, more=True), page("e-2", {"id": "e-2"}, gap=GAP))
    got = list(Client(server.url).follow(("a/*", "b c"), "earliest", 25, once=True))
    assert [one if isinstance(one, Gap) else json.loads(bytes(one)) for one in got] == [
        {"id": "e-1"},
        Gap("e-0", "trimmed", "e-1", None),
        {"id": "e-2"},
    ]
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
    assert [json.loads(bytes(next(events)))["id"] for _ in range(3)] == ["e-1", "e-2", "e-3"]
    after = [asked.split(b"after=")[1].split(b"&")[0] for asked in server.asked]
    assert after == [b"latest", b"e-1", b"e-1", b"e-1", b"e-1", b"e-2", b"e-2"]
    assert pauses == [2.0, 4.0, 8.0, 2.0], "and begins anew after a success"


def test_what_a_retry_can_not_help_ends_it(script: Any, pauses: list[float]) -> None:
    server = script((422, b'{"title":"Invalid","detail":"no such filter","field":"topic"}', PROBLEM))
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


@pytest.mark.parametrize("url", ["http://a b", "http://a\x7f", "http://a/\udcff", "http://[::1", "", " "])
def test_no_text_is_more_than_no_url(url: str) -> None:
    """A space in the host, and half a character, were tracebacks."""
    with pytest.raises(ClientError, match="is not a"):
        Client(url)


def test_white_space_around_a_url_does_not_count(script: Any) -> None:
    server = script((201, b'{"id":"e-1"}'))
    assert Client(f" {server.url} \r\n").publish("a", "x", "1") == "e-1"


# What stands in the service's place


def test_nothing_at_once_is_not_asked_for_again_at_once(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is about to stop answers so, and a cache: each was asked a thousand times a second."""
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    answers = [page("e-1"), page("e-1"), page("e-2", {"id": "e-2"}), page("e-3", {"id": "e-3"})]
    events = Client(script(*answers).url).follow((), "earliest", 25, once=False)
    assert [json.loads(bytes(next(events)))["id"] for _ in range(2)] == ["e-2", "e-3"]
    assert len(slept) == 2
    assert all(0 <= pause <= module.EMPTY_PAUSE for pause in slept)
    slept.clear()
    assert list(Client(script(page("e-1")).url).follow((), "earliest", 25, once=True)) == []
    assert slept == [], "whoever asks once waits for nothing"


@pytest.mark.parametrize(
    "odd",
    [
        (200, b"<html>"),
        (200, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"events":1,"cursor":"e"}'),
        (200, b"[" * 100_000),
        (302, b"", b"Location: https://login.example\r\n"),
        (404, b"<html>no route"),
        (408, b"slow", PROBLEM),
        (425, b"{}", PROBLEM),
        (429, b'{"title":"Too many"}', PROBLEM),
        (502, b"\xff\xfe"),
    ],
)
def test_something_else_in_its_place_is_waited_out_and_told_once(
    script: Any, pauses: list[float], odd: tuple[int, bytes]
) -> None:
    told: list[str] = []
    server = script(odd, odd, page("e-1", {"id": "e-1"}))
    events = Client(server.url, told=told.append).follow((), "earliest", 1, once=False)
    assert json.loads(bytes(next(events))) == {"id": "e-1"}
    assert len(told) == 1
    assert str(odd[0]) in told[0]
    with pytest.raises(ClientError, match=str(odd[0])):
        list(Client(script(odd).url).follow((), "earliest", 1, once=True))


def test_retry_after_is_waited_for(script: Any, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    answers = [(429, b"{}", PROBLEM + b"Retry-After: %b\r\n" % text) for text in (b"7", b"999999", b"soon", b"-1")]
    events = Client(script(*answers, page("e-1", {"id": "e-1"})).url).follow((), "earliest", 1, once=False)
    next(events)
    assert slept == [7.0, 300.0, 0.0, 0.0]


def test_events_are_passed_on_as_the_text_that_they_are(script: Any) -> None:
    event = b'{"id":"e-1","data":{"n":%b,"n":0.12345678901234567890,"f":1e400}}' % (b"1" * 5_000)
    body = b'{"events":[%b],"cursor":"e-1","more":false,"gap":null}' % event
    (found,) = Client(script((200, body)).url).follow((), "earliest", 1, once=True)
    assert bytes(found) == event


@pytest.mark.parametrize("data", ["1" * 5_000, "1e400", '{"a":1,"a":2}', "0.12345678901234567890"])
def test_data_that_a_decoder_would_change_goes_out_as_it_is(script: Any, data: str) -> None:
    server = script((201, b'{"id":"e-1"}'))
    Client(server.url).publish("a", "x", data)
    assert server.asked[0].endswith(f'"data":{data}}}'.encode())


@pytest.mark.parametrize("data", ["\udcff", "[" * 100_000, "", "{", "NaN"])
def test_no_bytes_from_a_shell_are_a_traceback(data: str) -> None:
    client = Client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ClientError, match="DATA is not"):
        client.publish("a", "x", data)


def test_a_topic_that_is_not_utf_8_is_named() -> None:
    client = Client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ClientError, match="TOPICS 2 is not UTF-8"):
        next(client.follow(("a", "\udcff"), None, 1, once=True))
    with pytest.raises(ClientError, match="TOPIC is not UTF-8"):
        client.publish("\udcff", "x", "1")


# As whom


def test_a_token_is_sent_with_every_request_and_nothing_without_one(script: Any) -> None:
    server = script(page("e-1", more=True), page("e-1"))
    list(Client(server.url, bearer=Bearer("a.b.c")).follow((), "earliest", 1, once=True))
    assert [asked.count(b"\r\nAuthorization: Bearer a.b.c\r\n") for asked in server.asked] == [1, 1]
    server = script(page("e-1"))
    list(Client(server.url).follow((), "earliest", 1, once=True))
    assert b"Authorization" not in server.asked[0]


def test_a_rotated_file_is_read_when_the_token_is_refused(script: Any, tmp_path: Path, pauses: list[float]) -> None:
    file = tmp_path / "token"
    file.write_text("one")
    server = script(page("e-1", {"id": "e-1"}), UNAUTHORIZED, page("e-2", {"id": "e-2"}), UNAUTHORIZED)
    events = Client(server.url, bearer=Bearer(file=file)).follow((), "earliest", 1, once=False)
    next(events)
    file.write_text("two\n")
    assert json.loads(bytes(next(events))) == {"id": "e-2"}
    with pytest.raises(ClientError, match="401 Invalid token: not valid; `twinwire token --inspect` says"):
        next(events)
    sent = [asked.partition(b"Bearer ")[2].partition(b"\r\n")[0] for asked in server.asked]
    assert sent == [b"one", b"one", b"two", b"two"]
    assert [asked.split(b"after=")[1].split(b"&")[0] for asked in server.asked][2] == b"e-1", "from where it was"
    assert pauses == [], "a 401 is not waited out"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, b'{"title":"Unauthorized","detail":"no"}', PROBLEM), "401 Unauthorized: no; TWINWIRE_TOKEN, or --tok"),
        ((403, b'{"title":"Right missing","detail":"no right to read \'a\'"}', PROBLEM), "403 Right missing: no right"),
        ((401, b"<html>", b"WWW-Authenticate: Basic realm=x\r\n"), "not Twinwire that says so, and it asks for Basic"),
        ((403, b"<html>"), "403 .*; it is not Twinwire that says so$"),
    ],
)
def test_who_may_not_is_told_what_is_missing_and_does_not_wait(
    script: Any, pauses: list[float], answer: tuple[int, bytes], told: str
) -> None:
    with pytest.raises(ClientError, match=told):
        next(Client(script(answer).url).follow((), "earliest", 1, once=False))
    assert pauses == []


def test_keys_that_can_not_be_had_are_waited_out(script: Any, pauses: list[float]) -> None:
    server = script((503, b"{}", PROBLEM), (429, b"{}", PROBLEM), page("e-1", {"id": "e-1"}))
    next(Client(server.url, bearer=Bearer("a.b.c")).follow((), "earliest", 1, once=False))
    assert len(pauses) == 2


def test_a_redirect_takes_no_token_elsewhere(script: Any) -> None:
    other = script(page("e-1"))
    server = script((307, b"", f"Location: {other.url}/api/events\r\n".encode()))
    with pytest.raises(ClientError, match="307, to "):
        list(Client(server.url, bearer=Bearer("a.b.c")).follow((), "earliest", 1, once=True))
    assert other.asked == []


def test_a_token_that_is_said_back_is_not_told(script: Any) -> None:
    problem = b'{"title":"No","detail":"Bearer a.b.c is bad"}'
    for answer in ((401, problem, PROBLEM), (500, problem, PROBLEM), (302, b"", b"Location: /?token=a.b.c\r\n")):
        with pytest.raises(ClientError) as caught:
            Client(script(answer).url, bearer=Bearer("a.b.c")).publish("a", "x", "1")
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
