"""The part of the OpenAPI document about presence."""

from typing import Any, Final, get_args

from service import openapi as words
from service.core.limits import (
    MEMBER_MAX,
    PRESENCE_LEASE,
    PRESENCE_LEASE_LEAST,
    PRESENCE_LEASE_MAX,
    PRESENCE_LEFT,
)
from service.core.member import MEMBER_PATTERN
from service.core.words import LeaveReason
from service.openapi import (
    BOOLEAN,
    COUNT,
    JSON,
    STRING,
    Description,
    Schema,
    answer,
    array,
    nullable,
    operation,
    record,
    ref,
    whole,
)

_TAG: Final = "presence"
_OBJECT: Final[Schema] = {"type": "object", "description": "Its bound is TWINWIRE_PRESENCE_DATA."}
_MEMBER: Final[Schema] = {**STRING, "pattern": whole(MEMBER_PATTERN), "maxLength": MEMBER_MAX}


def describe_presence() -> Description:
    return Description(_TAG, _paths(), _schemas())


def _paths() -> dict[str, Any]:
    at = [
        words.path("place", "A topic, with its slashes.", ref("Topic")),
        words.path("member", "The member's id.", _MEMBER),
    ]
    there = answer("It is there.", ref("Present"))
    entered = operation(
        _TAG,
        "enterPlace",
        "Be at a place, go on there, or tell something else of oneself",
        {201: answer("It is new.", ref("Present")), 200: there},
        problems=(*words.WRITING, 401, 403, 404, 429),
        parameters=at,
        body={JSON: {"schema": ref("Entering")}},
    )
    ends = words.query("disconnect", "An operator's: end its connection too.", {"enum": ["0", "1"], "default": "0"})
    left = operation(
        _TAG,
        "leavePlace",
        "Be there no more",
        {204: answer("It is gone.")},
        problems=(401, 403, 404, 422, 503),
        parameters=[*at, ends],
    )
    beacon = operation(
        _TAG,
        "leavePlaces",
        "Say that a page goes away: what its connection holds is gone in some seconds, unless it is back",
        {204: answer("Whoever it was.")},
        problems=(*words.WRITING, 403),
        body={kind: {"schema": ref("Leaving")} for kind in (JSON, "text/plain")},
    )
    listed = operation(
        _TAG,
        "listPresent",
        "Who is where, in pages",
        {200: answer("By place.", ref("PresentList"))},
        problems=(401, 403, 422),
        parameters=[
            words.query("place", "A filter; all that one may read without.", ref("TopicFilter")),
            words.query("after", "The `next` of the page before.", STRING),
            words.query("limit", "Places, or members of one that is named; more is capped.", {**COUNT, "minimum": 1}),
        ],
    )
    stats = operation(
        _TAG,
        "presenceStats",
        "How much there is of presence",
        {200: answer("Sums count since the start.", ref("PresenceStats"))},
        problems=(401, 403, 422),
    )
    return {
        "/api/presence": {"get": listed},
        "/api/presence/leave": {"post": beacon},
        "/api/presence/stats": {"get": stats},
        "/api/presence/{place}/{member}": {"put": entered, "delete": left},
    }


def _schemas() -> dict[str, Schema]:
    lease = {
        "type": "number",
        "description": "Seconds.",
        "minimum": PRESENCE_LEASE_LEAST,
        "maximum": PRESENCE_LEASE_MAX,
        "default": PRESENCE_LEASE,
    }
    entering = {
        "data": _OBJECT,
        "merge": {"type": "object", "description": "What is other of it (RFC 7396)."},
        "lease": lease,
        "connection": {**STRING, "description": "The caller's own stream, as long as which it is there."},
    }
    member = {
        "user": {**nullable(STRING), "description": "The subject of its token."},
        "member": STRING,
        "data": _OBJECT,
        "since": {**STRING, "format": "date-time"},
        "verified": BOOLEAN,
        "info": {"type": "object", "description": "Of its token."},
    }
    place = {
        "type": {"const": "presence"},
        "place": ref("Topic"),
        "version": COUNT,
        "state": array(ref("PresentMember")),
        "users": COUNT,
        "members": COUNT,
        "truncated": {**BOOLEAN, "description": "Whether there are more members than are told."},
    }
    return {
        "Entering": record(entering, optional=tuple(entering), additionalProperties=False),
        "Present": record(
            {"place": ref("Topic"), "member": STRING, "lease": {"type": "number"}, "version": COUNT},
        ),
        "Leaving": record(
            {
                "connection": STRING,
                "members": array(
                    record({"place": STRING, "member": STRING}, additionalProperties=False), maxItems=PRESENCE_LEFT
                ),
            },
            additionalProperties=False,
        ),
        "PresentMember": record(member, optional=("info",)),
        "PresentPlace": record(place, description="As a `presence` frame tells a state."),
        "PresentList": record(
            {"places": array(ref("PresentPlace")), "more": BOOLEAN, "next": {"type": ["string", "integer"]}},
            optional=("next",),
        ),
        "PresenceStats": record(
            {
                **dict.fromkeys(("places", "members", "watchers", "frames"), COUNT),
                "changes": record(dict.fromkeys(("joined", "updated", *get_args(LeaveReason)), COUNT)),
            }
        ),
    }
