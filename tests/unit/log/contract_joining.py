"""What holds of texts that are joined; `test_contract.py` has it for every engine."""

import asyncio
import json
import random

import pytest

from service.core.errors import ClosedSubjectError
from service.core.event import APPEND, FINAL, JOINED, Draft, Event
from service.core.topics import TopicFilter
from tests.unit.log.contract_state import about, offsets, piece, state
from tests.unit.log.rigs import ALL, Rig, read_all

A = TopicFilter(("a",))


async def texts(rig: Rig, at: int | None = None) -> dict[str, str]:
    """By topic and subject, what the state makes together."""
    found: dict[str, str] = {}
    for event in await state(rig, at=at):
        name = f"{event.topic} {event.subject}"
        found[name] = found.get(name, "") + json.loads(event.data)
    return found


class JoiningContract:
    """A text in many pieces becomes one event that replaces it by the same text, at one place of the order."""

    async def test_the_value_is_the_same_and_one_event(self, rig: Rig) -> None:
        heard: list[Event] = []
        await rig.log.append([piece("one ", append=False), piece('tw"o '), *[about("b", "s", append=True)] * 2])
        await rig.log.append([Draft("a", "last", '"\\ud83d\\n"', None, "s", append=True)])
        rig.log.follow(heard.extend, lambda *of: None)
        before = await state(rig)
        assert await rig.join(A) == 1
        (joined,) = heard
        assert (joined.offset, joined.topic, joined.type, joined.subject) == (6, "a", "last", "s")
        assert (joined.mark, joined.prev) == (3 * JOINED, 5)
        assert joined.data == '"one tw\\"o \\ud83d\\n"', "as the pieces came, half a pair too"
        assert offsets(await state(rig, A)) == [6]
        assert await state(rig, at=5) == before, "an earlier position has the pieces"
        assert await rig.join(A) == 0

    async def test_compaction_leaves_that_event(self, rig: Rig) -> None:
        await rig.log.append([piece(str(n)) for n in range(5)])
        assert await rig.join(A) == 1
        before = await texts(rig)
        assert await rig.compact(A) == 5
        for again in (None, rig.restart, rig.kill):
            if again is not None:
                await again()
            assert offsets(await read_all(rig.log)) == [6]
            assert await texts(rig) == before == {"a s": "01234"}
        await rig.log.append([piece("5")])
        assert await texts(rig) == {"a s": "012345"}

    async def test_what_is_closed_stays_closed(self, rig: Rig) -> None:
        await rig.log.append([piece("a"), piece("b", final=True)])
        assert await rig.join(A) == 1
        assert ((await read_all(rig.log))[-1].mark or 0) == FINAL | 2 * JOINED
        with pytest.raises(ClosedSubjectError):
            await rig.log.append([piece("more")])
        await rig.log.append([piece("anew", append=False), piece("!")])
        assert await texts(rig) == {"a s": "anew!"}

    @pytest.mark.parametrize(
        "drafts",
        [
            [piece("one")],
            [piece("one"), piece("other", append=False)],
            [piece("one"), piece("two"), about("a", "s", "null")],
            [piece("one"), Draft("a", "token", "1", None, "s", append=True)],
            [Draft("a", "token", "[1]", None, "s", append=True)] * 3,
            [piece("one", topic="b"), piece("two", topic="b")],
            [Draft("a", "token", '"x"')] * 3,
        ],
        ids=["one piece", "replaced", "deleted", "not all of it", "no text", "elsewhere", "no subject"],
    )
    async def test_nothing_else_is_joined(self, rig: Rig, drafts: list[Draft]) -> None:
        await rig.log.append(drafts)
        assert await rig.join(A) == 0
        assert rig.log.head == len(drafts)

    async def test_a_value_that_lacks_its_beginning_is_not(self, rig: Rig) -> None:
        await rig.log.append([piece(str(n)) for n in range(4)])
        await rig.log.trim(A, 2)
        await rig.log.append([piece("4")])
        for again in (None, rig.restart, rig.kill):
            if again is not None:
                await again()
            assert await rig.join(A) == 0
        await rig.log.append([piece("anew", append=False), piece("!")])
        assert await rig.join(A) == 1
        assert await texts(rig) == {"a s": "anew!"}

    async def test_what_is_appended_meanwhile_is_in_it_or_after_it(self, rig: Rig) -> None:
        await rig.log.append([piece("a"), piece("b")])
        await asyncio.gather(rig.join(A), *(rig.log.append([piece(str(n))]) for n in range(20)))
        (name, text), *rest = (await texts(rig)).items()
        assert (name, rest) == ("a s", [])
        assert text[:2] == "ab"
        assert sorted(text[2:]) == sorted("".join(map(str, range(20))))
        pieces = [event for event in await read_all(rig.log) if (event.mark or 0) < JOINED]
        assert text == "".join(json.loads(event.data) for event in pieces), "in log order"

    async def test_a_follower_who_replaces_what_he_has_is_right(self, rig: Rig) -> None:
        """Whatever is appended, replaced, deleted, joined and removed, in whatever order."""
        draw = random.Random(17)
        held: dict[str, str] = {}

        def fold(events: list[Event]) -> None:
            for event in events:
                name, text = f"{event.topic} {event.subject}", json.loads(event.data)
                if text is None:
                    held.pop(name, None)
                else:
                    held[name] = (held.get(name, "") if (event.mark or 0) & APPEND else "") + text

        rig.log.follow(fold, lambda *of: None)
        for step in range(120):
            topic, subject = draw.choice("ab"), draw.choice("st")
            what = draw.random()
            if what < 0.75:
                await rig.log.append([piece(f"{step} ", append=draw.random() < 0.9, topic=topic, subject=subject)])
            elif what < 0.8:
                await rig.log.append([about(topic, subject, "null")])
            elif what < 0.95:
                await rig.join(ALL)
            else:
                await rig.compact(ALL)
            assert await texts(rig) == held
