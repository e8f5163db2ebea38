"""docs/protocol.md, "State": the latest of each subject at one position, in as many answers as it takes."""

from typing import Any

import pytest

from service.bus import states as module
from service.bus.bus import EventBus
from service.core.event import Draft
from service.core.topics import TopicFilter
from service.wire.publish import PublishWire
from service.wire.state import StateWire
from tests.support.stream_fixtures import House
from tests.support.wires import call


@pytest.fixture
async def wire(bus: EventBus, house: House) -> StateWire:
    return house.state()


def about(subject: str, data: str = '"x"', topic: str = "t", *, append: bool = False, final: bool = False) -> Draft:
    return Draft(topic, "log", data, None, subject, append, final)


async def get(wire: StateWire, query: str = "") -> Any:
    answer = await call(wire, "GET", "/api/state", query)
    assert answer.status == 200, answer.body
    return answer.json()


def ids(answer: dict[str, Any]) -> list[int]:
    return [int(event["id"].partition("-")[2]) for event in answer["events"]]


async def test_it_is_what_counts_of_each_subject_and_where(wire: StateWire, bus: EventBus) -> None:
    await bus.publish([about("a"), about("b"), about("b", append=True), Draft("t", "log", "1"), about("a", '"y"')])
    answer = await get(wire, "topic=t")
    assert (ids(answer), answer["cursor"]) == ([2, 3, 5], bus.cursor(5))
    assert (answer["more"], answer["next"]) == (False, None)
    assert answer["events"][1] | {"time": ""} == {
        "id": bus.cursor(3),
        "topic": "t",
        "type": "log",
        "time": "",
        "prev": bus.cursor(2),
        "subject": "b",
        "append": True,
        "data": "x",
    }


async def test_a_log_without_subjects_has_an_empty_one(wire: StateWire, bus: EventBus) -> None:
    await bus.publish([Draft("t", "log", "1")])
    assert await get(wire) == {"events": [], "cursor": bus.cursor(1), "more": False, "next": None}


async def test_all_pages_are_of_the_position_of_the_first(wire: StateWire, bus: EventBus) -> None:
    await bus.publish([about(str(n)) for n in range(5)])
    answer = await get(wire, "limit=2")
    found = ids(answer)
    await bus.publish([about("4", '"later"'), about("1", "null"), about("new")])
    while answer["more"]:
        answer = await get(wire, f"limit=2&next={answer['next']}")
        assert answer["cursor"] == bus.cursor(5)
        found += ids(answer)
    assert found == [1, 2, 3, 4, 5]
    assert ids(await get(wire)) == [1, 3, 4, 6, 8]


async def test_of_topics_and_of_a_subject(wire: StateWire, bus: EventBus) -> None:
    await bus.publish([about(subject, topic=topic) for topic in ("a", "b") for subject in ("s", "t/1")])
    assert ids(await get(wire, "topic=a")) == [1, 2]
    assert ids(await get(wire, "topic=a&topic=b&subject=t/1")) == [2, 4]
    assert ids(await get(wire, "subject=none")) == []


async def test_so_is_a_first_page_while_something_is_removed(
    wire: StateWire, bus: EventBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had the beginning of a text, whose rest the second page did not tell, and said nothing."""
    await bus.publish([about("s", append=True) for _ in range(4)])
    reads = bus.reading.state

    async def read_and_trim(*asked: Any, **more: Any) -> Any:
        page = await reads(*asked, **more)
        await bus.trim(TopicFilter(("t",)), 1)
        return page

    monkeypatch.setattr(bus.reading, "state", read_and_trim)
    (await call(wire, "GET", "/api/state", "limit=2")).problem(410)


async def test_a_page_after_something_was_removed_is_gone(wire: StateWire, bus: EventBus) -> None:
    await bus.publish([about(str(n)) for n in range(4)] + [about("s", topic="u")])
    place = (await get(wire, "topic=t&limit=1"))["next"]
    await bus.trim(TopicFilter(("u",)), 0)
    assert ids(await get(wire, f"topic=t&limit=1&next={place}")) == [2]
    await bus.trim(TopicFilter(("t",)), 1)
    (await call(wire, "GET", "/api/state", f"topic=t&next={place}")).problem(410)
    assert ids(await get(wire, "topic=t")) == [4]


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("next=x", 422, "next"),
        ("next=otherlog-3.0.0", 410, "next"),
        ("next=EPOCH-99.0.0", 410, "next"),
        ("subject=", 422, "subject"),
        (f"subject={'x' * 129}", 422, "subject"),
        ("limit=0", 422, "limit"),
        ("limit=1.5", 422, "limit"),
        ("join=words", 422, "join"),
        ("after=EPOCH-1", 422, "after"),
        ("topic=a//b", 422, "topic"),
    ],
)
async def test_what_is_no_question_is_refused(
    wire: StateWire, bus: EventBus, query: str, status: int, field: str
) -> None:
    await bus.publish([about("s")])
    query = query.replace("EPOCH", bus.epoch)
    (await call(wire, "GET", "/api/state", query)).problem(status, field)


async def test_a_text_that_has_grown_is_one_event(wire: StateWire, bus: EventBus) -> None:
    text = [
        about("s", '"a\\n"'),
        about("s", '"ü"', append=True),
        about("s", '"\\ud83d\\ude00"', append=True, final=True),
    ]
    await bus.publish([*text[:2], about("n", "1"), text[2], about("n", "2", append=True), about("last")])
    for query in ("join=text", "join=text&limit=1"):
        found: list[Any] = []
        answer = await get(wire, query)
        found += answer["events"]
        while answer["more"]:
            answer = await get(wire, f"{query}&next={answer['next']}")
            found += answer["events"]
        assert [(one["id"], one["data"], one.get("append"), one.get("final")) for one in found] == [
            (bus.cursor(4), "a\nü\U0001f600", None, True),
            (bus.cursor(3), 1, None, None),
            (bus.cursor(5), 2, True, None),
            (bus.cursor(6), "x", None, None),
        ], "numbers are not joined"


async def test_half_a_character_is_joined_as_it_came(wire: StateWire, bus: EventBus) -> None:
    """Two events may have a half of one each, and a last one half of none: a decoder would fail, and answer 500."""
    await bus.publish([about("s", '"\\ud83d"'), about("s", '"\\ude00\\ud800"', append=True)])
    answer = await call(wire, "GET", "/api/state", "join=text")
    assert answer.status == 200
    assert b'"data":"\\ud83d\\ude00\\ud800"' in answer.body


async def test_texts_fill_an_answer_by_what_they_are_and_not_by_their_ends(wire: StateWire, bus: EventBus) -> None:
    """Two hundred and fifty ends of a byte were a quarter of a gigabyte, held for one answer."""
    long = f'"{"x" * 300_000}"'
    for n in range(12):
        await bus.publish([about(str(n), long), about(str(n), '"."', append=True)])
    found: list[str] = []
    answer = await call(wire, "GET", "/api/state", "join=text")
    while True:
        assert len(answer.body) < 1 << 21
        found += [event["subject"] for event in answer.json()["events"]]
        if not answer.json()["more"]:
            break
        answer = await call(wire, "GET", "/api/state", f"join=text&next={answer.json()['next']}")
    assert found == [str(n) for n in range(12)]


async def test_a_text_too_long_for_one_event_is_said_to_be(
    wire: StateWire, bus: EventBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "JOINED_MAX", 1_000)
    await bus.publish([about("s", f'"{"x" * 300}"', append=True) for _ in range(4)])
    (await call(wire, "GET", "/api/state", "join=text")).problem(413, "join")
    assert ids(await get(wire)) == [1, 2, 3, 4]


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
async def test_what_is_closed_is_409_with_its_place(wire: StateWire, house: House, media_type: str) -> None:
    publish: PublishWire = house.publish()
    first = '{"topic":"t","type":"x","data":1}'
    closing = '{"topic":"t","type":"x","data":"a","subject":"s","final":true,"append":true,"key":"k"}'
    more = '{"topic":"t","type":"x","data":"b","subject":"s","append":true}'

    async def post(*drafts: str) -> Any:
        body = "\n".join(drafts) if "nd" in media_type else f"[{','.join(drafts)}]"
        return await call(publish, "POST", "/api/events", "", {"Content-Type": media_type}, body.encode())

    assert (await post(first, closing)).status == 201
    is_lines = "nd" in media_type
    refused = (await post(first, more)).problem(409, "append" if is_lines else "1.append")
    assert refused.get("line") == (2 if is_lines else None)
    assert (await post(closing)).status == 200, "a repeat is none"
    assert len((await get(wire))["events"]) == 1


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ('"append":true', "append"),
        ('"final":true', "final"),
        ('"subject":""', "subject"),
        (f'"subject":"{"ü" * 65}"', "subject"),
        ('"subject":"a\\nb"', "subject"),
        ('"subject":1', "subject"),
        ('"subject":"s","append":1', "append"),
    ],
)
@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
async def test_what_is_about_nothing_is_refused(house: House, members: str, field: str, media_type: str) -> None:
    body = f'{{"topic":"t","type":"x","data":1,{members}}}'.encode()
    answer = await call(house.publish(), "POST", "/api/events", "", {"Content-Type": media_type}, body)
    answer.problem(422, field)
