"""Publishing, exactly once however often it is tried: every draft has a key, the caller's or one of ours, and a retry
with the same key is answered with the first id (docs/protocol.md, section 5).

What passes (no answer, 429, 503, what something on the way says) is tried again, with full jitter or when the service
says, for `Timing.publish` seconds. What the service refuses is told at once.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec

from twinwire.encoding import encode, keyed, lines
from twinwire.errors import TwinwireError
from twinwire.event import Draft
from twinwire.http import Http
from twinwire.logs import logger
from twinwire.timing import Backoff

EVENTS_MAX: Final = 1_000
"""Of one request: fewer than the service takes, so that one that is refused for another's sake costs little."""

BYTES_MAX: Final = 1 << 20
"""Of one request of several events; an event alone may have what the service takes."""


T = TypeVar("T")


class _Id(msgspec.Struct):
    id: str


class _Ids(msgspec.Struct):
    ids: list[str]


class Publisher:
    """Posts drafts, in the order in which they are given."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def one(self, draft: Draft) -> str:
        """Publishes it; its id, once it is on disk. Raises TwinwireError."""
        encoded = encode(keyed(draft))
        return (await self._tried("application/json", encoded, _Id)).id

    async def many(self, drafts: Iterable[Draft]) -> list[str]:
        """Publishes them in requests of at most 1,000 events and 1 MiB, each of which is all or nothing; their ids.

        Raises TwinwireError for the first request that is refused: `stored` of it are the ids of those before it.
        """
        ids: list[str] = []
        for bunch in bunches([encode(keyed(draft)) for draft in drafts]):
            try:
                ids += await self.post(bunch)
            except TwinwireError as error:
                error.stored = ids
                raise
        return ids

    async def post(self, encoded: Sequence[bytes]) -> list[str]:
        """One request; the ids. Raises TwinwireError."""
        ids = (await self._tried("application/x-ndjson", lines(encoded), _Ids)).ids
        if len(ids) != len(encoded):
            raise TwinwireError(f"{len(ids)} ids for {len(encoded)} events: is this the service's URL?")
        return ids

    async def _tried(self, media: str, body: bytes, kind: type[T]) -> T:
        timing = self._http.timing
        backoff = Backoff(timing)
        clock = asyncio.get_running_loop().time
        deadline = clock() + timing.publish
        url = self._http.place.url("events")
        while True:
            try:
                return await self._http.json("POST", url, kind, body=body, media=media)
            except TwinwireError as error:
                delay = error.retry_after or backoff.next()  # 0 is no order to hurry
                if not (error.is_passing and clock() + delay <= deadline):  # which is also no number
                    raise
                logger.info("%s; trying again in %.1f s", error.detail, delay)
            await asyncio.sleep(delay)


def fitting(encoded: Iterable[bytes]) -> int:
    """How many of these, from the first on, one request takes: one at least, if there is one."""
    count = size = 0
    for one in islice(encoded, EVENTS_MAX):
        size += len(one) + 1
        if count and size > BYTES_MAX + 1:
            break
        count += 1
    return count


def bunches(encoded: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """In order, each of what one request takes."""
    start = 0
    while count := fitting(islice(encoded, start, None)):
        yield encoded[start : start + count]
        start += count
