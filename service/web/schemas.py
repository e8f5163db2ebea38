"""The values of the HTTP API as JSON Schema (2020-12), for `web/openapi.py`.

Bounds come from `core/limits.py` and the shapes of projects from their models, so the description can't fall behind.
"""

from typing import Any, Final, get_args

from pydantic.json_schema import models_json_schema

from service.apps.projects.models import Listing, NewProject, Run, Snapshot, StoredFile
from service.core.limits import BATCH_MAX, CURSOR_MAX, KEY_MAX, RESERVED_TYPES, TOPIC_MAX, TYPE_MAX
from service.core.words import TRANSPORTS, GapReason

Schema = dict[str, Any]

STRING: Final[Schema] = {"type": "string"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}

_SEGMENT: Final = "[A-Za-z0-9_.~-]+"


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def record(properties: dict[str, Schema], optional: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object whose members are all required but the `optional` ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, **more}


def schemas() -> dict[str, Schema]:
    """Everything under `components.schemas`, by name."""
    return _texts() | _events() | _answers() | _projects()


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _texts() -> dict[str, Schema]:
    return {
        "Cursor": {
            **STRING,
            "description": "A position in the log; opaque to clients.",
            "pattern": "^[a-z0-9]{1,32}-(0|[1-9][0-9]{0,18})$",
            "maxLength": CURSOR_MAX,
            "examples": ["k7f3q2-1042"],
        },
        "Topic": {
            **STRING,
            "pattern": f"^{_SEGMENT}(/{_SEGMENT})*$",
            "maxLength": TOPIC_MAX,
            "examples": ["projects/42"],
        },
        "TopicFilter": {
            **STRING,
            "description": "A topic in which a segment may be `*` (exactly one) and the last one `**` (one or more).",
            "pattern": rf"^(({_SEGMENT}|\*)/)*({_SEGMENT}|\*|\*\*)$",
            "maxLength": TOPIC_MAX,
            "examples": ["projects/*"],
        },
        "EventType": {
            **STRING,
            "pattern": f"^[A-Za-z0-9_.-]{{1,{TYPE_MAX}}}$",
            "not": {"enum": sorted(RESERVED_TYPES)},
            "examples": ["log"],
        },
        "Key": {
            **STRING,
            "description": f"Idempotency key, 1-{KEY_MAX} bytes: a repeat on the same topic returns the first id.",
            "minLength": 1,
            "maxLength": KEY_MAX,
        },
    }


def _events() -> dict[str, Schema]:
    event = record(
        {
            "id": ref("Cursor"),
            "topic": ref("Topic"),
            "type": ref("EventType"),
            "time": {**STRING, "format": "date-time"},
            "prev": _nullable(ref("Cursor")),
            "data": {"description": "Any JSON value."},
        },
        description="A stored fact. `prev` is the cursor of the event before it on its topic.",
    )
    draft = record(
        {
            "topic": ref("Topic"),
            "type": ref("EventType"),
            "data": {"description": "Any JSON value; its bound is TWINWIRE_DATA_MAX."},
            "key": ref("Key"),
        },
        optional=("key",),
        additionalProperties=False,
    )
    gap = record(
        {
            "requested": {**STRING, "description": f"What the client sent, cut to {CURSOR_MAX} bytes."},
            "reason": {"enum": list(get_args(GapReason))},
            "id": ref("Cursor"),
            "floor": _nullable(ref("Cursor")),
        },
        description="What could not be delivered: `id` is where reading goes on, `floor` up to where events may miss.",
    )
    page = record(
        {
            "events": array(ref("Event")),
            "cursor": {**ref("Cursor"), "description": "What to send as the next `after`, or `before` in `desc`."},
            "head": ref("Cursor"),
            "more": BOOLEAN,
            "gap": _nullable(ref("Gap")),
        }
    )
    return {"Event": event, "Draft": draft, "Gap": gap, "EventPage": page, "Drafts": _drafts()}


def _drafts() -> Schema:
    return array(ref("Draft"), minItems=1, maxItems=BATCH_MAX)


def _answers() -> dict[str, Schema]:
    problem = record(
        {
            "type": STRING,
            "title": STRING,
            "status": {"type": "integer"},
            "detail": STRING,
            "field": {**STRING, "description": "The path of what is wrong, such as `2.topic`."},
            "line": {"type": "integer", "minimum": 1, "description": "The line of it, in NDJSON."},
            "sse": {**STRING, "description": "In a 426: the same stream over SSE."},
        },
        optional=("field", "line", "sse"),
        description="RFC 9457.",
    )
    topic = record(
        {
            "topic": ref("Topic"),
            "count": COUNT,
            "head": ref("Cursor"),
            "floor": _nullable(ref("Cursor")),
            "subscribers": record(dict.fromkeys(TRANSPORTS, COUNT), additionalProperties=COUNT),
        }
    )
    return {
        "Problem": problem,
        "Published": record({"id": ref("Cursor")}),
        "PublishedMany": record({"ids": array(ref("Cursor"))}),
        "TopicList": record({"topics": array(topic)}),
        "TrimRequest": record({"topic": ref("TopicFilter"), "keep": COUNT}, additionalProperties=False),
        "Trimmed": record({"removed": COUNT}),
        "Health": record({"status": {"const": "ok"}}),
        "Readiness": record(
            {
                "ready": BOOLEAN,
                "checks": {"type": "object", "additionalProperties": STRING, "description": "`ok`, or what is wrong."},
            }
        ),
        "FileList": record({"files": array(ref("StoredFile"))}),
    }


def _projects() -> dict[str, Schema]:
    """From the models themselves, as they are serialised, and those they are made of."""
    _, found = models_json_schema(
        [
            (NewProject, "validation"),
            (Listing, "serialization"),
            (Snapshot, "serialization"),
            (Run, "serialization"),
            (StoredFile, "serialization"),
        ],
        ref_template="#/components/schemas/{model}",
    )
    definitions: dict[str, Schema] = found["$defs"]
    return definitions
