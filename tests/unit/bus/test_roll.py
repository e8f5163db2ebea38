"""What is told of places: as docs/protocol.md has it, made once, and kept for a few."""

import json
from typing import Any

import pytest

from service.bus.roll import KEPT_BYTES, KEPT_MAX, PAGE_LOOK, Roll
from service.bus.steps import at_once
from service.core.place import Member, Place, Shown
from tests.support.company import RollText


def place_of(count: int, topic: str = "p", data: str = "{}", number: int = 1, listed: int = 500) -> Place:
    place = Place(topic, number, 0, listed)
    for n in range(count):
        shown = Shown(None if n % 2 else "ädä", f"m{n}", data, 1_800_000_000_000, not n % 2, None if n else '{"a":1}')
        place.put(shown, Member(place, shown, "who"))
    place.commit()
    return place


def test_a_state_has_whom_watchers_know_and_the_counts() -> None:
    place, roll = place_of(2, data='{"x":"ä"}'), Roll(500)
    told: dict[str, Any] = json.loads(roll.state(place))
    since = "2027-01-15T08:00:00.000Z"
    assert told == {
        "type": "presence",
        "place": "p",
        "version": 1,
        "state": [
            {
                "user": "ädä",
                "member": "m0",
                "data": {"x": "ä"},
                "since": since,
                "verified": True,
                "info": {"a": 1},
            },
            {"user": None, "member": "m1", "data": {"x": "ä"}, "since": since, "verified": False},
        ],
        "users": 2,
        "members": 2,
        "truncated": False,
    }
    place.remove(place.members["m0"], "left")
    again = json.loads(roll.state(place))
    again["state"].sort(key=lambda one: str(one["member"]))
    assert again == told, "until the next batch"
    change = place.commit()
    assert change is not None
    assert json.loads(roll.diff(change)) == {
        "type": "presence",
        "place": "p",
        "version": 2,
        "joins": [],
        "updates": [],
        "leaves": [{"user": "ädä", "member": "m0", "reason": "left"}],
        "came": [],
        "went": ["ädä"],
        "users": 1,
        "members": 1,
        "truncated": False,
    }
    assert json.loads(roll.nobody("q", 7))["state"] == []


def test_of_a_long_place_there_are_counts_alone() -> None:
    place, roll = place_of(21, listed=20), Roll(20)
    told = json.loads(roll.state(place))
    assert (told["truncated"], told["state"], told["members"]) == (True, [], 21)
    shown = Shown("bob", "x", "{}", 1, True)
    place.put(shown, Member(place, shown, "who"))
    change = place.commit()
    assert change is not None
    told = json.loads(roll.diff(change))
    assert (told["truncated"], told["joins"], told["came"], told["members"]) == (True, [], [], 22)


def test_a_state_is_made_once_a_version_and_encoding() -> None:
    place, roll, one, other = place_of(2), Roll(500), RollText("one"), RollText("other")
    for encoding in (one, one, other, one):
        roll.state_frame(place, encoding)
    assert (one.made, other.made) == (1, 1)
    place.put(Shown("x", "m0", '{"y":1}', 1, True))
    roll.state_frame(place, one)
    assert one.made == 1, "what is told has not changed"
    place.commit()
    assert b'"y":1' in roll.state_frame(place, one)
    assert roll.state_frame(place_of(1, number=2), one) != roll.state_frame(place, one), "another of this name"


def test_so_many_are_kept_and_so_many_bytes() -> None:
    roll, encoding = Roll(500), RollText()
    for n in range(3 * KEPT_MAX):
        roll.state_frame(place_of(1, f"p{n}"), encoding)
    assert len(roll._kept) == KEPT_MAX
    data = json.dumps({"x": "y" * 4_000})
    for n in range(20):
        roll.state_frame(place_of(400, f"q{n}", data), encoding)
        assert roll._bytes == sum(len(frame) for _, _, frame in roll._kept.values()) <= KEPT_BYTES
    roll.clear()
    assert (roll._bytes, roll._kept) == (0, {})


def test_pages_of_a_place_are_by_ids_and_made_in_steps() -> None:
    place, roll = place_of(2 * PAGE_LOOK + 10), Roll(500)
    seen, after = list[str](), ""
    next: str | None = ""
    while next is not None:
        after = next
        steps = roll.page(place, after, 1_000)
        assert len(list(steps)) == 3
        found, next = at_once(roll.page(place, after, 1_000))
        seen += [one.member for one in found]
        assert next in (None, seen[-1])
    assert seen == sorted(place.members)


def test_a_page_whose_members_have_left_meanwhile_says_where_the_next_begins() -> None:
    place, roll = place_of(3), Roll(500)
    steps = roll.page(place, "", 2)
    next(steps)
    for id in ("m0", "m1"):
        place.remove(place.members[id], "left")
    place.commit()
    with pytest.raises(StopIteration) as ended:
        next(steps)
    assert ended.value.value == ([], "m1")
    assert [one.member for one in at_once(roll.page(place, "m1", 2))[0]] == ["m2"]
