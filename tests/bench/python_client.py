"""What the rows of the Python client run, on the clients' core: it reads or publishes, and says how fast."""

import asyncio
import json
import sys
import time

from websockets.asyncio.client import connect

from twinwire import AsyncTwinwire, Twinwire


async def read(url: str, topic: str, count: int, transport: str) -> float:
    """Events/s of a program that looks at the data of each."""
    async with AsyncTwinwire(url, transports=[transport]) as live:  # type: ignore[list-item]
        began, left = time.perf_counter(), count
        async for event in live.subscribe(topic, after="earliest"):
            assert event.data is not None  # type: ignore[union-attr]
            left -= 1
            if left == 0:
                break
        return count / (time.perf_counter() - began)


def blocking(url: str, topic: str, count: int) -> float:
    """The same without an event loop."""
    with Twinwire(url) as live:
        began, left = time.perf_counter(), count
        for event in live.subscribe(topic, after="earliest"):
            assert event.data is not None  # type: ignore[union-attr]
            left -= 1
            if left == 0:
                break
        return count / (time.perf_counter() - began)


async def bare(url: str, topic: str, count: int) -> float:
    """The same with `websockets` alone, and no promise."""
    where = f"{url.replace('http', 'ws', 1)}/api/ws?topic={topic}&after=earliest"
    async with connect(where, compression=None, max_size=None) as socket:
        began, left = time.perf_counter(), count
        while left:
            left -= "topic" in json.loads(await socket.recv())
        return count / (time.perf_counter() - began)


async def publish(url: str, topic: str, count: int) -> float:
    """Publishes/s of a program that hands its events to a batch, one by one."""
    async with AsyncTwinwire(url) as live:
        began = time.perf_counter()
        async with live.batch() as batch:
            for n in range(count):
                await batch.add(topic, "log", {"n": n, "text": "x" * 80})
        return count / (time.perf_counter() - began)


def main(verb: str, url: str, topic: str, count: str) -> None:
    number = int(count)
    if verb == "bare":
        print(asyncio.run(bare(url, topic, number)))
    elif verb == "blocking":
        print(blocking(url, topic, number))
    elif verb == "publish":
        print(asyncio.run(publish(url, topic, number)))
    else:
        print(asyncio.run(read(url, topic, number, verb)))


if __name__ == "__main__":
    main(*sys.argv[1:])
