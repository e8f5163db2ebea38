"""A subscription's way to the service, over transports that say what they are told to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.twinwire.present import diff, state
from tests.unit.twinwire.scripted import CONNECTION, Http, Wire, Wires, event
from twinwire.beside import Beside
from twinwire.chooser import TRANSPORTS, Transport
from twinwire.connection import Connection
from twinwire.errors import Fault, Problem, RefusedError, TwinwireError
from twinwire.event import Event, Gap
from twinwire.inbox import Inbox, Position
from twinwire.presence import Unread
from twinwire.roll import Changes
from twinwire.timing import Timing
from twinwire.token import Token
from twinwire.watching import Watching

CAUGHT_UP = '{"type":"caught_up","id":"e-1"}'
CUT = Fault("network", "cut")


class Rig:
    def __init__(self, after: str | None = "e-1", token: Token | None = None, **timing: float) -> None:
        quick = {
            "backoff_base": 0.001,
            "backoff_cap": 0.001,
            "probe": 0.01,
            "productive": 0.01,
            "hedge": 60.0,
            **timing,
        }
        http: Any = Http(Timing(**quick), token)
        self.wires = Wires()
        self.inbox = Inbox()
        wires: dict[Transport, Any] = {name: self.wires.of(name) for name in TRANSPORTS}
        self.connection = Connection(http, (), after, TRANSPORTS, self.inbox, wires)

    async def connected(self, count: int, transport: str = "websocket") -> Wire:
        """The `count`-th that was opened, with its first frame."""
        name, wire = await self.wires.next(count)
        assert name == transport
        wire.say(CONNECTION)
        return wire

    async def got(self, count: int) -> list[str]:
        """The next `count` events and gaps, by id."""
        found: list[str] = []
        async with asyncio.timeout(10):
            while len(found) < count:
                assert await self.inbox.wait(), found
                item = self.inbox.take()
                if isinstance(item, Event):
                    found.append(item.id)
                elif isinstance(item, Gap):
                    found.append(f"gap {item.id}")
        return found

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(10):
            while not what():
                await asyncio.sleep(0.001)


@pytest.fixture
async def rigs() -> AsyncIterator[Any]:
    made: list[Rig] = []

    def make(*args: Any, **how: Any) -> Rig:
        made.append(Rig(*args, **how))
        return made[-1]

    yield make
    for rig in made:
        await rig.connection.close()
        assert not [wire for _, wire in rig.wires.opened if not wire.is_let_go]


async def test_it_goes_on_from_what_came(rigs: Any) -> None:
    rig = rigs()
    first = await rig.connected(1)
    assert first.after == "e-1"
    first.say(event(2, 1), event(3, 2), CUT)
    second = await rig.connected(2)
    assert second.after == "e-3"
    second.say(event(3, 2), event(4, 3), CAUGHT_UP)
    assert await rig.got(3) == ["e-2", "e-3", "e-4"]
    await rig.until(lambda: rig.connection.state == "live")


async def test_what_is_missing_is_read_again_and_nothing_of_the_broken_one_counts(rigs: Any) -> None:
    """Frames behind the break are there already: they would move the cursor past what is missing."""
    rig = rigs()
    (await rig.connected(1)).say(event(9, 5), event(10, None, "other"), event(11, 10, "other"))
    second = await rig.connected(2)
    assert second.after == "e-1"
    second.say(event(5, 1), event(9, 5), event(10, None, "other"), event(11, 10, "other"))
    assert await rig.got(4) == ["e-5", "e-9", "e-10", "e-11"]


async def test_what_is_missing_when_it_is_read_again_is_delivered(rigs: Any) -> None:
    rig = rigs()
    for count in (1, 2):
        (await rig.connected(count)).say(event(9, 5), event(12, 9))
    assert await rig.got(2) == ["e-9", "e-12"]
    assert len(rig.wires.opened) == 2


async def test_a_gap_is_told_in_its_place(rigs: Any) -> None:
    rig = rigs()
    gap = '{"type":"gap","requested":"e-1","reason":"trimmed","id":"e-6","floor":"e-6"}'
    (await rig.connected(1)).say(gap, event(7, 6), CUT)
    (await rig.connected(2)).say(event(8, 7))
    assert await rig.got(3) == ["gap e-6", "e-7", "e-8"]


async def test_the_next_transport_is_tried_and_the_better_one_takes_over_beside_it(rigs: Any) -> None:
    rig = rigs()
    _, websocket = await rig.wires.next(1)
    websocket.say(CUT)
    sse = await rig.connected(2, "sse")
    sse.say(event(2, 1), CAUGHT_UP)
    assert await rig.got(1) == ["e-2"]
    better = await rig.connected(3)
    assert better.after == "e-2"
    better.say(event(3, 2), '{"type":"caught_up","id":"e-3"}')
    sse.say(event(3, 2))
    await rig.until(lambda: rig.connection.transport == "websocket")
    await rig.until(lambda: sse.is_let_go)
    assert rig.connection.state == "live"
    better.say(event(4, 3))
    assert await rig.got(2) == ["e-3", "e-4"]
    await asyncio.sleep(0.05)
    assert len(rig.wires.opened) == 3, "nothing was torn down"


async def test_one_that_is_tried_takes_over_when_the_working_one_ends(rigs: Any) -> None:
    rig = rigs(productive=60.0)
    (await rig.wires.next(1))[1].say(CUT)
    sse = await rig.connected(2, "sse")
    better = await rig.connected(3)
    better.say(event(2, 1))
    assert await rig.got(1) == ["e-2"]
    sse.say(CUT)
    await rig.until(lambda: rig.connection.transport == "websocket")
    better.say(event(3, 2))
    assert await rig.got(1) == ["e-3"]
    assert len(rig.wires.opened) == 3


@pytest.mark.parametrize(
    "of_no_use",
    [
        '{"type":"gap","requested":"e-1","reason":"trimmed","id":"e-6","floor":"e-6"}',
        event(9, 5),
        CUT,
    ],
    ids=["gap", "loss", "cut"],
)
async def test_one_that_is_tried_and_no_use_harms_nobody(rigs: Any, of_no_use: str | Fault) -> None:
    rig = rigs()
    (await rig.wires.next(1))[1].say(CUT)
    sse = await rig.connected(2, "sse")
    spare = await rig.connected(3)
    spare.say(of_no_use, event(12, None, "other"))
    await rig.until(lambda: spare.is_let_go)
    sse.say(event(2, 1), event(12, None, "other"))
    assert await rig.got(2) == ["e-2", "e-12"]
    assert rig.connection.transport == "sse"


async def test_one_that_does_not_resume_is_let_go(rigs: Any) -> None:
    rig = rigs()
    (await rig.wires.next(1))[1].say(CUT)
    await rig.connected(2, "sse")
    _, spare = await rig.wires.next(3)
    spare.say('{"type":"connection","id":"e-1","heartbeat":60,"resumed":false}')
    await rig.until(lambda: spare.is_let_go)
    assert rig.connection.transport == "sse"


async def test_what_the_service_refuses_ends_it(rigs: Any) -> None:
    rig = rigs()
    (await rig.connected(1)).say(event(2, 1), CUT)
    problem = Problem(422, "Invalid", "no such filter", "topic")
    (await rig.wires.next(2))[1].say(Fault("http", "422 Invalid: no such filter", 422, problem))
    assert await rig.got(1) == ["e-2"], "what came before comes before"
    while len(rig.inbox):
        assert isinstance(rig.inbox.take(), Position)
    with pytest.raises(TwinwireError) as raised:
        await rig.inbox.wait()
    assert (raised.value.status, raised.value.field) == (422, "topic")
    assert rig.connection.state == "closed"


async def test_a_refused_token_is_replaced_once(rigs: Any) -> None:
    given = iter(["one", "two", "three"])
    rig = rigs(token=Token(lambda: next(given)))
    refused = Fault("http", "401", 401)
    for count in (1, 2):
        (await rig.wires.next(count))[1].say(refused)
    with pytest.raises(RefusedError):
        await rig.inbox.wait()
    assert len(rig.wires.opened) == 2


async def test_a_function_for_tokens_that_fails_is_asked_again(rigs: Any) -> None:
    failures = iter([OSError("no"), OSError("no")])

    def ask() -> str:
        for failure in failures:
            raise failure
        return "one"

    rig = rigs(token=Token(ask))
    (await rig.connected(1)).say(event(2, 1))
    assert await rig.got(1) == ["e-2"]


async def test_zero_is_no_order_to_hurry(rigs: Any) -> None:
    rig = rigs(backoff_base=60.0, backoff_cap=60.0)
    rig.connection._backoff._draw = lambda: 1.0
    (await rig.wires.next(1))[1].say(Fault("http", "503", 503, Problem(503, "Busy"), retry_after=0.0))
    await rig.until(lambda: rig.wires.opened[0][1].is_let_go)
    await asyncio.sleep(0.05)
    assert len(rig.wires.opened) == 1


async def test_who_closes_it_leaves_nothing(rigs: Any) -> None:
    rig = rigs()
    wire = await rig.connected(1)
    await rig.until(lambda: rig.connection.state == "replaying")
    await rig.connection.close()
    assert wire.is_closed
    assert rig.connection.state == "closed"
    assert await rig.inbox.wait() is (len(rig.inbox) > 0)


class Watched(Rig):
    """Of whose events nobody wants to know."""

    def __init__(self) -> None:
        self.adopted: list[str | None] = []
        self.changes = Changes()
        http: Any = Http(Timing(backoff_base=0.001, backoff_cap=0.001, probe=0.01, productive=0.01, hedge=60.0))
        self.wires = Wires()
        self.inbox = Unread()
        wires: dict[Transport, Any] = {name: self.wires.of(name) for name in TRANSPORTS}
        self.watching = Watching(http, ("p",), self.changes.note, self.adopted.append)
        beside = Beside(watching=self.watching, is_alone=True)
        self.connection = Connection(http, ("p",), "latest", TRANSPORTS, self.inbox, wires, beside)

    def there(self) -> list[str]:
        roll = self.watching.rolls.get("p")
        return [member.member for member in roll.members] if roll else []


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    rig = Watched()
    yield rig
    rig.watching.close()
    await rig.connection.close()


async def test_who_is_there_moves_no_cursor_and_what_was_missed_is_not_asked_for(watched: Watched) -> None:
    first = await watched.connected(1)
    assert first.after == "latest"
    first.say(state(3, "ada:a"), event(2, 1), diff(4, joins=["bob:b"], users=2, members=2))
    await watched.until(lambda: watched.there() == ["a", "b"])
    assert watched.connection._reader.cursor == "e-2"
    assert len(watched.inbox) == 0
    first.say(CUT)
    second = await watched.connected(2)
    assert second.after == "latest"
    second.say(state(1, "bob:b", "eve:e"))
    await watched.until(lambda: watched.there() == ["a", "b", "e"])


async def test_a_better_transport_brings_its_lists_and_is_told_of(watched: Watched) -> None:
    (await watched.wires.next(1))[1].say(CUT)
    sse = await watched.connected(2, "sse")
    sse.say(state(3, "ada:a"), CAUGHT_UP)
    await watched.until(lambda: watched.there() == ["a"])
    better = await watched.connected(3)
    better.say(state(3, "ada:a"), diff(4, joins=["bob:b"], users=2, members=2), CAUGHT_UP)
    await watched.until(lambda: watched.connection.transport == "websocket")
    await watched.until(lambda: watched.there() == ["a", "b"])
    assert len(watched.adopted) == 2


async def test_what_does_not_say_who_is_there_ends_the_connection(watched: Watched) -> None:
    (await watched.connected(1)).say('{"type":"presence","place":"p","version":1,"state":[{"member":"b"}]}')
    await watched.wires.next(2)
    assert watched.wires.opened[0][1].is_let_go


async def test_who_may_be_there_says_something_in_time(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinwire.beside.PING", 0.005)
    first = await watched.connected(1)
    await watched.until(lambda: len(first.sent) > 1)
    assert first.sent[0] == '{"op":"ping"}'
