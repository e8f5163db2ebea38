"""The fields of control frames: what docs/protocol.md, section 2, promises of each."""

import json

from service.bus.values import Gap
from service.core.topics import TopicFilter
from service.stream.control import Control
from service.stream.ending import EXPIRED, RESTART

CONTROL = Control("k7f3q2", 20.0)


def test_connection_says_who_it_is_what_it_is_about_and_where_it_stands() -> None:
    fields = CONTROL.connection("id", "sse", TopicFilter(("b", "a/*")), 3, head=9, floor=2, resumed=True, retry=1_500)
    assert json.loads(json.dumps(fields)) == {
        "id": "k7f3q2-3",
        "connection": "id",
        "transport": "sse",
        "topics": ["a/*", "b"],
        "head": "k7f3q2-9",
        "floor": "k7f3q2-2",
        "resumed": True,
        "heartbeat": 20.0,
        "retry": 1_500,
        "subject": None,
        "expires": None,
    }
    fields = CONTROL.connection(
        "id", "sse", TopicFilter(("a",)), 3, head=9, floor=0, resumed=True, retry=1, subject="ada", expires=1_001
    )
    assert (fields["subject"], fields["expires"]) == ("ada", "1970-01-01T00:00:01.001Z")


def test_a_gap_names_its_floor_or_none() -> None:
    asked, floor = {"requested": "k7f3q2-1", "reason": "trimmed", "id": "k7f3q2-5"}, "k7f3q2-4"
    assert CONTROL.gap(Gap("k7f3q2-1", "trimmed", 5, 4)) == {**asked, "floor": floor}
    assert CONTROL.gap(Gap("k7f3q2-1", "trimmed", 5, None)) == {**asked, "floor": None}


def test_nothing_has_a_position_before_the_end_of_a_state() -> None:
    fields = CONTROL.connection("id", "sse", TopicFilter(("a",)), None, head=9, floor=9, resumed=False, retry=1)
    assert (fields["id"], fields["floor"]) == (None, "k7f3q2-9")
    assert CONTROL.gap(Gap("x", "malformed", 9, None, has_state=True))["id"] is None
    assert CONTROL.beat(None, 1_001) == {"id": None, "time": "1970-01-01T00:00:01.001Z"}
    assert CONTROL.state_end(9) == {"id": "k7f3q2-9"}


def test_the_others() -> None:
    assert CONTROL.caught_up(7, 2) == {"id": "k7f3q2-7", "replayed": 2}
    assert CONTROL.beat(7, 1_001) == {"id": "k7f3q2-7", "time": "1970-01-01T00:00:01.001Z"}
    assert CONTROL.goodbye(RESTART, 700) == {"reason": "restart", "code": 1012, "retry": 700}
    final = {"reason": "auth", "detail": "expired", "code": 1008, "retry": None}
    assert CONTROL.goodbye(EXPIRED, 700) == final  # with the same credential it is no use to come back


def test_what_becomes_of_a_credential() -> None:
    told = CONTROL.auth("expiring", "ada", 61_400, 1_000)
    assert told == {"state": "expiring", "subject": "ada", "expires": "1970-01-01T00:01:01.400Z", "in": 60}
    assert CONTROL.auth("renewed", None, None, 1_000)["in"] is None
    assert CONTROL.auth("reduced", "ada", 1, 1_000, lost=["a"])["lost"] == ["a"]
    assert CONTROL.auth("expiring", "ada", 1, 1_000)["in"] == 0
