from typing import get_args

import pytest

from service.core.words import ControlType
from twinwire.event import Gap
from twinwire.frames import KNOWN, WireGap, decode, event_of, gap_of


def test_an_event() -> None:
    text = (
        '{"id":"e-2","topic":"t","type":"k","time":"2026-11-23T05:50:09.123Z","prev":"e-1","traceparent":"00-a",'
        '"subject":"s","append":true,"joined":3,"data":{"topic":7}}'
    )
    event = event_of(decode(text), text)
    assert (event.id, event.topic, event.type, event.prev, event.raw) == ("e-2", "t", "k", "e-1", text)
    assert (event.subject, event.append, event.final, event.joined, event.traceparent) == ("s", True, False, 3, "00-a")


def test_a_gap() -> None:
    frame = decode('{"type":"gap","requested":"e-1","reason":"trimmed","id":"e-5","floor":"e-5"}')
    assert gap_of(frame) == Gap("e-1", "trimmed", "e-5", "e-5") == gap_of(WireGap("e-1", "trimmed", "e-5", "e-5"))
    assert gap_of(decode('{"type":"gap","requested":"x","reason":"malformed","id":null}')).floor is None


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"type":1}', '{"type":"gap","id":7}', '{"topic":"x"}'])
def test_what_is_no_frame(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)


def test_members_of_a_later_service_are_passed_over() -> None:
    assert decode('{"type":"presence","members":[1],"later":{}}').type == "presence"
    assert decode('{"type":"presence","id":7,"state":true,"detail":{},"lost":3}').type == "presence"
    assert decode('{"type":"heartbeat","id":"e-1","later":{}}').id == "e-1"
    with pytest.raises(ValueError, match="id"):
        decode('{"type":"heartbeat","id":7}')


def test_every_control_frame_of_the_service_is_known() -> None:
    assert set(get_args(ControlType)) == KNOWN
