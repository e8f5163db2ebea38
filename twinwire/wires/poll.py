"""Long polling: one request after the other, each answered when there is something. It speaks the frames of the other
transports, so that nothing above knows the difference.

A path that cuts idle requests teaches `Patience`: the seconds that a request waits. They are halved when a waiting
request is cut, so that polling works through any idle timeout.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from twinwire.cursor import is_cursor
from twinwire.encoding import as_json
from twinwire.errors import Fault
from twinwire.frames import Frame, WirePage
from twinwire.http import Http
from twinwire.link import WireError, read_frame
from twinwire.roll import WirePresence, read_presence

PAGE: Final = 500
GRACE: Final = 10.0
"""Seconds beyond the wait, after which a request is stalled."""
EMPTY_PAUSE: Final = 1.0
"""Seconds between two requests of which the first was answered at once, with nothing: by a service that drains; or with
nothing but what came before."""
WAIT_MIN: Final = 1.0
PLACES_MAX: Final = 200
"""Places whose number is said with each request, which may have 64 KiB; the lists of more come again each time."""


class Patience:
    """`seconds` that a request may wait on this path."""

    def __init__(self) -> None:
        self.seconds = 60.0

    def cut(self, waited: float, wait: float) -> None:
        if wait > WAIT_MIN and waited > 1.0:
            self.seconds = max(WAIT_MIN, min(wait, waited) // 2)


class PollWire:
    """`topics`: filters; none for all. `after` as for a stream; `ephemeral`: events that are not kept, too; `presence`:
    who is there, too."""

    def __init__(
        self,
        http: Http,
        topics: Sequence[str],
        after: str | None,
        patience: Patience,
        *,
        ephemeral: bool = False,
        presence: bool = False,
    ) -> None:
        self._ephemeral = 1 if ephemeral else None
        self._presence = 1 if presence else None
        self._versions: dict[str, int] = {}
        """The numbers of the lists that came, by place."""
        self._http = http
        self._topics = topics
        self._after = after
        self._patience = patience

    async def frames(self) -> AsyncGenerator[tuple[Frame, str], None]:
        is_connected = is_live = False
        while True:
            wait = min(self._http.timing.poll_wait, self._patience.seconds) if is_live else 0.0
            asked = time.monotonic()
            page = await self._page(wait, asked)
            if not is_cursor(page.cursor):
                raise WireError(Fault("protocol", "not a page of events"))
            if not is_connected:
                yield self._connection(page), ""
                is_connected = True
            if page.gap is not None:
                gap = page.gap
                yield Frame("gap", gap.id, requested=gap.requested, reason=gap.reason, floor=gap.floor), ""
            for raw in (*(page.presence or ()), *page.events, *(page.ephemeral or ())):
                text = str(raw, "utf-8")
                yield self._read(text), text
            self._after = page.cursor
            is_first = not is_live and not page.more
            yield Frame("caught_up" if is_first else "heartbeat", page.cursor), ""
            is_live = is_live or is_first
            is_empty = not (page.events or page.ephemeral or page.presence or page.gap or page.more)
            is_idle = is_empty and wait > 0
            is_again = len(self._versions) >= PLACES_MAX and bool(page.presence) and not page.events
            if (is_idle or is_again) and (left := EMPTY_PAUSE - (time.monotonic() - asked)) > 0:
                await asyncio.sleep(left)

    async def _page(self, wait: float, asked: float) -> WirePage:
        versions = [f"{place}:{version}" for place, version in self._versions.items()]
        params: list[tuple[str, object]] = [
            ("after", self._after or "latest"),
            ("wait", f"{wait:g}"),
            ("limit", PAGE),
            ("ephemeral", self._ephemeral),
            ("presence", self._presence),
            *(("presence_version", version) for version in versions),
        ]
        url, sent = self._http.place.asking("events", "events/read", self._topics, params)
        several = {"presence_version": versions} if versions else {}
        body = None if sent is None else as_json({**sent, "wait": wait, **several})
        outcome = await self._http.attempt(
            "GET" if body is None else "POST", url, WirePage, body=body, within=wait + GRACE
        )
        if not isinstance(outcome, Fault):
            return outcome
        if outcome.kind == "network":
            self._patience.cut(time.monotonic() - asked, wait)
        raise WireError(Fault("stalled", outcome.detail) if outcome.kind == "timeout" and wait else outcome)

    def _read(self, text: str) -> Frame:
        """Raises WireError for what is no frame."""
        frame = read_frame(text)
        if frame.type == "presence" and frame.topic is None:
            with contextlib.suppress(ValueError):  # whoever takes it says so
                self._note(read_presence(text))
        return frame

    def _note(self, told: WirePresence) -> None:
        """Its number is said with the next request."""
        self._versions.pop(told.place, None)
        self._versions[told.place] = told.version
        while len(self._versions) > PLACES_MAX:
            del self._versions[next(iter(self._versions))]

    def _connection(self, page: WirePage) -> Frame:
        is_resumed = is_cursor(self._after)
        # Where it goes on from: for `earliest` the events themselves say it.
        id = self._after if is_resumed else None if self._after == "earliest" else page.cursor
        return Frame(
            "connection", id, head=page.head, floor=page.floor, resumed=is_resumed and page.gap is None, heartbeat=None
        )

    async def send(self, text: str) -> bool:
        return False

    async def close(self) -> None:
        """The iteration is ended with its task."""
