"""Whatever a command puts out, however it is seen to grow, and whatever a service takes: the requests are its log."""

import base64
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.spools import new_spool
from twinwire.running.journal import Position, Sent
from twinwire.running.markers import Progress, Stage
from twinwire.running.planning import PIECE, TAIL, Limits, Planner, unfinished
from twinwire.running.spool import MARKS, OUTPUT, End, Mark, Spool

LIMITS = Limits(8 << 20, 1_000, 512 << 10)


def planned(planner: Planner, spool: Spool, at: Position) -> tuple[Position, list[Sent]]:
    """All that there is to be sent by now."""
    found = []
    while (sent := planner.next(at, spool.extent)) is not None:
        found.append(sent)
        at = sent.after(at)
    return at, found


def output(items: list[dict[str, Any]]) -> bytes:
    return b"".join(
        item["output"].encode() if "output" in item else base64.b64decode(item.get("output_base64", ""))
        for item in items
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_the_items_are_the_output_in_order_and_once(tmp_path: Path, data: st.DataObject) -> None:
    draw = random.Random(data.draw(st.integers(0, 1 << 32)))
    limits = Limits(draw.choice([1 << 10, 70 << 10, 100 << 10, 8 << 20]), draw.choice([4, 20, 1_000]), 16 << 10)
    spool = new_spool(tmp_path)
    planner, at, written = Planner(spool, limits), Position(), b""
    requests: list[Sent] = []
    items: list[dict[str, Any]] = []
    told: list[str] = []
    for number in range(draw.randrange(1, 12)):
        text = "".join(
            draw.choice("ab\u00e4\u20ac\U0001f600\n\x1b") for _ in range(draw.choice([1, 40, 9_000]))
        ).encode()
        text = draw.choice([text, text[1:], draw.randbytes(50)])
        marks = [(draw.randrange(len(text) + 1), Stage(f"s{number}-{n}")) for n in range(draw.choice([0, 0, 1, 9]))]
        told += [what.name for _, what in sorted(marks, key=lambda one: one[0])]
        spool.append(text, sorted([*marks, (len(text), Progress(number))], key=lambda one: one[0]))
        written += text
        if draw.random() < 0.7:
            at, more = planned(planner, spool, at)
            requests += more
    spool.finish(End(0))
    at, more = planned(planner, spool, at)
    requests += more
    for sent in requests:
        said = planner.items(sent)
        assert len(said) == sent.count
        assert said == Planner(spool, LIMITS).items(sent), "it follows from the files alone"
        assert len(said) <= limits.items
        assert (
            len(json.dumps(said, ensure_ascii=False).encode()) <= limits.body or sent.output[1] - sent.output[0] <= 1024
        )
        assert all(len(output([item])) <= PIECE for item in said)
        items += said
    assert [sent.first for sent in requests] == [
        1 + sum(one.count for one in requests[:n]) for n in range(len(requests))
    ]
    assert [item["stage"] for item in items if "stage" in item] == told
    assert items[-1]["end"] == {"exit": 0, "signal": None}
    check_output(items, written, limits.bytes, str(spool.path / OUTPUT))
    spool.remove()


def check_output(items: list[dict[str, Any]], written: bytes, most: int, file: str) -> None:
    """All of it, or its beginning and its end with what is between told."""
    sent = output(items)
    cuts = [index for index, item in enumerate(items) if "cut" in item]
    if len(written) <= most:
        assert not cuts
        assert sent == written
        return
    assert len(sent) <= most
    (index,) = cuts
    head, tail = output(items[:index]), output(items[index:])
    assert written.startswith(head)
    assert written.endswith(tail)
    missing = written[len(head) : len(written) - len(tail)]
    assert items[index]["cut"] == {"bytes": len(missing), "lines": missing.count(b"\n"), "file": file}


def test_a_mark_beyond_the_end_counts_there(tmp_path: Path) -> None:
    """Who is killed between a mark and its output leaves one; the end of the run is behind it."""
    spool = new_spool(tmp_path)
    spool.append(b"one\n")
    spool.close()
    with (spool.path / MARKS).open("ab") as marks:
        marks.write(msgspec.json.encode(Mark(9, stage="lost")) + b"\n")
    again = Spool(spool.path)
    again.finish(End(), 1.0)
    _, sent = planned(planner := Planner(again, Limits(1 << 20, 1_000, 512 << 10)), again, Position())
    assert [item for one in sent for item in planner.items(one)] == [
        {"output": "one\n"},
        {"stage": "lost"},
        {"end": {"exit": None, "signal": None}, "at": 1.0},
    ]


def test_stages_go_on_while_output_is_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twinwire.running.spool._clock", lambda: 7.0)
    spool = new_spool(tmp_path)
    planner = Planner(spool, Limits(100 << 10, 1_000, 512 << 10))
    spool.append(b"x" * 63 + b"\n", [(64, Stage("one"))])
    spool.append((b"y" * 63 + b"\n") * 2_000)
    at, _ = planned(planner, spool, Position())
    assert at.output <= (100 << 10) - TAIL
    assert spool.read(at.output - 1, at.output) == b"\n", "it is cut between two lines"
    spool.append(b"late\n", [(5, Stage("two")), (5, Progress(80))])
    at, more = planned(planner, spool, at)
    assert [planner.items(sent) for sent in more] == [[{"stage": "two", "at": spool.elapsed}, {"progress": 80}]]
    assert planned(planner, spool, at) == (at, [])
    spool.trouble = "the disk is full"
    spool.append(b"???")
    spool.finish(End(None, "SIGTERM"))
    at, more = planned(planner, spool, at)
    items = [item for sent in more for item in planner.items(sent)]
    assert next(iter(items[0])) == "cut"
    assert output(items).endswith(b"y\nlate\n")
    assert output(items).startswith(b"y" * 63), "and goes on with a line"
    assert items[-2]["cut"]["bytes"] == 3, "what the disk did not take"
    assert items[-1] == {"end": {"exit": None, "signal": "SIGTERM"}, "at": 0.0}


def test_a_service_that_takes_less_than_it_said(tmp_path: Path) -> None:
    """What it has is the beginning, and there is no room for an end."""
    spool = new_spool(tmp_path)
    planner = Planner(spool, LIMITS)
    spool.append(b"1\n" * 500)
    at, _ = planned(planner, spool, Position())
    spool.append(b"2\n" * 500)
    planner.limits = msgspec.structs.replace(LIMITS, bytes=at.output)
    assert planned(planner, spool, at) == (at, [])
    spool.finish(End(0))
    _, more = planned(planner, spool, at)
    items = [item for sent in more for item in planner.items(sent)]
    assert [next(iter(item)) for item in items] == ["cut", "end"]
    assert items[0]["cut"]["bytes"] == 1_000
    assert items[0]["cut"]["lines"] == 500


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"", 0),
        (b"a", 0),
        ("\u00e4".encode(), 0),
        ("\u00e4".encode()[:1], 1),
        ("\u20ac".encode()[:2], 2),
        ("\U0001f600".encode()[:3], 3),
        ("\U0001f600".encode(), 0),
        (b"\x80\x80\x80\x80", 0),
        (b"\xff", 1),
    ],
)
def test_the_beginning_of_a_character(data: bytes, count: int) -> None:
    assert unfinished(data) == count
