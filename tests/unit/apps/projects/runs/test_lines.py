"""Lines of a log that came in any pieces: put together, searched and paged."""

import random
from typing import Any

import pytest

from service.apps.projects.runs.limits import LINE_SHOWN
from service.apps.projects.runs.lines import Assembling, Wanted, lines_of
from service.apps.projects.runs.models import Lines
from service.apps.projects.runs.reading import Piece
from tests.support.projects import Plain, World
from tests.support.reporter import Reporter


def pieces_of(data: bytes, random: random.Random, most: int) -> list[Piece]:
    """`data` as pieces, cut anywhere, as a report would number them."""
    found, line, joined, at = [], 1, False, 0
    while at < len(data):
        part = data[at : at + random.randint(1, most)]
        found.append(Piece(len(found) + 1, line, joined, 0, 0, None, None, part))
        at += len(part)
        line += part.count(b"\n")
        joined = not part.endswith(b"\n")
    return found


def test_however_a_log_is_cut_its_lines_are_the_same() -> None:
    chance = random.Random(18)
    text = "".join(chance.choice(["a", "ä", "€", "😀", "\n", "\n\n", "\r", "Needle"]) for _ in range(2_000))
    expected = text.removesuffix("\n").split("\n")
    for most, after in ((1, 0), (3, 7), (50, 100), (5_000, 0), (5_000, 200)):
        for needle in ("", "needle", "eä", "\r"):
            assembling, lines = Assembling(needle, after), []
            for piece in pieces_of(text.encode(), chance, most):
                lines += list(assembling.feed(piece))
            lines += list(assembling.close())
            wanted = [(n, one) for n, one in enumerate(expected, 1) if n > after and needle in one.lower()]
            assert [(line.number, line.value((), is_agents=False).text) for line in lines] == wanted


def test_a_search_goes_on_behind_a_line_that_has_it() -> None:
    piece = Piece(1, 1, False, 0, 0, None, None, b"a\nb\nab\n")
    assert [line.number for line in Assembling("a").feed(piece)] == [1, 3]
    assert [line.number for line in Assembling("b").feed(piece)] == [2, 3]


async def asked(one: Reporter, **wanted: Any) -> Lines:
    reading = one.service.runs.reading
    found = await reading.kept(one.project, one.number)
    return await lines_of(reading, found, Wanted(**{"after": 0, "limit": 1_000, **wanted}))


@pytest.fixture
async def one(world: World) -> Reporter:
    service = await world.service([Plain()])
    one = Reporter(service, (await service.create("P", None)).id)
    await one.begin()
    return one


async def test_pages_of_lines_follow_each_other(one: Reporter, world: World) -> None:
    await one.report({"output": "".join(f"line {number}\n" for number in range(1, 8))}, {"output": "li"})
    await one.report({"output": "ne 8\nrest"})
    first = await asked(one, limit=3)
    assert ([line.text for line in first.lines], first.next, first.more) == (["line 1", "line 2", "line 3"], 3, True)
    second = await asked(one, after=7)
    assert [(line.line, line.text) for line in second.lines] == [(8, "line 8"), (9, "rest")]
    assert (second.next, second.more, second.cursor) == (9, False, world.bus.cursor(world.bus.head))
    assert (await asked(one, after=9)).lines == ()


async def test_a_search_is_of_all_of_the_log_whatever_the_case(one: Reporter) -> None:
    for part in range(5):
        await one.report({"output": "".join(f"part {part} line {number}\n" for number in range(2_000))})
    found = await asked(one, search="LINE 1999")
    assert [line.line for line in found.lines] == [2_000, 4_000, 6_000, 8_000, 10_000]
    found = await asked(one, search="line 1999", limit=2, after=2_000)
    assert ([line.line for line in found.lines], found.next, found.more) == ([4_000, 6_000], 6_000, True)


async def test_a_search_finds_what_is_seen_between_colours_and_across_parts(one: Reporter) -> None:
    await one.report(
        {"output": "\x1b[31mFAILED\x1b[0m te"}, {"output": "st\x1b[1m_a\x1b[0m\n\x1b[32mpassed\x1b[0m test_b\n"}
    )
    await one.report({"output": "\x1b]8;;http://a.example\x1b\\here\x1b]8;;\x07 it is\n\x1b(Bplain\n"})
    needles = ("failed test_a", "here it", "passed t", "[31m", "plain")
    found = {needle: [line.line for line in (await asked(one, search=needle)).lines] for needle in needles}
    assert found == {"failed test_a": [1], "here it": [3], "passed t": [2], "[31m": [], "plain": [4]}


async def test_whether_the_last_line_has_ended_is_told(one: Reporter) -> None:
    assert not (await asked(one)).unfinished
    await one.report({"output": "a\nb"})
    assert (await asked(one)).unfinished
    assert (await asked(one, search="a")).unfinished
    assert not (await asked(one, limit=1)).unfinished
    await one.report({"output": "\n"})
    assert not (await asked(one)).unfinished


async def test_a_huge_line_is_shown_as_its_beginning_and_found_by_its_end(one: Reporter) -> None:
    for _ in range(8):
        await one.report({"output": "x" * 60_000})
    await one.report({"output": "the end\nnext"})
    found = await asked(one, search="xthe end")
    assert [(line.line, len(line.text), line.text[-1]) for line in found.lines] == [(1, LINE_SHOWN, "…")]
    assert [line.text for line in (await asked(one, after=1)).lines] == ["next"]


async def test_what_is_missing_and_which_stage_it_was_is_said(one: Reporter) -> None:
    await one.report({"output": "a"}, {"cut": {"bytes": 5}}, {"stage": "s"}, {"output": "b\n", "stream": "stderr"})
    lines = (await asked(one)).lines
    assert [(line.line, line.stage, line.level, line.stream, line.text) for line in lines] == [
        (1, None, None, None, "a"),
        (2, None, "warning", None, "[... 5 bytes are not here ...]"),
        (3, "s", None, "stderr", "b"),
    ]
    assert [line.text for line in (await asked(one, stage="s")).lines] == ["b"]


async def test_an_answer_has_its_bound_in_characters(one: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.apps.projects.runs.lines.LINES_CHARACTERS", 5)
    await one.report({"output": "123456\n12\n123\n1\n"})
    pages, after = [], 0
    while True:
        page = await asked(one, after=after)
        pages.append([line.text for line in page.lines])
        after = page.next
        if not page.more:
            break
    assert pages == [["123456"], ["12", "123"], ["1"]]
