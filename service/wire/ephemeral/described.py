"""The part of the OpenAPI document about events that are not kept."""

from typing import Any

from service.core.limits import EPHEMERAL_BATCH, EPHEMERAL_TTL, EPHEMERAL_TTL_LEAST, EPHEMERAL_TTL_MAX, KEY_MAX
from service.openapi import (
    COUNT,
    JSON,
    STRING,
    WRITING,
    Description,
    Schema,
    answer,
    array,
    nullable,
    operation,
    record,
    ref,
)

_ANY: Schema = {"description": "Any JSON value; its bound is TWINWIRE_EPHEMERAL_MAX."}


def describe_ephemeral() -> Description:
    sending = operation(
        "ephemeral",
        "sendEphemeral",
        "Send events that are not kept to whoever is live: all of them are accepted, or none",
        {202: answer("Accepted: nothing is promised.", record({"accepted": COUNT}))},
        problems=(*WRITING, 401, 403, 429),
        body={JSON: {"schema": {"oneOf": [ref("EphemeralDraft"), ref("EphemeralDrafts")]}}},
    )
    return Description("ephemeral", {"/api/ephemeral": {"post": sending}}, _schemas())


def _schemas() -> dict[str, Schema]:
    draft: dict[str, Any] = {
        "topic": ref("Topic"),
        "type": ref("EventType"),
        "data": _ANY,
        "key": {
            **STRING,
            "description": "Of several undelivered ones with the same topic, type, key and sender the newest is sent.",
            "minLength": 1,
            "maxLength": KEY_MAX,
        },
        "ttl": {
            "type": "number",
            "description": "Seconds after which nobody wants it any more.",
            "minimum": EPHEMERAL_TTL_LEAST,
            "maximum": EPHEMERAL_TTL_MAX,
            "default": EPHEMERAL_TTL,
        },
    }
    event = {
        "topic": ref("Topic"),
        "type": ref("EventType"),
        "time": {**STRING, "format": "date-time"},
        "after": {**ref("Cursor"), "description": "The head of the log when it was accepted."},
        "from": record(
            {"user": nullable(STRING), "member": {**STRING, "description": "Who it is in presence."}},
            optional=("member",),
            description="Who sent it, if the service knows.",
        ),
        "data": _ANY,
    }
    return {
        "EphemeralDraft": record(draft, optional=("key", "ttl"), additionalProperties=False),
        "EphemeralDrafts": array(ref("EphemeralDraft"), minItems=1, maxItems=EPHEMERAL_BATCH),
        "EphemeralEvent": record(event, optional=("from",), description="One that is not kept: it has no `id`."),
    }
