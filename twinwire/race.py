"""The hedged start: the best transport goes first; the next joins after a while, or as soon as all running ones have
failed; the first connection frame wins. What the service itself answers counts for all."""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from twinwire.chooser import Transport
from twinwire.errors import Fault
from twinwire.link import Link


class Won(NamedTuple):
    """`others` are still trying; they are the caller's now."""

    link: Link
    others: list[Link]


class Lost(NamedTuple):
    """`fault` decides what to do. `is_all`: every transport was tried, and none of them had an answer."""

    fault: Fault
    is_all: bool


async def race(
    order: Sequence[Transport],
    launch: Callable[[Transport], Link],
    failed: Callable[[Link], Fault],
    hedge: float,
) -> Won | Lost:
    """`launch` opens a link; `failed` says what one came to that has ended. `hedge` in seconds."""
    waiting = list(order)
    running: list[Link] = []
    fault = Fault("unsupported", "there is no transport")
    is_due = True
    try:
        while waiting or running:
            if waiting and (is_due or not running):
                running.append(launch(waiting.pop(0)))
            opened = [link.opened for link in running]
            timeout = hedge if waiting else None
            done, _ = await asyncio.wait(opened, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            is_due = not done
            for link in [link for link in running if link.opened.done()]:
                running.remove(link)
                if link.connection is not None and link.fault is None:
                    others, running = running, []
                    return Won(link, others)
                fault = failed(link)
                if fault.is_answer:
                    return Lost(fault, is_all=False)
        return Lost(fault, is_all=True)
    finally:
        for link in running:
            link.close()
