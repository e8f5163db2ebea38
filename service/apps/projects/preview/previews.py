"""Opening applications, as the project's page does it: start, look, stop; and who answers under their host names."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from service.access.caller import Caller
from service.apps.projects.models import Value
from service.apps.projects.preview.releases import Box, Releases
from service.apps.projects.settings import ProjectsSettings
from service.core.errors import InvalidError, UnsupportedError
from service.core.time import Clock
from service.preview.door import ENTRY, Door
from service.preview.names import Names, Site
from service.preview.programs import Program, Programs
from service.preview.sessions import Sessions
from service.stream.asgi import ASGI

MOUNTED: Final = (
    "this service is mounted in another application, whose host names are its own: applications are opened where the"
    " service runs as a process of its own"
)

AppState = Literal["off", "none", "stopped", "starting", "running", "failed"]


class AppView(Value):
    """The application of a project: `off` where none is opened, and `none` without a completed run; `message` says why.

    `url` is where it is, and with `ticket` where a browser enters; `run` is the id of the run that it is of; `tail` is
    the end of its output once it has failed. `idle` is the seconds without a look after which it is stopped.
    """

    state: AppState
    message: str = ""
    url: str | None = None
    ticket: str | None = None
    run: str | None = None
    tail: str = ""
    idle: float


class Previews:
    """One for all projects. `has_hosts`: requests under host names of applications come to this service."""

    def __init__(
        self,
        settings: ProjectsSettings,
        source: Releases,
        box: Box,
        clock: Clock,
        *,
        is_guarded: bool,
        has_hosts: bool,
    ) -> None:
        self._box = box
        self._has_hosts = has_hosts
        self._source = source
        self._names = Names(settings.preview_host)
        self._sessions = Sessions(clock)
        self._programs = Programs(self._source, clock, idle=settings.preview_idle, most=settings.preview_apps)
        self._door = Door(self._names, self._programs, self._sessions, is_guarded=is_guarded)

    def start(self) -> None:
        self._programs.start()

    async def leave(self) -> None:
        await self._door.leave()

    async def close(self) -> None:
        await self._programs.close()

    def host(self, host: str) -> ASGI | None:
        """As `App.host`, also where nothing is opened: what was opened before must not find the service there."""
        return self._door.host(host)

    def frames(self, host: str) -> Sequence[str]:
        return self._names.sources(host) if self._why_not is None else ()

    @property
    def _why_not(self) -> str | None:
        return self._box.refusal or (None if self._has_hosts else MOUNTED)

    async def show(self, id: str, page: Site) -> AppView:
        """How it does, for a page that shows it: which counts as a look. Raises StorageError."""
        idle = self._programs.idle
        why_not = self._why_not
        if why_not is not None:
            return AppView(state="off", message=why_not, idle=idle)
        try:
            url = f"{self._names.site_of(id, page).origin}/"
        except InvalidError as error:
            return AppView(state="off", message=error.detail, idle=idle)
        program = self._programs.touch(id)
        if program is not None:
            return self._view(program, url)
        if await self._source.newest(id) is None:
            return AppView(state="none", message="a run has to be completed first", idle=idle)
        return AppView(state="stopped", url=url, idle=idle)

    def _view(self, program: Program, url: str, ticket: str | None = None) -> AppView:
        has_failed = program.state == "failed"
        return AppView(
            state=program.state,
            message=program.message,
            url=url if ticket is None else f"{url.rstrip('/')}{ENTRY}?ticket={ticket}",
            ticket=ticket,
            run=program.version,
            tail=program.tail if has_failed else "",
            idle=self._programs.idle,
        )

    async def open(self, id: str, page: Site, caller: Caller, check: Callable[[Caller], None]) -> AppView:
        """Start it, if it does not run, and let the caller's browser in. `check` raises for one who counts no more.

        Raises UnsupportedError where none is opened, InvalidError where it has no host name, NotFoundError if there is
        nothing to run, OverloadedError or RateLimitedError where there is no room.
        """
        if self._why_not is not None:
            raise UnsupportedError(self._why_not)
        site = self._names.site_of(id, page)
        program = await self._programs.ensure(id, caller.who, is_asked=True)
        self._door.admit_frames(id, page)
        ticket = self._sessions.issue(id, caller, check, site) if self._door.is_guarded else None
        return self._view(program, f"{site.origin}/", ticket)

    def stop(self, id: str) -> None:
        """Whether it runs or not."""
        self._programs.stop(id)
