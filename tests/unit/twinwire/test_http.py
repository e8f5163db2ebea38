"""Answers as they come, ours and others'."""

import asyncio

import httpx2
import pytest

from twinwire.errors import Fault
from twinwire.http import Http, fault_of, problem_of, seconds, words
from twinwire.place import Place
from twinwire.timing import Timing
from twinwire.token import Token

PROBLEM = {"content-type": "application/problem+json; charset=utf-8"}
BODY = b'{"title":"Too many","detail":"wait","status":429,"field":"data","later":[1]}'


def answer(status: int, headers: dict[str, str] | None = None) -> httpx2.Response:
    return httpx2.Response(status, headers=headers or {})


def test_a_problem_is_read() -> None:
    fault = fault_of(answer(429, {**PROBLEM, "retry-after": "7"}), BODY, Token(""))
    assert (fault.kind, fault.status, fault.retry_after, fault.detail) == ("http", 429, 7.0, "429 Too many: wait")
    assert fault.problem is not None
    assert fault.problem.field == "data"


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"\xff", b"[" * 100_000, b'{"title":7}'])
def test_what_is_no_problem_is_none(body: bytes) -> None:
    assert problem_of("application/problem+json", body) is None


@pytest.mark.parametrize(
    ("status", "kind", "is_taken"),
    [("204 No Content", object, True), ("204 No Content", dict, False), ("200 OK", object, False)],
)
async def test_no_content_is_an_answer_where_one_says_nothing(status: str, kind: type[object], is_taken: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        length = "" if status.startswith("204") else "Content-Length: 0\r\n"
        writer.write(f"HTTP/1.1 {status}\r\n{length}Connection: close\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        http = Http(Place(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), Token(""), Timing())
        outcome = await http.attempt("DELETE", http.place.url("events"), kind)
        await http.close()
    assert outcome is None if is_taken else isinstance(outcome, Fault) and outcome.kind == "media"


def test_a_page_in_its_place_is_told_as_what_it_is() -> None:
    fault = fault_of(answer(502), b"<html>", Token(""))
    assert fault.detail == "502, and it is not Twinwire that says so"
    assert not fault.is_final
    assert words(502, None) == fault.detail


def test_a_redirect_is_told_without_the_token() -> None:
    fault = fault_of(answer(302, {"location": "https://x/?t=a.b.c"}), b"", Token("a.b.c"))
    assert "https://x/?t=(the token)" in fault.detail
    assert fault_of(answer(307), b"", Token("")).detail.startswith("307, to nowhere")


@pytest.mark.parametrize(
    ("retry_after", "date", "waited"),
    [
        ("3", None, 3.0),
        ("  3 ", None, 3.0),
        ("99999", None, 600.0),
        ("9999999999999", None, None),
        ("soon", None, None),
        ("-1", None, None),
        (None, None, None),
        ("Sun, 29 Nov 2026 20:00:10 GMT", "Sun, 29 Nov 2026 20:00:00 GMT", 10.0),
        ("Sun, 29 Nov 2026 20:00:10 GMT", None, None),
        ("Sun, 29 Nov 2026 20:00:00 GMT", "Sun, 29 Nov 2026 20:00:10 GMT", 0.0),
    ],
)
def test_when_to_come_back(retry_after: str | None, date: str | None, waited: float | None) -> None:
    assert seconds(retry_after, date) == waited
