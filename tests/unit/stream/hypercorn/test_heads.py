import h11
import pytest

from service.stream.asgi import Header
from service.stream.hypercorn.heads import FIELD_MAX, REMEMBERED, _remembered, response

GOOD: list[list[Header]] = [
    [],
    [(b"content-type", b"application/json"), (b"content-length", b"12")],
    [(b"Content-Type", b"text/plain"), (b"X-Empty", b"")],
    [(b"content-length", b"3, 3"), (b"content-length", b"3")],
    [(b"transfer-encoding", b"Chunked")],
    [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")],
]
BAD: list[list[Header]] = [
    [(b"x", b"1\r\nset-cookie: a=1")],
    [(b"x", b"1\n")],
    [(b"x", b"\x00")],
    [(b"x", b" 1")],
    [(b"a b", b"1")],
    [(b"", b"1")],
    [(b"x:", b"1")],
    [(b"content-length", b"1"), (b"content-length", b"2")],
    [(b"content-length", b"-1")],
    [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
    [(b"transfer-encoding", b"gzip")],
    [(b"location", b"/\r\n\r\n")],
    [(b"x", b"1" * FIELD_MAX + b"\r\n")],
]


@pytest.mark.parametrize("fields", GOOD)
def test_an_answer_is_the_one_that_h11_makes_by_itself(fields: list[Header]) -> None:
    ours, its = response(201, fields), h11.Response(status_code=201, headers=fields)
    assert (ours, ours.headers.raw_items()) == (its, its.headers.raw_items())
    ends = [h11.Connection(h11.SERVER) for _ in range(2)]
    assert ends[0].send(ours) == ends[1].send(its)


@pytest.mark.parametrize("fields", BAD)
def test_what_h11_refuses_is_refused_each_time(fields: list[Header]) -> None:
    with pytest.raises(h11.LocalProtocolError) as its:
        h11.Response(status_code=200, headers=fields)
    for _ in range(2):
        with pytest.raises(h11.LocalProtocolError) as ours:
            response(200, fields)
        assert str(ours.value) == str(its.value)


def test_good_fields_are_remembered_but_long_ones_and_secrets_are_not() -> None:
    _remembered.cache_clear()
    response(200, [(b"Set-Cookie", b"token=1"), (b"location", b"/?ticket=1"), (b"x", b"1" * FIELD_MAX)])
    assert _remembered.cache_info().currsize == 0
    for number in range(2 * REMEMBERED):
        response(200, [(b"x-number", str(number).encode())])
    assert _remembered.cache_info().currsize == REMEMBERED
