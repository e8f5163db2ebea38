"""The lists of several connections, as a program sees them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.twinwire.present import diff, read, state
from twinwire import watching as module
from twinwire.errors import Fault, TwinwireError
from twinwire.frames import Frame
from twinwire.listing import WireWho
from twinwire.place import Place
from twinwire.roll import Changes
from twinwire.timing import Timing
from twinwire.watching import WAITING_MAX, Watching


class FakeLink:
    def __init__(self, id: str | None = "c") -> None:
        self.fault: Fault | None = None
        self.connection = Frame("connection", connection=id)


class Answers:
    """Of `GET /api/presence`: what is put there, once it is."""

    place = Place("http://x")
    timing = Timing(backoff_base=0.001, backoff_cap=0.001, settle=3_600.0)

    def __init__(self) -> None:
        self.asked = 0
        self.news: asyncio.Queue[str | Exception] = asyncio.Queue()

    async def json(self, method: str, url: str, kind: Any, **sent: Any) -> Any:
        self.asked += 1
        text = await self.news.get()
        if isinstance(text, Exception):
            raise text
        return WireWho([read(text)])


class Rig:
    def __init__(self, *places: str) -> None:
        self.http: Any = Answers()
        self.changes = Changes()
        self.adopted: list[str | None] = []
        self.watching = Watching(self.http, places or ("p",), self.changes.note, self.adopted.append)

    def link(self, id: str | None = "c") -> Any:
        link: Any = FakeLink(id)
        self.watching.adopt(link)
        return link

    def there(self, place: str = "p") -> list[str]:
        return [member.member for member in self.watching.rolls[place].members]

    def told(self) -> tuple[list[str], list[tuple[str, str | None]]]:
        """Who joined and who left, since it was asked last."""
        change = self.changes.take()
        if change is None:
            return [], []
        assert self.changes.take() is None
        return [one.member for one in change.joined], [(one.member.member, one.reason) for one in change.left]

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(10):
            while not what():
                await asyncio.sleep(0.001)


@pytest.fixture
async def rigs() -> AsyncIterator[Any]:
    made: list[Rig] = []

    def make(*places: str) -> Rig:
        made.append(Rig(*places))
        return made[-1]

    yield make
    for rig in made:
        rig.watching.close()


async def test_a_list_and_what_follows(rigs: Any) -> None:
    rig = rigs()
    link = rig.link("one")
    rig.watching.frame(link, state(4, "ada:a"))
    assert rig.told() == (["a"], [])
    rig.watching.frame(link, diff(5, joins=["bob:b"], users=2, members=2))
    rig.watching.frame(link, diff(6, leaves=["ada:a lost"], users=1, members=1))
    assert rig.there() == ["b"]
    assert rig.told() == (["b"], [("a", "lost")])
    assert rig.adopted == ["one"]


@pytest.mark.parametrize("number", [7, 3], ids=["hole", "smaller"])
async def test_what_does_not_follow_is_asked_for(rigs: Any, number: int) -> None:
    rig = rigs()
    link = rig.link()
    rig.watching.frame(link, state(5, "ada:a"))
    rig.watching.frame(link, diff(number, joins=["bob:b"]))
    rig.watching.frame(link, diff(8, joins=["eve:e"], users=3, members=3))
    rig.watching.frame(link, diff(9, leaves=["ada:a"], users=2, members=2))
    assert rig.there() == ["a"], "nothing of it counts yet"
    rig.http.news.put_nowait(TwinwireError("busy", status=503, is_passing=True))
    rig.http.news.put_nowait(state(8, "ada:a", "bob:b", "eve:e"))
    await rig.until(lambda: rig.there() == ["b", "e"])
    assert rig.http.asked == 2
    assert rig.watching._of(link).asked == {}


async def test_an_answer_may_be_quicker_than_the_stream(rigs: Any) -> None:
    rig = rigs()
    link = rig.link()
    rig.watching.frame(link, state(1))
    rig.watching.frame(link, diff(3, joins=["bob:b"]))
    rig.http.news.put_nowait(state(5, "bob:b", "eve:e"))
    await rig.until(lambda: rig.there() == ["b", "e"])
    for number in (4, 5):
        rig.watching.frame(link, diff(number, joins=["eve:e"], users=2, members=2))
    rig.watching.frame(link, diff(6, leaves=["eve:e"], users=1, members=1))
    assert rig.there() == ["b"]
    assert rig.http.asked == 1


async def test_a_list_that_comes_by_itself_beats_the_answer(rigs: Any) -> None:
    rig = rigs()
    link = rig.link()
    rig.watching.frame(link, state(1))
    rig.watching.frame(link, diff(3))
    await rig.until(lambda: rig.http.asked == 1)
    rig.watching.frame(link, state(4, "bob:b"))
    rig.http.news.put_nowait(state(3))
    await rig.until(lambda: not rig.watching._questions)
    assert rig.there() == ["b"]


async def test_what_may_not_be_asked_for_is_told_in_the_log(rigs: Any, caplog: pytest.LogCaptureFixture) -> None:
    rig = rigs()
    link = rig.link()
    rig.watching.frame(link, diff(3))
    rig.http.news.put_nowait(TwinwireError("no right", status=403))
    await rig.until(lambda: "no right" in caplog.text)
    assert rig.watching._of(link).asked == {}


async def test_what_waits_for_an_answer_is_bounded(rigs: Any) -> None:
    rig = rigs()
    link = rig.link()
    for number in range(5, 2 * WAITING_MAX):
        rig.watching.frame(link, diff(number))
    assert len(rig.watching._of(link).asked["p"]) == WAITING_MAX
    rig.http.news.put_nowait(state(6))
    rig.http.news.put_nowait(state(2 * WAITING_MAX - 1, "ada:a"))
    await rig.until(lambda: rig.watching.rolls.get("p") and rig.there() == ["a"])
    assert rig.http.asked == 2


async def test_over_a_restart_nobody_goes_or_comes(rigs: Any) -> None:
    """Its numbers begin anew, and people come back one after the other."""
    rig = rigs()
    rig.watching.frame(rig.link("one"), state(40, "ada:a", "bob:b", "eve:e"))
    rig.told()
    link = rig.link("two")
    assert rig.there() == ["a", "b", "e"], "the list of before, until there is another"
    rig.watching.frame(link, state(0))
    rig.watching.frame(link, diff(1, joins=["bob:b"], users=1, members=1))
    assert sorted(rig.there()) == ["a", "b", "e"]
    assert rig.watching.rolls["p"].user_count == 3
    assert rig.told() == ([], [])
    rig.watching.frame(link, diff(2, joins=["ada:a", "mia:m"], users=3, members=3))
    rig.watching.frame(link, diff(3, leaves=["bob:b left"], users=2, members=2))
    assert rig.told() == (["m"], [("b", "left")])
    rig.watching._settle()
    assert rig.told() == ([], [("e", None)])
    assert rig.adopted == ["one", "two"]


async def test_polls_outlive_a_restart(rigs: Any) -> None:
    """A list with a smaller number is another run's."""
    rig = rigs("p", "q/*")
    link = rig.link(None)
    rig.watching.frame(link, state(4, "ada:a", "bob:b"))
    rig.watching.frame(link, state(9, "ada:a", place="q/1"))
    rig.changes.pass_over()
    rig.watching.frame(link, state(0))
    assert rig.adopted == [None, None], "and whoever is there enters again"
    rig.watching.frame(link, state(1, "ada:a"))
    rig.watching.frame(link, state(2, "ada:a", "bob:b"))
    assert rig.told() == ([], [])
    rig.watching._settle()
    assert (rig.there(), rig.there("q/1")) == (["a", "b"], ["a"])
    rig.watching.frame(link, state(0, place="q/1"))
    assert rig.there("q/1") == ["a"]
    rig.watching._settle()
    assert list(rig.watching.rolls) == ["p"]


async def test_who_came_back_and_went_is_not_held(rigs: Any) -> None:
    rig = rigs()
    rig.watching.frame(rig.link(), state(40, "ada:a"))
    link = rig.link()
    rig.watching.frame(link, state(1, "ada:a"))
    rig.watching.frame(link, state(9))
    assert rig.there() == []


async def test_nobody_goes_while_the_connection_is_away(rigs: Any) -> None:
    rig = rigs()
    rig.watching.frame(rig.link(), state(40, "ada:a"))
    link = rig.link()
    link.fault = Fault("network", "cut")
    rig.watching._settle()
    assert rig.there() == ["a"]
    rig.watching.frame(rig.link(), state(1))
    assert rig.there() == ["a"]
    rig.watching._settle()
    assert rig.there() == []


async def test_places_of_a_filter_of_which_nothing_is_said_any_more_are_empty(rigs: Any) -> None:
    rig = rigs("p/*")
    link = rig.link()
    rig.watching.frame(link, state(3, "ada:a", place="p/1"))
    rig.watching.frame(link, state(3, "ada:a", place="p/2"))
    rig.watching.frame(rig.link(), state(1, "ada:a", place="p/2"))
    rig.changes.pass_over()
    rig.watching._settle()
    assert list(rig.watching.rolls) == ["p/2"]
    assert rig.told() == ([], [("a", None)])


async def test_one_that_is_tried_has_lists_of_its_own_and_brings_them(rigs: Any) -> None:
    rig = rigs()
    link, spare = rig.link(), FakeLink("two")
    rig.watching.frame(link, state(40, "ada:a"))
    rig.watching.frame(spare, state(7, "ada:a", "bob:b"))
    assert rig.there() == ["a"]
    rig.watching.adopt(spare)
    assert rig.there() == ["a", "b"]
    rig.watching.frame(spare, diff(8, leaves=["bob:b"], users=1, members=1))
    assert rig.there() == ["a"]


async def test_empty_places_of_a_filter_are_forgotten(rigs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EMPTY_MAX", 2)
    rig = rigs("p/*")
    link = rig.link()
    for number in range(5):
        rig.watching.frame(link, state(1, "ada:a", place=f"p/{number}"))
        rig.watching.frame(link, diff(2, leaves=["ada:a"], place=f"p/{number}", users=0, members=0))
    assert rig.watching.rolls == {}
    assert list(rig.watching._of(link).rolls) == ["p/3", "p/4"]
    rig.watching.frame(link, diff(3, joins=["ada:a"], place="p/0"))
    rig.http.news.put_nowait(state(3, "ada:a", place="p/0"))
    await rig.until(lambda: "p/0" in rig.watching.rolls)


async def test_what_is_no_list_is_said_so(rigs: Any) -> None:
    rig = rigs()
    with pytest.raises(ValueError, match="since"):
        rig.watching.frame(rig.link(), '{"place":"p","version":1,"state":[{"member":"b"}]}')
