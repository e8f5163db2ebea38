"""What is sent of ephemeral events, and what is wrong with it: each problem names its field."""

import json
from typing import Any

import pytest

from service.core.errors import (
    ForbiddenError,
    InvalidError,
    MalformedError,
    MediaTypeError,
    TooLargeError,
    TwinwireError,
)
from service.core.event import Rule
from service.core.limits import EPHEMERAL_BATCH, EPHEMERAL_TTL
from service.wire.drafts import DraftReader
from service.wire.ephemeral.reading import EphemeralReader

ONE = {"topic": "t", "type": "x", "data": {"a": [1, None]}}
MAX = 4_096


def rules(topic: str, type: str) -> Rule | None:
    if type == "theirs":
        raise ForbiddenError("this type is the application's", field="type")
    return None


@pytest.fixture
def reader() -> EphemeralReader:
    return EphemeralReader(lambda most: DraftReader(most, rules), MAX)


def text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def test_one_object_and_an_array(reader: EphemeralReader) -> None:
    (draft,), single = reader.read(None, text(ONE))
    assert (draft.topic, draft.type, draft.data, draft.key, draft.ttl) == (
        "t",
        "x",
        '{"a":[1,null]}',
        None,
        EPHEMERAL_TTL,
    )
    assert single
    drafts, single = reader.read("application/json; charset=utf-8", b" [" + text({**ONE, "key": "é", "ttl": 1}) + b"] ")
    assert [(one.key, one.ttl) for one in drafts] == [("é", 1.0)]
    assert not single


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"topic": "a//b"}, "topic"),
        ({"topic": 7}, "topic"),
        ({"type": "a b"}, "type"),
        ({"type": "presence"}, "type"),
        ({"type": "heartbeat"}, "type"),
        ({"key": ""}, "key"),
        ({"key": "k" * 129}, "key"),
        ({"key": "a\nb"}, "key"),
        ({"ttl": 0.09}, "ttl"),
        ({"ttl": 60.1}, "ttl"),
        ({"ttl": True}, "ttl"),
        ({"ttl": "5"}, "ttl"),
        ({"subject": "s"}, "subject"),
        ({"from": {"user": "eve"}}, "from"),
        ({"echo": True}, "echo"),
    ],
)
def test_what_is_wrong_is_named_alone_and_in_an_array(
    reader: EphemeralReader, more: dict[str, Any], field: str
) -> None:
    for body, path in ((text(ONE | more), field), (text([ONE, ONE | more]), f"1.{field}")):
        with pytest.raises(InvalidError) as found:
            reader.read(None, body)
        assert (found.value.status, found.value.field) == (422, path)


@pytest.mark.parametrize("topic", ["twinwire/a", "mercure", "streams/a"])
def test_reserved_topics_and_types_of_applications_are_forbidden(reader: EphemeralReader, topic: str) -> None:
    for more, field in (({"topic": topic}, "topic"), ({"type": "theirs"}, "type")):
        with pytest.raises(ForbiddenError) as found:
            reader.read(None, text([ONE | more]))
        assert found.value.field == f"0.{field}"


def test_data_of_the_bound_passes_and_one_byte_more_is_413(reader: EphemeralReader) -> None:
    assert reader.read(None, text(ONE | {"data": "x" * (MAX - 2)}))
    with pytest.raises(TooLargeError) as found:
        reader.read(None, text([ONE, ONE | {"data": "x" * (MAX - 1)}]))
    assert found.value.field == "1.data"


def test_at_the_bounds_key_and_ttl_are_taken(reader: EphemeralReader) -> None:
    drafts, _ = reader.read(None, text([ONE | {"key": "k" * 128, "ttl": 0.1}, ONE | {"key": "k", "ttl": 60}]))
    assert [one.ttl for one in drafts] == [0.1, 60.0]


def test_a_request_has_so_many_and_one_more_is_422(reader: EphemeralReader) -> None:
    assert len(reader.read(None, text([ONE] * EPHEMERAL_BATCH))[0]) == EPHEMERAL_BATCH
    for count in (0, EPHEMERAL_BATCH + 1):
        with pytest.raises(InvalidError) as found:
            reader.read(None, text([ONE] * count))
        assert found.value.status == 422


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", MalformedError),
        (b"{", MalformedError),
        (b"\xff", MalformedError),
        (b'{"topic":"t","type":"x","data":NaN}', MalformedError),
        (b'{"topic":"t","type":"x","data":' + b"[" * 5_000 + b"]" * 5_000 + b"}", MalformedError),
        (b"7", InvalidError),
        (b"[0]", InvalidError),
        (b'{"topic":"t","type":"x"}', InvalidError),
    ],
)
def test_what_is_no_json_and_what_is_no_event(reader: EphemeralReader, body: bytes, kind: type[TwinwireError]) -> None:
    with pytest.raises(kind):
        reader.read(None, body)


def test_it_is_json_alone(reader: EphemeralReader) -> None:
    with pytest.raises(MediaTypeError):
        reader.read("application/x-ndjson", text(ONE))
