"""The front doors' part of the OpenAPI document: streams, reading and publishing (docs/protocol.md is for people).

Bounds and patterns are those of `core`, so that the description can't fall behind.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from service.core.cursor import CURSOR_PATTERN
from service.core.event import TYPE_PATTERN
from service.core.limits import (
    ABOUT_MAX,
    BATCH_MAX,
    CURSOR_MAX,
    FILTER_TOPICS_MAX,
    KEY_MAX,
    PAGE_DEFAULT,
    PAGE_MAX,
    PRESENCE_KNOWN,
    RESERVED_TYPES,
    TOPIC_MAX,
    WAIT_MAX,
)
from service.core.topics import FILTER_PATTERN, TOPIC_PATTERN
from service.core.trace import TRACEPARENT_PATTERN
from service.core.words import GapReason
from service.openapi import (
    BOOLEAN,
    COUNT,
    JSON,
    STRING,
    WRITING,
    Alias,
    Description,
    Schema,
    answer,
    array,
    header,
    nullable,
    operation,
    query,
    record,
    ref,
    use,
    whole,
)
from service.wire.drafts import NDJSON
from service.wire.request import CURSOR_PARAMETERS, EPHEMERAL, PRESENCE, STATE_PARAMETERS, VERSION

_START: Final = (*CURSOR_PARAMETERS, "lastEventIdHeader")


def describe_events() -> Description:
    return Description("events", _event_paths(), _texts() | _values(), _parameters())


def describe_streams(aliases: Mapping[str, Mapping[str, Alias]]) -> Description:
    """The streams of whole filters, and what applications' paths stand for: `aliases` by path, by tag."""
    paths = _stream_paths("streams", "", "", use("topic"), ())
    for tag, those in aliases.items():
        for path, alias in those.items():
            paths |= _stream_paths(tag, f"/{path}", alias.of, use(*alias.parameters), (404,))
    return Description("streams", paths)


def _stream_paths(
    tag: str, path: str, of: str, parameters: list[dict[str, Any]], missing: tuple[int, ...]
) -> dict[str, Any]:
    stream = {200: answer("Events and control frames.", STRING, "text/event-stream")}
    handshake = {101: answer("A WebSocket, for a request with `Upgrade`.")}
    ending = f" of a {of.lower()}" if of else ""
    sse = operation(
        tag,
        f"sseOf{of}" if of else "sse",
        f"Server-Sent Events{ending}",
        stream,
        problems=(*missing, 422, 429, 503),
        parameters=[*parameters, *use(*_START, *STATE_PARAMETERS, EPHEMERAL, PRESENCE, "named")],
    )
    websocket = operation(
        tag,
        f"webSocketOf{of}" if of else "webSocket",
        f"WebSocket{ending}",
        handshake,
        problems=(403, *missing, 422, 426, 503),
        parameters=[*parameters, *use(*_START, *STATE_PARAMETERS, EPHEMERAL, PRESENCE)],
    )
    found = {f"/api/sse{path}": {"get": sse}, f"/api/ws{path}": {"get": websocket}}
    if not path:
        found["/api/sse"]["post"] = operation(
            tag,
            "sseOfMany",
            "Server-Sent Events of topics that would make the URL too long",
            stream,
            problems=(400, 408, 413, 415, 422, 429, 503),
            body={JSON: {"schema": ref("Asked")}},
        )
    return found


def _parameters() -> dict[str, Any]:
    cursor = {**STRING, "examples": ["earliest", "latest", "k7f3q2-1042"]}
    text = "The last event that was handled: a cursor, `earliest` or `latest`. Without any, from now."
    found = {
        "topic": query(
            "topic",
            "Topic filters; all topics without any.",
            array(ref("TopicFilter"), maxItems=FILTER_TOPICS_MAX),
            explode=True,
        ),
        "lastEventIdHeader": header("Last-Event-ID", f"{text} Beats the query.", cursor),
        "state": query(
            "state",
            "1: who brings no cursor that can be gone on from is told the state first.",
            {"enum": ["0", "1"], "default": "0"},
        ),
        "join": query("join", "`text`: the strings of a value that was appended to are one event.", {"enum": ["text"]}),
        EPHEMERAL: query(EPHEMERAL, "1: events that are not kept, too.", {"enum": ["0", "1"], "default": "0"}),
        PRESENCE: query(PRESENCE, "1: who is where on these topics, too.", {"enum": ["0", "1"], "default": "0"}),
        VERSION: query(
            VERSION,
            "`PLACE:VERSION`, of each place that is known.",
            array(STRING, maxItems=PRESENCE_KNOWN),
            explode=True,
        ),
        "named": query("named", "0 leaves the `event:` lines out.", {"enum": ["0", "1"], "default": "1"}),
    }
    for name in CURSOR_PARAMETERS:
        added = "The same, added by a client that comes back: beats `after`."
        found[name] = query(name, text if name == "after" else added, cursor)
    return found


def _state() -> dict[str, Any]:
    return operation(
        "events",
        "readState",
        "The latest of each subject, at one position",
        {200: answer("A page, perhaps empty.", ref("StatePage"))},
        problems=(410, 413, 422, 429, 503),
        parameters=[
            *use("topic"),
            query("subject", "One subject.", ref("Subject")),
            query(
                "limit",
                f"Events in the answer; more than {PAGE_MAX} is capped.",
                {"type": "integer", "minimum": 1, "default": PAGE_DEFAULT},
            ),
            query("next", "What the answer before this one said.", STRING),
            *use("join"),
        ],
    )


def _event_paths() -> dict[str, Any]:
    published = {"oneOf": [ref("Published"), ref("PublishedMany")]}
    search = [
        query("before", "A cursor, exclusive: read up to there.", STRING),
        query("order", "`desc` with `before` alone, else `asc`.", {"enum": ["asc", "desc"]}),
        query("wait", "Seconds to wait for something.", {"type": "number", "minimum": 0, "maximum": WAIT_MAX}),
        query(
            "limit",
            f"Events in the answer; more than {PAGE_MAX} is capped.",
            {"type": "integer", "minimum": 1, "default": PAGE_DEFAULT},
        ),
        query("type", "One event type.", ref("EventType")),
        query("from", "Not older than this.", {**STRING, "format": "date-time"}),
        query("to", "Not younger than this.", {**STRING, "format": "date-time"}),
    ]
    reading = operation(
        "events",
        "readEvents",
        "Long poll and history",
        {200: answer("A page, perhaps empty.", ref("EventPage"))},
        problems=(422, 429, 503),
        parameters=[*use("topic", *_START), *search, *use(EPHEMERAL, PRESENCE, VERSION)],
    )
    publishing = operation(
        "events",
        "publish",
        "Publish one event, an array or NDJSON: all of it or nothing",
        {201: answer("On disk.", published), 200: answer("Nothing of it was new: the first ids.", published)},
        problems=(*WRITING, 403, 429),
        parameters=[
            header("Idempotency-Key", "The key of a single event.", ref("Key")),
            header("traceparent", "W3C Trace Context: the events carry it. One that is not valid is none.", STRING),
        ],
        body={
            JSON: {"schema": {"oneOf": [ref("Draft"), ref("Drafts")]}},
            NDJSON: {"schema": {**STRING, "description": "One draft a line."}},
        },
    )
    reading_many = operation(
        "events",
        "readEventsOfMany",
        "Long poll and history of topics that would make the URL too long",
        {200: answer("A page, perhaps empty.", ref("EventPage"))},
        problems=(400, 408, 413, 415, 422, 429, 503),
        body={JSON: {"schema": ref("Asked")}},
    )
    return {
        "/api/state": {"get": _state()},
        "/api/events": {"get": reading, "post": publishing},
        "/api/events/read": {"post": reading_many},
    }


def _texts() -> dict[str, Schema]:
    return {
        "Cursor": {
            **STRING,
            "description": "A position in the log; opaque to clients.",
            "pattern": whole(CURSOR_PATTERN),
            "maxLength": CURSOR_MAX,
            "examples": ["k7f3q2-1042"],
        },
        "Topic": {**STRING, "pattern": whole(TOPIC_PATTERN), "maxLength": TOPIC_MAX, "examples": ["projects/42"]},
        "TopicFilter": {
            **STRING,
            "description": "A topic in which a segment may be `*` (exactly one) and the last one `**` (one or more).",
            "pattern": whole(FILTER_PATTERN),
            "maxLength": TOPIC_MAX,
            "examples": ["projects/*"],
        },
        "EventType": {
            **STRING,
            "pattern": whole(TYPE_PATTERN),
            "not": {"enum": sorted(RESERVED_TYPES)},
            "examples": ["log"],
        },
        "Traceparent": {
            **STRING,
            "description": "W3C Trace Context of its publisher's request, if that had one.",
            "pattern": whole(TRACEPARENT_PATTERN),
        },
        "Subject": {
            **STRING,
            "description": f"What on its topic an event is about, 1-{ABOUT_MAX} bytes; `data` null deletes its value.",
            "minLength": 1,
            "maxLength": ABOUT_MAX,
        },
        "Key": {
            **STRING,
            "description": f"Idempotency key, 1-{KEY_MAX} bytes: a repeat on the same topic returns the first id.",
            "minLength": 1,
            "maxLength": KEY_MAX,
        },
    }


def _page() -> Schema:
    return record(
        {
            "events": array(ref("Event")),
            EPHEMERAL: {
                **array(ref("EphemeralEvent")),
                "description": "If asked for: what came while the request waited, the newest of each key.",
            },
            PRESENCE: {**array(ref("PresentPlace")), "description": "If asked for: places of another version."},
            "cursor": {**ref("Cursor"), "description": "What to send as the next `after`, or `before` in `desc`."},
            "head": ref("Cursor"),
            "floor": {**nullable(ref("Cursor")), "description": "Up to here, events of the filter may be missing."},
            "more": BOOLEAN,
            "gap": nullable(ref("Gap")),
        },
        optional=(EPHEMERAL, PRESENCE),
    )


def _state_page() -> Schema:
    return record(
        {
            "events": array(ref("Event")),
            "cursor": {**ref("Cursor"), "description": "The position that all pages of this state include."},
            "more": BOOLEAN,
            "next": {**nullable(STRING), "description": "What to send for the next page."},
        }
    )


def _about() -> dict[str, Schema]:
    return {
        "subject": ref("Subject"),
        "append": {**BOOLEAN, "description": "`data` is appended to the subject's value, and does not replace it."},
        "final": {**BOOLEAN, "description": "The value is closed: a later `append` is refused with 409."},
    }


def _values() -> dict[str, Schema]:
    about = _about()
    event = record(
        {
            "id": ref("Cursor"),
            "topic": ref("Topic"),
            "type": ref("EventType"),
            "time": {**STRING, "format": "date-time"},
            "prev": nullable(ref("Cursor")),
            "traceparent": ref("Traceparent"),
            **about,
            "joined": {**COUNT, "description": "By the service itself: the text that so many events made, in one."},
            "data": {"description": "Any JSON value."},
        },
        optional=("traceparent", *about, "joined"),
        description="A stored fact. `prev` is the cursor of the event before it on its topic.",
    )
    draft = record(
        {
            "topic": ref("Topic"),
            "type": ref("EventType"),
            "data": {"description": "Any JSON value; its bound is TWINWIRE_DATA_MAX."},
            "key": ref("Key"),
            **about,
        },
        optional=("key", *about),
        additionalProperties=False,
    )
    gap = record(
        {
            "requested": {**STRING, "description": f"What the client sent, cut to {CURSOR_MAX} bytes."},
            "reason": {"enum": list(get_args(GapReason))},
            "id": ref("Cursor"),
            "floor": nullable(ref("Cursor")),
        },
        description="What could not be delivered: `id` is where reading goes on, `floor` up to where events may miss.",
    )
    return {
        "Event": event,
        "Draft": draft,
        "Drafts": array(ref("Draft"), minItems=1, maxItems=BATCH_MAX),
        "Gap": gap,
        "EventPage": _page(),
        "StatePage": _state_page(),
        "Asked": {
            "type": "object",
            "description": "The parameters of the query by their names, and `topics` for all of its `topic`.",
            "properties": {
                "topics": array(ref("TopicFilter"), minItems=1, maxItems=FILTER_TOPICS_MAX),
                "after": STRING,
                VERSION: {"oneOf": [STRING, array(STRING, maxItems=PRESENCE_KNOWN)]},
            },
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        },
        "Published": record({"id": ref("Cursor")}),
        "PublishedMany": record({"ids": array(ref("Cursor"))}),
    }
