import asyncio
import contextlib

from service.stream.between import BetweenPages


class Stream:
    """What is shared of one."""

    def __init__(self) -> None:
        self.lock: asyncio.Lock | None = None
        self.users = 0


async def test_they_come_one_after_the_other_in_their_order_and_leave_no_lock() -> None:
    stream, said = Stream(), list[str]()

    async def come(name: str) -> None:
        async with BetweenPages(stream):
            said.append(f"{name} begins")
            await asyncio.sleep(0)
            said.append(f"{name} ends")

    await asyncio.gather(*map(come, "abc"))
    assert said == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]
    assert (stream.lock, stream.users) == (None, 0)


async def test_who_is_cancelled_while_it_waits_or_fails_inside_holds_up_nobody() -> None:
    stream, over = Stream(), asyncio.Event()

    async def hold() -> None:
        async with BetweenPages(stream):
            await over.wait()
            raise RuntimeError

    async def come() -> None:
        async with BetweenPages(stream):
            pass

    first, given_up, last = (asyncio.create_task(one) for one in (hold(), come(), come()))
    await asyncio.sleep(0)
    assert stream.users == 3
    given_up.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await given_up
    assert stream.users == 2
    over.set()
    await asyncio.wait_for(last, 10)
    assert isinstance(first.exception(), RuntimeError)
    assert (stream.lock, stream.users) == (None, 0)
