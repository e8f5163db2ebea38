"""Server-Sent Events, read by `httpx2`: unlike EventSource it shows the status and the media type, carries the token in
a header, and leaves the reconnect to us."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

import httpx2

from twinwire.encoding import as_json
from twinwire.errors import Fault
from twinwire.frames import Frame
from twinwire.http import Http
from twinwire.link import WireError, read_frame

EVENT_MAX: Final = 64 << 20
"""Bytes of one block."""


class SseWire:
    """`topics`: filters; none for all. `after` as for a stream; `ephemeral`: events that are not kept, too; `presence`:
    who is there, too."""

    def __init__(
        self, http: Http, topics: Sequence[str], after: str | None, *, ephemeral: bool = False, presence: bool = False
    ) -> None:
        beside = [("ephemeral", 1 if ephemeral else None), ("presence", 1 if presence else None)]
        self._http = http
        self._asked = http.place.asking("sse", "sse", topics, [("after", after), *beside])

    async def frames(self) -> AsyncGenerator[tuple[Frame, str], None]:
        url, asked = self._asked
        body = None if asked is None else as_json(asked)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", "X-Twinwire-Fetch": "1"}
        headers |= {} if body is None else {"Content-Type": "application/json"}
        try:
            async with self._http.stream("GET" if body is None else "POST", url, headers, body) as answer:
                if isinstance(answer, Fault):
                    raise WireError(answer)
                media = answer.headers.get("content-type", "")
                if not media.startswith("text/event-stream"):
                    raise WireError(Fault("media", f"{media or 'no media type'} in place of a stream"))
                async for block in httpx2.EventSource(answer, max_event_size=EVENT_MAX):
                    if block.data:
                        yield read_frame(block.data), block.data
        except httpx2.HTTPError as error:
            raise WireError(self._http.fault(error)) from error

    async def send(self, text: str) -> bool:
        return False

    async def close(self) -> None:
        """The iteration is ended with its task."""
