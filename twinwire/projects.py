"""A project as a command line names it: by its id, or by its name."""

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from twinwire.errors import TwinwireError

if TYPE_CHECKING:
    from twinwire.http import Http

T = TypeVar("T")

_ID: Final = re.compile(r"[a-z2-9]{12}\Z", re.ASCII)
"""What a project's id looks like: a name may look so too."""

GONE_MAX: Final = 3
"""Attempts where a project is deleted between the answer that names it and the work in it."""

_ELSEWHERE: Final = frozenset({403, 404})


class _Project(msgspec.Struct):
    id: str


async def in_project(http: "Http", named: str, work: Callable[[str], Awaitable[T]]) -> T:
    """What `work` returns for the id of the project that is named: of several with this name the newest, and a new one
    if there is none, once however many ask for it at the same time. Raises TwinwireError."""
    if _ID.match(named):
        try:
            return await work(named)
        except TwinwireError as error:
            if error.status not in _ELSEWHERE:
                raise
    body, left = msgspec.json.encode({"name": named, "brief": None, "once": True}), GONE_MAX
    while True:
        found = await http.json("POST", http.place.url("projects"), _Project, body=body)
        left -= 1
        try:
            return await work(found.id)
        except TwinwireError as error:
            if error.status != 404 or not left:
                raise
