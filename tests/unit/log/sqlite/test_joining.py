"""Texts that grow: followed, bounded, and joined into one event without a moment in which they are another."""

import asyncio
import json
from typing import Any

import pytest

from service.core.errors import ClosedSubjectError, GuardError, LongTextError
from service.core.event import FINAL, JOINED, Draft, Event
from service.core.topics import TopicFilter
from service.log.base import StateSearch
from service.log.sqlite import joining, texts
from tests.unit.log.contract_state import piece
from tests.unit.log.rigs import ALL, OpenRig, Rule, SQLiteRig, read_all

KEEP = Rule("a", keep="state")
A = TopicFilter(("a",))


async def opened(open_rig: OpenRig, **options: Any) -> SQLiteRig:
    return await open_rig(**{"policies": [KEEP], **options})


async def values(rig: SQLiteRig, topics: TopicFilter = ALL) -> dict[str, str]:
    """By subject, what its events make together."""
    found: dict[str, str] = {}
    for event in (await rig.log.state(StateSearch(topics, rig.log.head))).events:
        found[event.subject or ""] = found.get(event.subject or "", "") + json.loads(event.data)
    return found


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "JOIN_EVENTS", 4)
    monkeypatch.setattr(joining, "READ_ROWS", 3)


async def test_a_text_that_is_ripe_becomes_one_event(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    heard: list[Event] = []
    rig.log.follow(heard.extend, lambda *of: None)
    for text in ("one ", 'tw"o ', "thrée ", "four\n"):
        await rig.log.append([piece(text)])
    assert await rig.log.joiner.run() == 0, "four are not enough: the first has begun it"
    await rig.log.append([Draft("a", "token", text, None, "s", append=True) for text in ('"five\\ud83d"', '"\\ude00"')])
    before = await values(rig)
    assert await rig.log.joiner.run() == 1
    joined = heard[-1]
    assert (joined.topic, joined.type, joined.subject, joined.mark) == ("a", "token", "s", 6 * JOINED)
    assert joined.data == '"' + "".join(event.data[1:-1] for event in heard[:-1]) + '"', "as it came, half a pair too"
    assert await values(rig) == {"s": json.loads(joined.data)}
    assert before.keys() == {"s"}
    assert (await rig.log.state(StateSearch(ALL, 6))).rows[0][0] == 1, "an earlier position has the pieces"
    assert await rig.log.joiner.run() == 0
    await rig.compact(A)
    assert await read_all(rig.log) == [joined]
    for again in (rig.restart, rig.kill):
        await again()
        assert await read_all(rig.log) == [joined]


async def test_the_work_stays_linear(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    joined = []
    for n in range(200):
        await rig.log.append([piece("x" * 10)])
        if await rig.log.joiner.run():
            joined.append(n)
    assert joined == [4, 9, 19, 39, 79, 159]
    assert await values(rig) == {"s": "x" * 2_000}
    written = sum(len(event.data) for event in await read_all(rig.log))
    assert written < 3 * 200 * 12


async def test_after_a_restart_a_text_is_as_long_as_it_was(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    for text in ("one ", "two ", "three ", "four "):
        await rig.log.append([piece(text)])
    await rig.kill()
    await rig.log.append([piece("five ")])
    assert await rig.log.joiner.run() == 1
    assert await values(rig) == {"s": "one two three four five "}


async def test_in_one_request_too(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await rig.log.append([piece("old"), piece("a", append=False), *[piece(str(n)) for n in range(5)]])
    assert await rig.log.joiner.run() == 1
    assert await values(rig) == {"s": "a01234"}
    await rig.log.append([piece(str(n)) for n in range(6)])
    assert await rig.log.joiner.run() == 1
    assert (await read_all(rig.log))[-1].mark == 7 * JOINED


async def test_what_is_closed_stays_closed(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await rig.log.append([piece(str(n), final=n == 5) for n in range(6)])
    assert await rig.log.joiner.run() == 1
    assert ((await read_all(rig.log))[-1].mark or 0) & FINAL
    with pytest.raises(ClosedSubjectError):
        await rig.log.append([piece("more")])


@pytest.mark.parametrize(
    "drafts",
    [
        [piece(str(n), topic="b") for n in range(9)],
        [Draft("a", "x", "[1]", None, "s", append=True)] * 9,
        [*[piece(str(n)) for n in range(9)], Draft("a", "x", "1", None, "s", append=True)],
        [*[piece(str(n)) for n in range(9)], Draft("a", "x", "null", None, "s")],
        [piece(str(n), append=False) for n in range(9)],
        [Draft("a", "x", '"x"')] * 9,
    ],
    ids=["kept whole", "no text", "not all of it", "deleted", "replaced", "no subject"],
)
async def test_nothing_else_is_joined(open_rig: OpenRig, drafts: list[Draft]) -> None:
    rig = await opened(open_rig)
    await rig.log.append(drafts)
    assert await rig.log.joiner.run() == 0
    assert rig.log.head == len(drafts)


async def test_a_value_that_lacks_its_beginning_is_not_joined(open_rig: OpenRig) -> None:
    rig = await opened(open_rig)
    await rig.log.append([piece(str(n)) for n in range(4)])
    await rig.log.trim(A, 2)
    await rig.log.append([piece(str(n)) for n in range(4)])
    assert await rig.log.joiner.run() == 0
    await rig.log.trim(A, 0)
    await rig.log.append([piece(str(n)) for n in range(9)])
    assert await rig.log.joiner.run() == 0
    await rig.log.append([piece(str(n), append=n > 0) for n in range(6)])
    assert await rig.log.joiner.run() == 1
    assert await values(rig) == {"s": "012345"}


async def test_what_is_appended_meanwhile_is_not_lost(open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = await opened(open_rig)
    await rig.log.append([piece(str(n)) for n in range(6)])
    append, tries = rig.log.writer.append, []

    async def late(drafts: Any, *more: Any) -> Any:
        if drafts[0].joined and len(tries) < 3:
            tries.append(drafts[0].joined)
            await append([piece("+")])
        return await append(drafts, *more)

    monkeypatch.setattr(rig.log.writer, "append", late)
    assert await rig.log.joiner.run() == 1
    assert tries == [6, 7, 8]
    assert await values(rig) == {"s": "012345+++"}


async def test_in_one_commit_the_append_wins(open_rig: OpenRig) -> None:
    """The two come in one transaction, and the join depends on what is not on disk yet."""
    rig = await opened(open_rig)
    await rig.log.append([piece(str(n)) for n in range(6)])
    join = Draft("a", "token", '"012345"', None, "s", joined=6, first=1, last=6)
    commits = rig.log.health().commits
    answers = await asyncio.gather(*[rig.log.append([draft]) for draft in (piece("+"), join)], return_exceptions=True)
    assert rig.log.health().commits == commits + 1
    assert isinstance(answers[1], GuardError)
    assert await values(rig) == {"s": "012345+"}
    await rig.log.append([Draft("a", "token", '"012345+"', None, "s", joined=7, first=1, last=7)])
    assert await values(rig) == {"s": "012345+"}
    with pytest.raises(GuardError):
        await rig.log.append([join])


async def test_a_text_that_is_replaced_while_it_is_read_is_let_be(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await opened(open_rig)
    await rig.log.append([piece(str(n)) for n in range(9)])
    readers, reads = rig.log.joiner._readers, []
    run = readers.run

    async def late(work: Any) -> Any:
        reads.append(work)
        if len(reads) == 2:
            await rig.log.append([piece("new", append=False), piece("er")])
        return await run(work)

    monkeypatch.setattr(readers, "run", late)
    assert await rig.log.joiner.run() == 0
    monkeypatch.undo()
    assert await values(rig) == {"s": "newer"}


async def test_a_text_of_the_bound_passes_and_one_byte_more_is_refused(open_rig: OpenRig) -> None:
    rig = await opened(open_rig, subject_max=1_024)
    await rig.log.append([piece("x" * 1_000)])
    with pytest.raises(LongTextError) as refused:
        await rig.log.append([piece("y" * 10), piece("é" * 6 + "z")])
    assert (refused.value.number, refused.value.status, refused.value.field) == (1, 413, "data")
    assert rig.log.head == 1, "all or nothing"
    await rig.log.append([piece("y" * 10), piece("é" * 6)])
    with pytest.raises(LongTextError):
        await rig.log.append([piece("z")])
    await rig.restart()
    with pytest.raises(LongTextError):
        await rig.log.append([piece("z")])
    await rig.log.append([piece("z", append=False), piece("y" * 1_000)])
    await rig.log.append([piece("x" * 1_000, topic="b"), piece("x" * 1_000, topic="b")])


async def test_what_was_trimmed_meanwhile_is_not_brought_back(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await opened(open_rig)
    await rig.log.append([piece(str(n)) for n in range(8)])
    append = rig.log.writer.append

    async def late(drafts: Any, *more: Any) -> Any:
        await rig.log.trim(A, 2)
        return await append(drafts, *more)

    monkeypatch.setattr(rig.log.writer, "append", late)
    assert await rig.log.joiner.run() == 0
    assert await values(rig) == {}


async def test_a_text_from_before_its_state_was_kept_may_be_too_long_to_be_joined(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await opened(open_rig, policies=[], subject_max=1_024)
    await rig.log.append([piece("x" * 100) for _ in range(20)])
    await rig.restart(policies=[KEEP])
    with pytest.raises(LongTextError):
        await rig.log.append([piece("y")])
    assert await rig.log.joiner.run() == 0
    await rig.restart(subject_max=1 << 20)
    monkeypatch.setattr(texts, "FIND_MOST", 10)
    await rig.log.append([piece("y")])
    assert await rig.log.joiner.run() == 0, "more events than are looked up"


async def test_upkeep_does_it_by_itself(open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.log.sqlite.upkeep.UPKEEP_INTERVAL", 0.01)
    rig = await opened(open_rig)
    await rig.log.append([piece(str(n)) for n in range(6)])
    async with asyncio.timeout(20):
        while rig.log.head == 6:
            await asyncio.sleep(0.01)
    assert (await read_all(rig.log))[-1].data == '"012345"'
