"""Every limit that an operator may move, with its unit, its default, and what whoever passes it is told.

The bounds that do not move, because clients rely on them, stand in `service.core.limits`; those of one container stand
beside it.
"""

from typing import Any, Final

from pydantic import Field, ValidationInfo, field_validator

from service.core.limits import DATA_MAX, ENVELOPE_MAX, REQUEST_MAX
from service.room import Room

SIZE: Final = "413"
FULL: Final = "503"


def _limit(default: float, unit: str, answer: str, description: str, **bounds: Any) -> Any:
    if isinstance(default, float):
        bounds["allow_inf_nan"] = False
    return Field(default, description=description, json_schema_extra={"unit": unit, "answer": answer}, **bounds)


class LimitSettings(Room):
    """Bounds that an operator may move."""

    data_max: int = _limit(
        DATA_MAX, "bytes", SIZE, "Bytes of one event's encoded data at most.", ge=1024, le=REQUEST_MAX // 2
    )
    body_max: int = _limit(
        REQUEST_MAX,
        "bytes",
        SIZE,
        "Bytes of one request's body at most, also in chunks; of one event with what is around it at least.",
        ge=1024 + ENVELOPE_MAX,
        le=REQUEST_MAX,
    )
    max_topics: int = _limit(
        1_000_000,
        "topics",
        FULL,
        "Topics at most, about 300 bytes of memory each; events on a new one are refused.",
        ge=1,
    )
    body_bytes: int = _limit(
        40 << 20, "bytes", FULL, "Bytes of all requests' bodies under way together, at most.", ge=2 * REQUEST_MAX
    )
    max_streams: int = _limit(
        0, "streams", FULL, "Open streams and waiting polls at most; 0 for what descriptors allow.", ge=0
    )

    @field_validator("body_max")
    @classmethod
    def _holds_an_event(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("data_max", 0) + ENVELOPE_MAX
        if value < least:
            raise ValueError(f"is {least} at least: one event of TWINWIRE_DATA_MAX bytes, and what is around it")
        return value
