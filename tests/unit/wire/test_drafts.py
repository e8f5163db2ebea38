"""docs/protocol.md, sections 1 and 5: what a publisher may send, what is kept of it, and what is said of the rest."""

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.errors import InvalidError, MalformedError, MediaTypeError, TooLargeError, TwinwireError
from service.core.event import Draft
from service.core.limits import BATCH_MAX, ENVELOPE_MAX, REQUEST_MAX
from service.wire.drafts import JSON, NDJSON, SLICE, SLICE_BYTES, DraftReader, Rule
from tests.support.cpu import own_cpu
from tests.support.turns import counted_turns

DATA_MAX = 1024

STEP: Final = 0.02
"""Seconds of CPU that one step of the event loop may take."""


@pytest.fixture
def reader() -> DraftReader:
    return DraftReader(DATA_MAX)


def body(data: str = "1", topic: str = '"t"', type: str = '"x"', more: str = "") -> str:
    return f'{{"topic":{topic},"type":{type},"data":{data}{more}}}'


def refused(reader: DraftReader, content: str | bytes, media_type: str | None = JSON) -> TwinwireError:
    with pytest.raises(TwinwireError) as caught:
        reader.request(media_type, content.encode() if isinstance(content, str) else content)
    return caught.value


# What is kept


@pytest.mark.parametrize(
    "data",
    [
        "null",
        "-0",
        "1.0",
        "1e400",
        "1E5",
        "0.10",
        "123456789012345678901234567890",
        '"\\u00e9 \\/ \\ud83d\\ude00"',
        '"é"',
        '{"a": 1,  "a": 2}',
        '"\u2028\x7f"',
        "[ ]",
        '""',
    ],
)
def test_data_is_kept_as_the_text_that_it_arrived_as(reader: DraftReader, data: str) -> None:
    assert reader.request(JSON, body(data).encode()) == ([Draft("t", "x", data)], True)


def test_line_breaks_around_values_go_and_nothing_else_does(reader: DraftReader) -> None:
    draft = reader.one(body('{\r\n  "a": [\n 1,\r2],\n "b": "\\n\\r"\n}'))
    assert draft.data == '{  "a": [ 1,2], "b": "\\n\\r"}'
    assert json.loads(draft.data) == {"a": [1, 2], "b": "\n\r"}


def test_members_may_come_in_any_order_and_key_is_optional(reader: DraftReader) -> None:
    assert reader.one('{"data":[],"key":"k","type":"x","topic":"t"}') == Draft("t", "x", "[]", "k")
    assert reader.one(body(more=',"key":null')).key is None


@pytest.mark.parametrize("media_type", [JSON, "Application/JSON; charset=utf-8", None])
def test_a_bare_object_and_an_array(reader: DraftReader, media_type: str | None) -> None:
    assert reader.request(media_type, body().encode())[1] is True
    drafts, single = reader.request(media_type, f"\n\t [{body('1')}, {body('2')}]".encode())
    assert ([draft.data for draft in drafts], single) == (["1", "2"], False)
    assert reader.request(media_type, f"[{body()}]".encode())[1] is False


def test_ndjson_is_one_a_line_and_blank_lines_are_nothing(reader: DraftReader) -> None:
    text = f"{body('1')}\r\n\n  \n{body('2')}"
    drafts, single = reader.request(f"{NDJSON}; charset=utf-8", text.encode())
    assert ([draft.data for draft in drafts], single) == (["1", "2"], False)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(value=json_values, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_any_json_value_survives(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    draft = DraftReader(1 << 20).one(body(text))
    assert json.loads(draft.data) == value
    assert "\n" not in draft.data


@settings(max_examples=300, deadline=None)
@given(data=st.text(st.sampled_from('{}[]",:0123456789.eE+-truefalsn\\u \n\t\x00'), min_size=1, max_size=12))
def test_what_is_accepted_is_json_for_everyone_else(data: str) -> None:
    """`data` is sent on as it is: accepting what is not JSON would break every subscriber."""
    try:
        draft = DraftReader(DATA_MAX).one(body(data))
    except InvalidError:
        return
    json.loads(draft.data, parse_constant=lambda name: pytest.fail(name))


# What is refused: 400, not JSON


@pytest.mark.parametrize(
    "data",
    [
        *(
            "NaN",
            "Infinity",
            "-Infinity",
            "01",
            "1.",
            ".5",
            "+1",
            "0x1",
            "1e",
            "nul",
            "'a'",
            "[1,]",
            '{"a":1,}',
            "{a:1}",
        ),
        *('"a\nb"', '"\t"', '"\x00"', '"\\x41"', '"\\u12"', '"\\ud800"', '"\\udc00x"', '"\\ud800\\u0041"'),
        *("", "[", "]", "\ufeff1", "\u00a01", "1 2"),
    ],
)
def test_malformed_data_is_400(reader: DraftReader, data: str) -> None:
    error = refused(reader, body(data))
    assert (type(error), error.status) == (MalformedError, 400)


@pytest.mark.parametrize("content", ["", " ", "{", body() + "x", body() + body(), "\ufeff" + body(), "[" + body()])
def test_a_malformed_body_is_400(reader: DraftReader, content: str) -> None:
    assert type(refused(reader, content)) is MalformedError


@pytest.mark.parametrize("content", [b"\xff", body().encode()[:-3] + b'"\xed\xa0\x80"}', body().encode("utf-16")])
def test_a_body_that_is_not_utf_8_is_400(reader: DraftReader, content: bytes) -> None:
    assert type(refused(reader, content)) is MalformedError


@pytest.mark.parametrize("depth", [5_000, 100_000])
@pytest.mark.parametrize("media_type", [JSON, NDJSON])
def test_deep_nesting_is_400_and_not_the_end_of_the_process(depth: int, media_type: str) -> None:
    reader = DraftReader(1 << 20)
    deep = "[" * depth + "]" * depth
    assert type(refused(reader, body(deep), media_type)) is MalformedError
    assert refused(reader, deep, media_type).status == (400 if media_type == JSON else 422)


# What is refused: 422, with the path of the field


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ('{"type":"x","data":1}', "topic"),
        ('{"topic":"t","data":1}', "type"),
        ('{"topic":"t","type":"x"}', "data"),
        (body(topic="1"), "topic"),
        (body(topic="null"), "topic"),
        (body(type="[]"), "type"),
        (body(more=',"key":1'), "key"),
        (body(more=',"ttl":1'), "ttl"),
        (body(topic='"a//b"'), "topic"),
        (body(topic='"a/*"'), "topic"),
        (body(type='"a b"'), "type"),
        (body(type='""'), "type"),
        (body(type='"connection"'), "type"),
        (body(type='"open"'), "type"),
        (body(more=',"key":""'), "key"),
        (body(more=f',"key":"{"k" * 129}"'), "key"),
        (body(more=',"key":"a\\nb"'), "key"),
        ("1", None),
        ('"x"', None),
    ],
)
def test_an_invalid_event_names_its_field(reader: DraftReader, content: str, field: str | None) -> None:
    error = refused(reader, content)
    assert (error.status, error.field, error.line) == (422, field, None)


@pytest.mark.parametrize(
    ("item", "field"),
    [('{"topic":"t","data":1}', "1.type"), (body(topic='"/"'), "1.topic"), (body(more=',"zz":1'), "1.zz"), ("1", "1")],
)
def test_in_an_array_the_path_begins_with_the_index(reader: DraftReader, item: str, field: str) -> None:
    error = refused(reader, f"[{body()},{item},{body()}]")
    assert (error.status, error.field, error.line) == (422, field, None)


@pytest.mark.parametrize(
    ("line", "status", "field"),
    [
        (body(type='"pong"'), 422, "type"),
        ("{", 400, None),
        ('{"topic":"t","type":"x"}', 422, "data"),
        ("[]", 422, None),
    ],
)
def test_in_ndjson_the_line_is_named_counting_blank_ones(
    reader: DraftReader, line: str, status: int, field: str | None
) -> None:
    error = refused(reader, f"{body()}\n\n{line}\n", NDJSON)
    assert (error.status, error.field, error.line) == (status, field, 3)


@pytest.mark.parametrize(("content", "media_type"), [("[]", JSON), ("", NDJSON), (" \n\n", NDJSON)])
def test_nothing_to_publish_is_422(reader: DraftReader, content: str, media_type: str) -> None:
    assert refused(reader, content, media_type).status == 422


@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "json", "", "multipart/form-data; boundary=x"])
def test_another_media_type_is_415(reader: DraftReader, media_type: str) -> None:
    if media_type:
        assert type(refused(reader, body(), media_type)) is MediaTypeError
    else:
        assert reader.request(media_type, body().encode())[1], "none at all is taken as JSON"


# Bounds: at the bound and one past


def test_data_of_the_bound_passes_and_one_byte_more_is_413(reader: DraftReader) -> None:
    at = '"' + "a" * (DATA_MAX - 2) + '"'
    assert reader.one(body(at)).data == at
    error = refused(reader, body(at[:-1] + 'a"'))
    assert (type(error), error.field) == (TooLargeError, "data")


def test_the_bound_counts_bytes_not_characters(reader: DraftReader) -> None:
    assert type(refused(reader, body('"' + "é" * (DATA_MAX // 2) + '"'))) is TooLargeError


@pytest.mark.parametrize("media_type", [JSON, NDJSON])
def test_events_of_one_request_are_bounded(reader: DraftReader, media_type: str) -> None:
    def batch(count: int) -> bytes:
        items = [body()] * count
        return ("\n".join(items) if media_type == NDJSON else f"[{','.join(items)}]").encode()

    assert len(reader.request(media_type, batch(BATCH_MAX))[0]) == BATCH_MAX
    assert refused(reader, batch(BATCH_MAX + 1), media_type).status == 422


# The application's own check


def at_most_one(data: str) -> None:
    if data == "2":
        raise InvalidError("too much", field="data.progress")


@pytest.mark.parametrize(
    ("media_type", "content", "field", "line"),
    [
        (JSON, f"[{body('1')},{body('2')}]", "1.data.progress", None),
        (NDJSON, f"{body('1')}\n{body('2')}", "data.progress", 2),
    ],
)
def test_a_rule_is_asked_for_and_its_path_is_completed(
    media_type: str, content: str, field: str, line: int | None
) -> None:
    asked: set[tuple[str, str]] = set()

    def rules(topic: str, type: str) -> Rule | None:
        asked.add((topic, type))
        return at_most_one

    error = refused(DraftReader(DATA_MAX, rules), content, media_type)
    assert (error.field, error.line, asked) == (field, line, {("t", "x")})


# A batch is read in one go if it can be


@given(
    lines=st.lists(
        st.sampled_from(
            [
                *(body(), body("[1,\r2]"), body('"é"'), body(more=',"key":"k"'), body(topic='"a/b"'), "", " ", "\r"),
                *(body(type='"open"'), body(topic='"/"'), body(more=',"key":""'), body(more=',"zz":1'), "{", "1"),
                *(body() + body(), body('"' + "a" * DATA_MAX + '"'), '{"topic":"t",', '"type":"x","data":1}'),
            ]
        ),
        max_size=4,
    )
)
def test_a_batch_is_what_its_lines_are_one_by_one(lines: list[str]) -> None:
    reader = DraftReader(DATA_MAX)
    content = "\n".join(lines)
    expected: list[Draft] = []
    fault: InvalidError | None = None
    for number, line in enumerate(lines, 1):
        if line and not line.isspace() and fault is None:
            try:
                expected.append(reader.one(line, line=number))
            except InvalidError as error:
                fault = error
    if fault is not None:
        found = refused(reader, content, NDJSON)
        assert (type(found), found.detail, found.line) == (type(fault), fault.detail, fault.line)
    elif expected:
        assert reader.request(NDJSON, content.encode()) == (expected, False)
    else:
        assert refused(reader, content, NDJSON).status == 422


# Large bodies: slice by slice


def large(reader: DraftReader, content: bytes, media_type: str) -> tuple[list[Draft] | TwinwireError, int]:
    """What becomes of it, and in how many steps."""
    steps, count = reader._read(media_type, content), 1
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value[0], count
        except TwinwireError as error:
            return error, count
        count += 1


@pytest.mark.parametrize("space", ["", " ", "\n  "])
def test_a_large_array_is_what_a_small_one_is(space: str) -> None:
    items = [body(f'[{n},"é,]}}",{{"a":"{"z" * 100}"}}]', more=f',"key":"{n}"') for n in range(4_000)]
    content = f"{space}[{space}{f'{space},{space}'.join(items)}{space}]{space}".encode()
    assert len(content) > 3 * SLICE_BYTES
    reader = DraftReader(DATA_MAX)
    found, steps = large(reader, content, JSON)
    assert found == [reader.one(item) for item in items]
    assert steps > 3


def test_large_lines_are_what_small_ones_are() -> None:
    items = [body(f'[{n},"{"é" * 50}"]') for n in range(4_000)]
    reader = DraftReader(DATA_MAX)
    expected = [reader.one(item) for item in items]
    for content in ("\n".join(items), "\r\n\n".join(items)):
        found, steps = large(reader, content.encode(), NDJSON)
        assert found == expected
        assert steps > 3


def test_the_line_is_told_behind_many_others() -> None:
    good = body(f'"{"a" * 200}"')
    for separator, line in (("\n", 3_001), ("\n\n", 6_001)):
        content = separator.join([good] * 3_000 + ["{}"]).encode()
        found, _ = large(DraftReader(DATA_MAX), content, NDJSON)
        assert isinstance(found, InvalidError)
        assert (found.field, found.line) == ("topic", line)


PAD = b" " * SLICE_BYTES
ITEM = body(f'"{"a" * 900}"').encode()


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        (b"[" + b",".join([ITEM] * 200), 400, None),
        (b"[" + b",".join([ITEM] * 200) + b",", 400, "200"),
        (b"[" + b",".join([ITEM] * 200) + b",]", 400, "200"),
        (b"[" + b",".join([ITEM] * 200) + b"}", 400, "199"),
        (b"[" + b",".join([ITEM] * 200) + b"]x", 400, None),
        (b"[" + b" ".join([ITEM] * 200) + b"]", 400, "0"),
        (b"[" + b",".join([ITEM] * 200) + b',{"topic":1}]', 422, "200.topic"),
        (b"[" + b",".join([ITEM] * 200) + b',"\xff"]', 400, None),
        (b"[" + b",".join([ITEM] * 200) + b"," + PAD + b"]", 413, "200.data"),
        (b"[" + PAD + b"]", 413, "0.data"),
        (b"[" + b"0," * SLICE_BYTES, 422, "0"),
        (b"[" * SLICE_BYTES * 2, 400, "0"),
        (body('"' + "a" * SLICE_BYTES + '"').encode(), 413, "data"),
        (PAD + ITEM, 413, "data"),
        (b"[" + body('"' + "a" * SLICE_BYTES + '"').encode() + b"]", 413, "0.data"),
        (b"[" + ITEM + b"," + body("[" + "0," * SLICE_BYTES + "0]").encode() + b"]", 413, "1.data"),
    ],
)
def test_what_is_wrong_with_a_large_body_is_told(content: bytes, status: int, field: str | None) -> None:
    assert len(content) > SLICE_BYTES
    found, _ = large(DraftReader(DATA_MAX), content, JSON)
    assert isinstance(found, TwinwireError)
    assert (found.status, found.field) == (status, field), found.detail


def test_an_event_with_its_white_space_has_a_bound() -> None:
    reader, bare = DraftReader(DATA_MAX), body()
    at = bare + " " * (DATA_MAX + ENVELOPE_MAX - len(bare))
    for media_type in (JSON, NDJSON):
        assert len(reader.request(media_type, at.encode())[0]) == 1
        assert refused(reader, at + " ", media_type).status == 413


def test_a_line_that_is_far_too_long_is_refused_unread() -> None:
    content = b"\n\n" + ITEM + b"\n\n" + b" " * REQUEST_MAX + b"\n" + ITEM
    found, _ = large(DraftReader(DATA_MAX), content, NDJSON)
    assert isinstance(found, TooLargeError)
    assert (found.field, found.line) == ("data", 5)


@pytest.mark.parametrize("media_type", [JSON, NDJSON])
def test_counting_stops_at_the_bound(media_type: str) -> None:
    """However many there are: what follows is not looked at."""
    separator = b"," if media_type == JSON else b"\n"
    few = b"[" * (media_type == JSON) + separator.join([body().encode()] * (BATCH_MAX + 1))
    content = few + separator + b"\xff\n" * (REQUEST_MAX // 2)
    found, _ = large(DraftReader(DATA_MAX), content, media_type)
    assert isinstance(found, InvalidError)
    assert found.status == 422


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        *((b"\n" * REQUEST_MAX, NDJSON), (b"\r\n" * (REQUEST_MAX // 2), NDJSON), (b" \n" * (REQUEST_MAX // 2), NDJSON)),
        *((b" " * REQUEST_MAX, NDJSON), (b" " * REQUEST_MAX, JSON), (b"[" + b"0," * (REQUEST_MAX // 2), JSON)),
        *((b"[" * REQUEST_MAX, JSON), (b'"' + b"\\n" * (REQUEST_MAX // 2), JSON)),
        (b"[" + b",".join([body(f'"{"a" * 750}"').encode()] * BATCH_MAX) + b"]", JSON),
        (b"\n".join([body(f'"{"a" * 750}"').encode()] * BATCH_MAX), NDJSON),
        (b"\r\n".join([body(f'"{"a" * 750}"').encode()] * BATCH_MAX), NDJSON),
        (b"[" + b",".join([body("[" + "0," * 30_000 + "0]").encode()] * 130) + b"]", JSON),
        (b"\n".join([body("[" + "{}," * 20_000 + "0]").encode()] * 130), NDJSON),
        (b"[" + b",".join([body('"' + "\\u00e9" * 10_000 + '"').encode()] * 130) + b"]", JSON),
    ],
)
def test_no_step_is_long_whatever_the_body_is(content: bytes, media_type: str) -> None:
    """CPU time, so that a busy machine accuses nobody; the least of three."""

    def longest() -> float:
        steps, worst = DraftReader(1 << 16)._read(media_type, content), 0.0
        while True:
            began = cpu()
            try:
                next(steps)
            except (StopIteration, TwinwireError):
                return max(worst, cpu() - began)
            worst = max(worst, cpu() - began)

    with own_cpu() as cpu:
        assert min(longest() for _ in range(3)) < STEP


async def test_others_have_a_turn_while_a_large_body_is_read() -> None:
    async with counted_turns() as turns:
        content = b"\n".join([ITEM] * 5_000)
        drafts, single = await DraftReader(DATA_MAX).read(NDJSON, content)
    assert (len(drafts), single) == (5_000, False)
    assert turns.count >= len(content) // (SLICE_BYTES + len(ITEM) + 1)


@pytest.mark.parametrize(("seconds", "turns"), [(SLICE / 4, 7), (SLICE, 28), (2 * SLICE, 28)])
async def test_slices_that_take_no_time_share_a_turn(seconds: float, turns: int) -> None:
    """With a clock, on which each look is so long after the last."""
    taken, now = 0, 0.0

    async def turn() -> None:
        nonlocal taken
        taken += 1

    def clock() -> float:
        nonlocal now
        now += seconds
        return now

    content = b"\n".join([ITEM] * 1_000)
    drafts, _ = await DraftReader(DATA_MAX, turn=turn, now=clock).read(NDJSON, content)
    assert len(drafts) == 1_000
    assert taken == pytest.approx(turns, abs=1)
