"""The credential of a running connection: another token in time, in place, so that its place and its events stay as
they are (docs/protocol.md, section 9).

The service warns a minute before the end. Then the program is asked for a token, after a while that spreads out a herd
of programs, and the running connection is told of it. When a connection ends is known of each link, also of one that is
still tried beside the one that works: it may take over, and is not warned again.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from twinwire.encoding import as_json
from twinwire.errors import RefusedError, TwinwireError
from twinwire.frames import Frame
from twinwire.http import Http
from twinwire.link import Link
from twinwire.logs import logger
from twinwire.timing import Backoff

JITTER: Final = 20.0
MARGIN: Final = 5.0
"""Seconds before the end, by which it must have been tried once."""

REF: Final = "auth"
"""Of the message that brings a token."""


class Credential:
    """`restart` connects anew: another subject's token can't be told to a running connection."""

    def __init__(self, http: Http, restart: Callable[[], None]) -> None:
        self._http = http
        self._restart = restart
        self._task: asyncio.Task[None] | None = None
        self._link: Link | None = None
        self._reply: asyncio.Future[Frame] | None = None

    def frame(self, link: Link, frame: Frame, *, is_working: bool) -> None:
        """An `auth` frame, or an answer to what was sent; of the link that works, or of one that is tried."""
        if frame.type == "auth" and frame.state == "expiring" and frame.in_ is not None:
            link.ends_at = asyncio.get_running_loop().time() + frame.in_
        elif frame.type == "auth" and frame.state == "renewed":
            link.ends_at = None
        if not is_working:
            return
        if frame.type in ("reply", "problem") and frame.ref == REF and self._reply and not self._reply.done():
            self._reply.set_result(frame)
        elif frame.type == "auth" and frame.state == "reduced":
            logger.warning("rights to %s are lost: nothing more comes from there", ", ".join(frame.lost))
        self.adopt(link)

    def adopt(self, link: Link) -> None:
        """It works from now on, or still."""
        if link.ends_at is None or not self._http.token.is_renewable:
            return
        if self._link is link and self._task is not None and not self._task.done():
            return
        self.cancel()
        self._link = link
        self._task = asyncio.create_task(self._renew(link, link.ends_at))

    async def _renew(self, link: Link, end: float) -> None:
        clock = asyncio.get_running_loop().time
        left = end - clock()
        room = max(left - min(MARGIN, left / 2), 0.0)
        await asyncio.sleep(random.random() * min(JITTER, room))
        backoff = Backoff(self._http.timing)
        used = link.token
        while True:
            if clock() >= end:
                return  # the service says goodbye
            try:
                if await self._http.token.renew(used):
                    link.ends_at = None  # of the next one it may be told right behind the answer
                    await self._present(link, self._http.token.text)
                    link.token = self._http.token.text
                    break
            except RefusedError as error:
                if error.status == 403:
                    self._restart()
                    return
                used = self._http.token.text  # which is no good either
            except TwinwireError as error:  # of the program's own function, too: it is asked again
                if error.status == 404:
                    self._restart()
                    return
                logger.warning("no other token yet: %s", error.detail)
            link.ends_at = end
            await asyncio.sleep(backoff.next())
        self._task = None
        self.adopt(link)

    async def _present(self, link: Link, token: str) -> None:
        """Raises TwinwireError."""
        if link.name != "websocket":
            body = as_json({"connection": link.connection.connection if link.connection else None})
            await self._http.json("POST", self._http.place.url("auth"), dict, body=body)
            return
        self._reply = asyncio.get_running_loop().create_future()
        try:
            if not await link.send(as_json({"op": "auth", "token": token, "ref": REF}).decode()):
                raise TwinwireError("the connection is gone", is_passing=True)
            async with asyncio.timeout(self._http.timing.request):
                answer = await self._reply
        except TimeoutError:
            raise TwinwireError("no answer to another token in time", is_passing=True) from None
        finally:
            self._reply = None
        if answer.type == "problem":
            kind: Any = RefusedError if answer.status in (401, 403) else TwinwireError
            raise kind(answer.detail or answer.title, status=answer.status)

    def cancel(self) -> None:
        """The connection is let go, or done with."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._task = self._link = None
