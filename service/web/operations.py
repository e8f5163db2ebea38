"""What operators and their tools ask: health, readiness, metrics, topics, trimming, the API's description."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from quart import Blueprint, Response, request

from service.assembly import Assembly
from service.core.errors import InvalidError, MediaTypeError
from service.core.topics import TopicFilter
from service.core.words import TRANSPORTS
from service.web.openapi import describe
from service.wire.drafts import decode_utf8, explain_decoding


class TrimRequest(msgspec.Struct, forbid_unknown_fields=True):
    """`keep` is the number of events that each topic keeps."""

    topic: str
    keep: int


def operations_blueprint(assembly: Assembly) -> Blueprint:
    blueprint = Blueprint("operations", __name__)

    @blueprint.get("/api/health")
    async def health() -> Response:
        return _json({"status": "ok"})

    @blueprint.get("/api/ready")
    async def ready() -> Response:
        checks = assembly.checks()
        is_ready = all(value == "ok" for value in checks.values())
        return _json({"ready": is_ready, "checks": checks}, 200 if is_ready else 503)

    @blueprint.get("/metrics")
    async def metrics() -> Response:
        return Response(assembly.metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")

    @blueprint.get("/api/topics")
    async def topics() -> Response:
        return _json({"topics": [_topic(assembly, *one) for one in assembly.bus.topics()]})

    @blueprint.post("/api/topics/trim")
    async def trim() -> Response:
        wanted = await _read_trim()
        removed = await assembly.bus.trim(TopicFilter((wanted.topic,)), wanted.keep)
        return _json({"removed": removed})

    @blueprint.get("/api/openapi.json")
    async def openapi() -> Response:
        return _json(describe())

    return blueprint


def _topic(assembly: Assembly, stats: Any, subscribers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "topic": stats.topic,
        "count": stats.count,
        "head": assembly.bus.cursor(stats.head),
        "floor": assembly.bus.cursor(stats.floor) if stats.floor else None,
        "subscribers": {**dict.fromkeys(TRANSPORTS, 0), **subscribers},
    }


async def _read_trim() -> TrimRequest:
    """Raises MediaTypeError, MalformedError, or InvalidError naming the field."""
    if request.mimetype != "application/json":
        raise MediaTypeError("send application/json", field="Content-Type")
    try:
        wanted = msgspec.json.decode(decode_utf8(await request.get_data(False, False, False)), type=TrimRequest)
    except (msgspec.DecodeError, RecursionError) as error:
        raise explain_decoding(error) from error
    if not 0 <= wanted.keep < 1 << 53:
        raise InvalidError("keep is a number of events, 0 or more", field="keep")
    return wanted


def _json(value: Any, status: int = 200) -> Response:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    response = Response(body, status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
