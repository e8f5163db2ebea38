"""What is asked of the service for a run (docs/protocol.md, section 6)."""

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from twinwire.projects import in_project
from twinwire.running.planning import Item, Limits
from twinwire.running.spool import About

if TYPE_CHECKING:
    from twinwire.http import Http


AGO_MAX: Final = 30 * 24 * 3600.0
"""Seconds that the service takes for what was before."""


class _Begun(msgspec.Struct):
    number: int
    reported: int
    limits: Limits


class Answer(msgspec.Struct):
    """`reported` is the number of the last item that is stored; `cancel`: somebody wants the command to end."""

    reported: int
    cancel: bool = False


class Run(msgspec.Struct, frozen=True):
    project: str
    number: int
    reported: int
    limits: Limits


class Reports:
    """Every method raises TwinwireError."""

    def __init__(self, http: "Http") -> None:
        self._http = http

    async def begin(self, about: About, project: str | None) -> Run:
        """The run of this key, made if it is not there; `project` is the id if that is known by now, else it is found,
        or made, by what was asked for."""
        begin = partial(self._begin, about)
        return await (in_project(self._http, about.project, begin) if project is None else begin(project))

    async def _begin(self, about: About, project: str) -> Run:
        ago = round(min(max(0.0, time.time() - about.started), AGO_MAX), 3)
        given = {"key": about.key, "command": about.command, "host": about.host, "ago": ago}
        body = msgspec.json.encode({name: value for name, value in given.items() if value})
        url = self._http.place.url(f"projects/{project}/runs")
        begun = await self._http.json("POST", url, _Begun, body=body)
        return Run(project, begun.number, begun.reported, begun.limits)

    async def send(self, run: Run, first: int, items: Sequence[Item]) -> Answer:
        """Items from this number on."""
        url = self._http.place.url(f"projects/{run.project}/runs/{run.number}/reports")
        return await self._http.json("POST", url, Answer, body=msgspec.json.encode({"from": first, "items": items}))
