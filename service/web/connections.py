"""Who is connected, what each went through, and what became of an event (docs/protocol.md, section 7)."""

import asyncio
from typing import Any, Final

from quart import Blueprint, Response, request

from service import openapi as words
from service.assembly import Assembly
from service.core.errors import NotFoundError
from service.core.parameters import Parameters
from service.core.topics import check_pattern, check_readable
from service.core.words import TRANSPORTS
from service.openapi import BOOLEAN, COUNT, STRING, Description, Schema, array, nullable, operation, record, ref
from service.stream.ending import RESTART
from service.web.caller import visit
from service.web.json import answer, nothing
from service.web.query import flag, number

CONNECTIONS_MAX: Final = 1_000
"""Connections in one answer, also without a `limit`: about 400 KiB, with long filters 2 MiB."""

LISTS_MAX: Final = 4
"""Lists and figures that are made at a time, each in steps."""

_TAG: Final = "operations"
_LISTING: Final = Parameters("subject", "transport", "topic", "gone", "after", "limit")
_TRACING: Final = Parameters("connection")
_NONE: Final = Parameters()


def connections_blueprint(assembly: Assembly) -> Blueprint:
    blueprint = Blueprint("connections", __name__)
    making = asyncio.Semaphore(LISTS_MAX)

    @blueprint.get("/api/connections")
    async def listed() -> Response:
        visit().check_admin()
        _LISTING.check(request.args)
        topic, after, limit = request.args.get("topic"), number("after", 0, 0), number("limit", CONNECTIONS_MAX, 1)
        if topic is not None:
            check_readable([check_pattern(topic)])
        subject, transport = request.args.get("subject"), request.args.get("transport")
        async with making:
            found, more, last = await assembly.connections.page(
                subject=subject,
                transport=transport,
                topic=topic,
                gone=flag("gone"),
                after=after,
                limit=min(limit, CONNECTIONS_MAX),
            )
        return answer({"connections": found, "more": more, "cursor": str(last)})

    @blueprint.delete("/api/connections/<id>")
    async def end(id: str) -> Response:
        """It may come back: who must not is revoked."""
        visit().check_admin()
        if not assembly.hub.end(id, RESTART):
            raise NotFoundError("there is no such connection")
        return nothing()

    @blueprint.get("/api/connections/<id>/timeline")
    async def timeline(id: str) -> Response:
        visit().check_admin()
        _NONE.check(request.args)
        return answer(assembly.timeline.of(id))

    @blueprint.get("/api/events/<id>/trace")
    async def trace(id: str) -> Response:
        visit().check_admin()
        _TRACING.check(request.args)
        async with making:
            return answer(await assembly.timeline.trace(id, request.args.get("connection")))

    @blueprint.get("/api/figures")
    async def figures() -> Response:
        visit().check_admin(metrics=True)
        _NONE.check(request.args)
        async with making:
            return answer({**await assembly.figures.now(), "retention": _policies(assembly)})

    return blueprint


def _policies(assembly: Assembly) -> list[dict[str, Any]]:
    """The first whose filter matches a topic decides for it."""
    return [one.model_dump() for one in assembly.settings.log.retention]


def describe() -> Description:
    return Description(_TAG, _paths(), _schemas())


def _paths() -> dict[str, Any]:
    id = words.path("id", "The `connection` that a stream's first frame names.")
    refused = (401, 403)
    asked = [
        words.query("subject", "Those of this subject.", STRING),
        words.query("transport", "Those on this wire.", STRING),
        words.query("topic", "Those whose filter matches this topic, or that have this pattern in it.", STRING),
        words.query("gone", "Those that have ended in the last minutes instead.", {"enum": ["0", "1"], "default": "0"}),
        words.query("after", "The `cursor` of the page before.", COUNT),
        words.query("limit", "More is capped.", {**COUNT, "minimum": 1, "default": CONNECTIONS_MAX}),
    ]
    listed = operation(
        _TAG,
        "listConnections",
        "Connections in the order in which they came, in pages",
        {200: words.answer("By connection.", ref("ConnectionList"))},
        problems=(*refused, 422),
        parameters=asked,
    )
    ended = operation(
        _TAG,
        "endConnection",
        "End one, which is told `goodbye` `restart` and may come back",
        {204: words.answer("It ends.")},
        problems=(*refused, 404, 503),
        parameters=[id],
    )
    timeline = operation(
        _TAG,
        "connectionTimeline",
        "What a connection went through",
        {200: words.answer("Its turns, the oldest first.", ref("ConnectionTimeline"))},
        problems=(*refused, *words.READING),
        parameters=[id],
    )
    trace = operation(
        _TAG,
        "traceEvent",
        "What became of an event, and why one connection did or did not get it",
        {200: words.answer("Of one that was published.", ref("EventTrace"))},
        problems=(*refused, *words.READING),
        parameters=[
            words.path("id", "The event's."),
            words.query("connection", "The connection that it is about.", STRING),
        ],
    )
    figures = operation(
        _TAG,
        "figures",
        "Figures of this moment",
        {200: words.answer("Sums count since the start.", ref("Figures"))},
        problems=(*refused, 422),
    )
    return {
        "/api/connections": {"get": listed},
        "/api/connections/{id}": {"delete": ended},
        "/api/connections/{id}/timeline": {"get": timeline},
        "/api/events/{id}/trace": {"get": trace},
        "/api/figures": {"get": figures},
    }


_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_FILTERS: Final = array(ref("TopicFilter"))
_NUMBER: Final[Schema] = {"type": "number", "minimum": 0}
_MS: Final = nullable(_NUMBER)


def _connection() -> dict[str, Schema]:
    return {
        "connection": STRING,
        "subject": nullable(STRING),
        "address": nullable(STRING),
        "transport": STRING,
        "state": {"enum": ["live", "replaying", "ending", "gone"]},
        "topics": {**_FILTERS, "description": "The first ten in lists."},
        "filters": {**COUNT, "description": "How many patterns its filter has."},
        "cursor": ref("Cursor"),
        "lag": {**nullable(COUNT), "description": "Events from there to the head, whatever their topics."},
        "buffer": {**nullable(COUNT), "description": "Bytes that its client has yet to take; `null` if nobody knows."},
        "since": _TIME,
        "age": {**_NUMBER, "description": "Seconds."},
        "ended": nullable(_TIME),
        "reason": {**nullable(STRING), "description": "Why it ended: of `goodbye`, `client` or `lost`."},
    }


def _schemas() -> dict[str, Schema]:
    turn = record(
        {
            "turn": {"enum": ["opened", "caught_up", "behind", "gap", "filter", "reduced", "renewed", "ended"]},
            "time": _TIME,
            "cursor": ref("Cursor"),
            "reason": nullable(STRING),
            "after": ref("Cursor"),
            "before": {**nullable(_FILTERS), "description": "The filter up to here; `null` if it was too long."},
        },
        optional=("reason", "after", "before"),
    )
    verdict = {
        **_connection(),
        "got": {**nullable(BOOLEAN), "description": "`null`: that is not known any more."},
        "why": STRING,
        "detail": STRING,
        "turn": nullable(ref("Turn")),
    }
    group = record({"transport": STRING, "topics": _FILTERS, "written": COUNT, "left": COUNT})
    step = record({"time": _TIME, "ms": {**_MS, "description": "Since the step before."}})
    fanned = {
        "time": _TIME,
        "ms": _MS,
        "groups": {**nullable(COUNT), "description": "Of subscribers with the same filter and wire."},
        "written": {**nullable(COUNT), "description": "Subscribers to whom it was written."},
        "left": {**nullable(COUNT), "description": "Those who were live, and read it from their cursors instead."},
        "others": {**COUNT, "description": "Groups of that round that there was no room to remember."},
        "largest": array(group),
    }
    trace = {
        "id": ref("Cursor"),
        "topic": {**nullable(STRING), "description": "`null` if the log has the event no more."},
        "type": nullable(STRING),
        "time": nullable(_TIME),
        "remembered": {**BOOLEAN, "description": "Whether anything of that is: see `TWINWIRE_TIMELINE`."},
        "accepted": nullable(record({"time": _TIME})),
        "committed": nullable(step),
        "fanned_out": nullable(record(fanned)),
        "connection": record(verdict),
    }
    return {
        "Turn": turn,
        "ConnectionList": record(
            {"connections": array(record(_connection())), "more": BOOLEAN, "cursor": STRING},
        ),
        "ConnectionTimeline": record(
            {
                **_connection(),
                "turns": array(ref("Turn")),
                "whole": {**BOOLEAN, "description": "Whether none is forgotten."},
            }
        ),
        "EventTrace": record(trace, optional=("connection",)),
        "Figures": _figures(),
    }


def _figures() -> Schema:
    spread = nullable(record({"p50": _NUMBER, "p99": _NUMBER, "max": _NUMBER}))
    policy = {
        "topics": ref("TopicFilter"),
        "max_age": _MS,
        "max_count": _MS,
        "max_bytes": _MS,
        "keep": nullable({"enum": ["state"]}),
    }
    return record(
        {
            "time": _TIME,
            "head": ref("Cursor"),
            **dict.fromkeys(("published", "delivered", "replayed", "commits"), COUNT),
            "commit_ms": {**_NUMBER, "description": "Of the last commit."},
            "latency_ms": {**spread, "description": "From taking an event to its last write, in the last 5 s."},
            "lag": {**spread, "description": "Of streams, in events."},
            "loop_delay_ms": {**_NUMBER, "description": "The worst in the last 5 s."},
            "memory_bytes": nullable(COUNT),
            "wal_bytes": COUNT,
            "tail": record({"events": COUNT, "bytes": COUNT}),
            "streams": COUNT,
            "subscriptions": record(dict.fromkeys(TRANSPORTS, COUNT), additionalProperties=COUNT),
            "places": record({"taken": COUNT, "max": COUNT}),
            "retention": array(record(policy)),
        }
    )
