"""What operators and their tools ask beside health: readiness, metrics, topics, trimming, the API's description."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from quart import Blueprint, Response, request

from service import openapi as words
from service.assembly import Assembly
from service.bus.trims import TrimJob
from service.core.errors import InvalidError, NotFoundError
from service.core.parameters import Parameters
from service.core.topics import TopicFilter, check_readable
from service.core.words import TRANSPORTS
from service.log.base import TopicStats
from service.openapi import BOOLEAN, COUNT, JSON, STRING, Description, Schema, array, nullable, operation, record, ref
from service.web.caller import visit
from service.web.json import answer, fresh, read
from service.web.query import number
from service.wire.rooted import root_of

_TAG: Final = "operations"
_LISTING: Final = Parameters("topic", "after", "limit")
_TOLD: Final = frozenset({"clock", "disk"})
"""Checks that are no reason to send clients elsewhere: whoever reads is served."""
_KEEP_MAX: Final = 1 << 53
"""Events that a trim may keep; beyond, a JSON number is no integer to everybody (RFC 8259, 6)."""

TOPICS_MAX: Final = 1_000
"""Topics in one answer, also without a `limit`: about 250 KiB, and as many subscribers to count."""

LISTS_MAX: Final = 8
"""Lists that are made at a time, each in steps: half a megabyte, before anybody counts it as an answer."""

TRIM_WAIT: Final = 2.0
"""Seconds that the answer to a trim waits for its end; beyond, the answer says where to ask."""


class TrimRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`keep` is the number of events that each topic keeps."""

    topic: str
    keep: int


def operations_blueprint(assembly: Assembly) -> Blueprint:
    blueprint = Blueprint("operations", __name__)
    making = asyncio.Semaphore(LISTS_MAX)

    @blueprint.get("/api/ready")
    async def ready() -> Response:
        checks = await assembly.checks()
        is_ready = all(value == "ok" for name, value in checks.items() if name not in _TOLD)
        return answer({"ready": is_ready, "checks": checks}, 200 if is_ready else 503)

    @blueprint.get("/metrics")
    async def metrics() -> Response:
        visit().check_admin(metrics=True)
        text = "text/plain; version=0.0.4; charset=utf-8"
        return fresh(Response(await assembly.metrics.scrape(), content_type=text))

    @blueprint.get("/api/topics")
    async def topics() -> Response:
        _LISTING.check(request.args)
        patterns, after = request.args.getlist("topic"), request.args.get("after", "")
        limit = min(number("limit", TOPICS_MAX, 1), TOPICS_MAX)
        check_readable(patterns)
        wanted = TopicFilter(tuple(patterns)) if patterns else visit().readable()
        async with making:
            found, cursor, more = await assembly.bus.topics(wanted, after, limit, visit().reader())
        told = [_topic(assembly, *one) for one in found]
        return answer({"topics": told, "more": more, "cursor": cursor})

    @blueprint.post("/api/clock/confirm")
    async def confirm() -> Response:
        """The operator says that the calendar is right, although it has jumped."""
        visit().check_admin()
        return answer({"moved": assembly.clock.confirm()})

    _add_trims(blueprint, assembly)
    return blueprint


def _add_trims(blueprint: Blueprint, assembly: Assembly) -> None:
    @blueprint.post("/api/topics/trim")
    async def trim() -> Response:
        visit().check_admin()
        wanted = await read(TrimRequest)
        if not 0 <= wanted.keep < _KEEP_MAX:
            raise InvalidError("keep is a number of events, 0 or more", field="keep")
        check_readable((wanted.topic,))
        job = assembly.trims.begin(TopicFilter((wanted.topic,)), wanted.keep)
        if await job.wait(TRIM_WAIT):
            return answer({"removed": job.removed})
        response = answer(_trim(job), 202)
        response.headers["Location"] = f"{root_of(request.scope)}/api/topics/trim/{job.id}"
        return response

    @blueprint.get("/api/topics/trim/<id>")
    async def trim_job(id: str) -> Response:
        visit().check_admin()
        job = assembly.trims.find(id)
        if job is None:
            raise NotFoundError("there is no such trim, or it ended long ago")
        return answer(_trim(job))


def _trim(job: TrimJob) -> dict[str, Any]:
    found = {"state": job.state, "removed": job.removed, "left": job.left}
    return found if job.error is None else {**found, "reason": job.error.detail}


def _topic(assembly: Assembly, stats: TopicStats, subscribers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "topic": stats.topic,
        "count": stats.count,
        "bytes": stats.bytes,
        "head": assembly.bus.cursor(stats.head),
        "floor": assembly.bus.cursor(stats.floor) if stats.floor else None,
        "present": assembly.bus.presence.present(stats.topic),
        "subscribers": {**dict.fromkeys(TRANSPORTS, 0), **subscribers},
    }


_LISTED: Final = (
    "By topic. While `more` is true there may be others after `cursor`, even if these are few or none:"
    " about 3,000 names are looked at for an answer."
)


def describe() -> Description:
    return Description(_TAG, _paths(), _schemas())


def _paths() -> dict[str, Any]:
    def get(id: str, summary: str, answers: dict[int, dict[str, Any]]) -> dict[str, Any]:
        return {"get": operation(_TAG, id, summary, answers, problems=(403,))}

    ready = {
        200: words.answer("Ready.", ref("Readiness")),
        503: words.answer("Not ready: `checks` says why.", ref("Readiness")),
    }
    trim = operation(
        _TAG,
        "trim",
        "Keep the newest events of each topic that matches",
        {
            200: words.answer("How many went.", ref("Trimmed")),
            202: {
                **words.answer("It goes on; ask there.", ref("Trim")),
                "headers": {"Location": {"description": "Where to ask how far it is.", "schema": STRING}},
            },
        },
        problems=words.WRITING,
        body={JSON: {"schema": ref("TrimRequest")}},
    )
    listed = operation(
        _TAG,
        "listTopics",
        "Topics by name, in pages",
        {200: words.answer(_LISTED, ref("TopicList"))},
        problems=(422,),
        parameters=[
            words.query("topic", "Filters; all topics without.", array(ref("TopicFilter")), style="form", explode=True),
            words.query("after", "The name after which to go on: the `cursor` of the page before.", STRING),
            words.query("limit", "More is capped.", {**COUNT, "minimum": 1, "default": TOPICS_MAX}),
        ],
    )
    moved = {200: words.answer("By how many seconds the time moves.", ref("ClockConfirmed"))}
    confirmed = operation(_TAG, "confirmClock", "Believe the clock, although it has jumped", moved, problems=(403,))
    document = {200: words.answer("OpenAPI 3.1.", {"type": "object"})}
    return {
        "/api/health": get("health", "Whether the process lives", {200: words.answer("It does.", ref("Health"))}),
        "/api/ready": get("ready", "Whether to send clients here", ready),
        "/api/topics": {"get": listed},
        "/api/topics/trim": {"post": trim},
        "/api/topics/trim/{id}": {
            "get": operation(
                _TAG,
                "getTrim",
                "How far a trim is",
                {200: words.answer("Of one that was begun lately.", ref("Trim"))},
                problems=(404,),
                parameters=[words.path("id", "From the `Location` of its `202`.")],
            ),
        },
        "/api/clock/confirm": {"post": confirmed},
        "/api/openapi.json": get("openapi", "This document", document),
        "/metrics": get("metrics", "Metrics", {200: words.answer("Prometheus text.", STRING, "text/plain")}),
    }


def _schemas() -> dict[str, Schema]:
    topic = record(
        {
            "topic": ref("Topic"),
            "count": COUNT,
            "bytes": {**COUNT, "description": "Of the data that is kept."},
            "head": ref("Cursor"),
            "floor": nullable(ref("Cursor")),
            "present": {**COUNT, "description": "Members that are there."},
            "subscribers": record(dict.fromkeys(TRANSPORTS, COUNT), additionalProperties=COUNT),
        }
    )
    checks = {"type": "object", "additionalProperties": STRING, "description": "`ok`, or what is wrong."}
    return {
        "TopicList": record(
            {
                "topics": array(topic),
                "more": BOOLEAN,
                "cursor": {**STRING, "description": "What to send as the next `after`."},
            }
        ),
        "ClockConfirmed": record({"moved": {"type": "number"}}),
        "TrimRequest": record({"topic": ref("TopicFilter"), "keep": COUNT}, additionalProperties=False),
        "Trimmed": record({"removed": COUNT}),
        "Trim": record(
            {
                "state": {"enum": ["running", "done", "failed"]},
                "removed": COUNT,
                "left": {**nullable(COUNT), "description": "About how many are left to go; `null` until counted."},
                "reason": {**STRING, "description": "Of one that failed."},
            },
            optional=("reason",),
        ),
        "Health": record({"status": {"const": "ok"}}),
        "Readiness": record({"ready": BOOLEAN, "checks": checks}),
    }
