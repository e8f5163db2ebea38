import pytest

from service.core.errors import NotFoundError
from service.preview.door import FRAMED_MAX, FRAMERS_MAX, Door, is_foreign
from service.preview.names import Names, Site
from service.preview.programs import Programs, Served
from service.preview.sessions import Sessions
from service.stream.asgi import Message, Scope
from tests.support.clock import ManualClock

HOST = "app-a.localhost:8000"
OWN = f"http://{HOST}"


class Nothing:
    """A `Source` that has nothing to run."""

    async def newest(self, id: str) -> str | None:
        return None

    async def launch(self, id: str, version: str) -> Served:
        raise NotFoundError(id)


def door() -> Door:
    clock = ManualClock()
    return Door(Names(), Programs(Nothing(), clock, idle=300, most=2), Sessions(clock), is_guarded=False)


def scope(method: str = "GET", path: str = "/", type: str = "http", **fields: str) -> Scope:
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()]
    return {"type": type, "method": method, "path": path, "headers": [(b"host", HOST.encode()), *headers]}


async def asked(one: Door, request: Scope) -> tuple[int, dict[bytes, bytes], str]:
    """What is answered."""
    answer = one.host(request["headers"][0][1].decode())
    assert answer is not None
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await answer(request, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"].decode()


@pytest.mark.parametrize(
    ("request_", "foreign"),
    [
        (scope(), False),
        (scope("POST"), False),  # a program
        (scope("POST", origin=OWN, sec_fetch_site="same-origin"), False),
        (scope("POST", origin=OWN.upper().replace("HTTP", "http")), False),
        (scope(sec_fetch_site="none", sec_fetch_mode="navigate"), False),
        (scope(sec_fetch_site="cross-site", sec_fetch_mode="navigate"), False),  # a link, a frame
        (scope("POST", sec_fetch_site="cross-site", sec_fetch_mode="navigate"), True),  # a form
        (scope(sec_fetch_site="cross-site", sec_fetch_mode="no-cors"), True),
        (scope(sec_fetch_site="same-site", sec_fetch_mode="cors"), True),
        (scope(type="websocket", origin=OWN), False),
        (scope(type="websocket", origin="http://localhost:8000"), True),
        (scope(type="websocket", sec_fetch_site="cross-site", sec_fetch_mode="navigate"), True),
        (scope(origin="null"), True),
        (scope(origin="http://app-b.localhost:8000"), True),
        (scope(origin="http://app-a.localhost:8001"), True),
        (scope(origin="http://app-a.localhost"), True),
    ],
)
def test_only_its_own_pages_talk_to_an_application(request_: Scope, foreign: bool) -> None:
    assert is_foreign(request_, dict(request_["headers"])) is foreign


def test_a_port_that_goes_without_saying_may_be_said() -> None:
    fields = {b"host": b"app-a.preview.example.org:443", b"origin": b"https://app-a.preview.example.org"}
    assert not is_foreign(scope("POST"), fields)


async def test_what_is_said_here_is_plain_text_that_does_nothing() -> None:
    one = door()
    status, fields, text = await asked(one, scope())
    assert (status, text) == (404, "There is nothing to open yet: a run has to be completed first.\n")
    assert fields[b"content-type"] == b"text/plain; charset=utf-8"
    assert fields[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'"
    assert (await asked(one, scope("HEAD")))[2] == ""
    assert (await asked(one, scope("TRACE")))[0] == 405
    await one.leave()
    assert (await asked(one, scope()))[0] == 503
    assert one.host("localhost:8000") is None


async def test_the_latest_pages_that_have_opened_it_may_show_it() -> None:
    one = door()
    for port in range(FRAMERS_MAX + 1):
        one.admit_frames("a", Site("http", f"localhost:{port}"))
    one.admit_frames("a", Site("http", "localhost:1"))
    named = (await asked(one, scope()))[1][b"content-security-policy"].decode()
    origins = "http://localhost:2 http://localhost:3 http://localhost:4 http://localhost:1"
    assert named.endswith(f"frame-ancestors {origins}")
    for number in range(FRAMED_MAX):
        one.admit_frames(f"b{number}", Site("http", "localhost"))
    assert (await asked(one, scope()))[1][b"content-security-policy"].endswith(b"'none'")
