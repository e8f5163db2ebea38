"""The heads of answers over HTTP/1.1.

h11 holds the name and the value of each field against the grammar (RFC 9110, 5.5), so that nobody puts a line of his
own into an answer. Answers consist of the same dozen fields, thousands of times a second, and that was a twentieth of
each: here a field that was found good is remembered. What fields say together (Content-Length, Transfer-Encoding) is
still for h11 to judge, of each answer.
"""

from functools import lru_cache
from typing import Final

import h11
from h11._headers import normalize_and_validate

from service.stream.asgi import Header

REMEMBERED: Final = 512
"""Fields."""

FIELD_MAX: Final = 256
"""Bytes of a field that is remembered: the long ones are told once."""

_SECRET: Final = frozenset({b"set-cookie", b"location"})
"""What may hold a token is kept by nobody."""


def response(status: int, fields: list[Header]) -> h11.Response:
    """Raises LocalProtocolError for what is no field, or for fields that contradict each other."""
    for name, value in fields:
        if len(name) + len(value) <= FIELD_MAX and name.lower() not in _SECRET:
            _remembered(name, value)
        else:
            _check(name, value)
    return h11.Response(status_code=int(status), headers=fields, _parsed=True)


def _check(name: bytes, value: bytes) -> None:
    normalize_and_validate([(name, value)])


_remembered = lru_cache(REMEMBERED)(_check)
