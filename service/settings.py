"""Every knob, with its unit, default and bound, by the room that it is for. Flags of the command beat the environment.

The variables' names are flat, `TWINWIRE_PORT`, whichever room they belong to; an application brings its own.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode

from service.core.errors import ConfigError, ForbiddenError, InvalidError
from service.core.limits import WAIT_MAX
from service.core.topics import TopicFilter, check_readable
from service.limits import LimitSettings
from service.room import PREFIX, Room, is_blank

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
"""A list that is written with commas; `_split` does it."""


Filters = Annotated[tuple[str, ...], NoDecode]
"""Topic filters, as a JSON list or with commas; `_granted` or `_places` reads it."""


class RetentionPolicy(BaseModel):
    """What to keep of the topics that match; a bound left out does not bind."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    topics: str = Field("**", description="Topic filter; the first policy that matches a topic decides for it.")
    max_age: float | None = Field(None, gt=0, description="Seconds.")
    max_count: int | None = Field(None, ge=0, description="Events of each topic.")
    max_bytes: int | None = Field(None, ge=0, description="Bytes of data of each topic.")
    keep: Literal["state"] | None = Field(
        None,
        description="state: of events with a subject what the state needs, always; the bounds are for the others.",
    )

    @field_validator("topics")
    @classmethod
    def _is_a_filter(cls, text: str) -> str:
        try:
            check_readable(TopicFilter((text,)).patterns)
        except (InvalidError, ForbiddenError) as error:  # what is the service's own it trims itself
            raise ValueError(error.detail) from error
        return text

    @property
    def filter(self) -> TopicFilter:
        return TopicFilter((self.topics,))


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _decode(value: object) -> object:
    """A value that is written as JSON. Raises ValueError for what is none: too deep a one is none either."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}") from None


def _filters(value: object) -> tuple[str, ...]:
    """Raises ValueError for what is no list of texts."""
    filters = _decode(value) if isinstance(value, str) and value.startswith("[") else _split(value)
    if not isinstance(filters, list | tuple) or not all(isinstance(one, str) for one in filters):
        raise ValueError("is a list of filters")
    return tuple(filters)


def _granted(value: object) -> object:
    """Filters to grant. Raises ValueError for what is none, or too many; a template's {sub} may be any segment."""
    filters = _filters(value)
    try:
        TopicFilter(tuple(one.replace("{sub}", "sub") for one in filters))
    except InvalidError as error:
        raise ValueError(error.detail) from error
    return filters


def _places(value: object) -> object:
    """Filters of places. Raises ValueError for what is none, or too many, or the service's own."""
    filters = _filters(value)
    try:
        check_readable(TopicFilter(filters).patterns if filters else ())
    except (InvalidError, ForbiddenError) as error:
        raise ValueError(error.detail) from error
    return filters


class ServerSettings(Room):
    """The process: where it listens, how it stops."""

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all of them.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    loop: Literal["auto", "uvloop", "asyncio"] = Field("auto", description="Event loop; auto takes uvloop if it can.")
    h2c: bool = Field(False, description="Speak HTTP/2 without TLS too, to clients that begin with it.")
    drain_delay: float = Field(
        0.0,
        ge=0,
        le=300,
        description="Seconds for which a service that is to stop is not ready and serves as before, so that a balancer"
        " notices; a second signal ends them.",
    )
    grace: float = Field(10.0, ge=0, le=300, description="Seconds that a stop may take after that.")


class LogSettings(Room):
    """What is kept, and how safely."""

    database: Path = Field(Path("twinwire.db"), description="SQLite file; created and migrated at start.")
    durability: Literal["full", "normal"] = Field(
        "full",
        description="full: an acknowledged event survives power loss. normal: the last commits may not.",
    )
    retention: Annotated[tuple[RetentionPolicy, ...], NoDecode] = Field(
        (),
        description='JSON list of {"topics", "max_age" s, "max_count", "max_bytes", "keep"}; empty keeps everything.',
    )
    retention_interval: float = Field(60.0, gt=0, description="Seconds between two passes of retention.")
    tombstones: float = Field(
        86_400.0,
        gt=0,
        description="Seconds for which deletions stay where `keep` is `state`, and keys of events that went there are"
        " remembered.",
    )
    forget_after: float = Field(
        86_400.0,
        ge=0,
        description="Seconds for which a topic has no event and no subscriber until it is forgotten; sooner only at"
        " TWINWIRE_MAX_TOPICS, and never with 0.",
    )
    disk_reserve: int = Field(
        256 << 20,
        ge=0,
        description="Bytes of the disk that publishing leaves free, a twentieth of its size at most: below, it is 503,"
        " and reads and trims go on. 0 for none.",
    )

    _decoded = field_validator("retention", mode="before")(_decode)

    @field_validator("database")
    @classmethod
    def _is_a_file(cls, path: Path) -> Path:
        name = str(path)
        if not path.name or name == ":memory:" or name.startswith("file:"):
            raise ValueError("is the path of a file")
        if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in name):
            raise ValueError("has a control character in it")
        return path


class BusSettings(Room):
    """What is held in memory for those who are just behind."""

    tail_events: int = Field(10_000, ge=1, description="Events kept in memory for those who are just behind.")
    tail_bytes: int = Field(32 << 20, ge=1 << 20, description="Bytes of memory for the same.")


class StreamSettings(Room):
    """How open streams are looked after."""

    heartbeat: float = Field(20.0, ge=0.5, le=120, description="Seconds of silence after which a heartbeat is sent.")
    send_timeout: float = Field(30.0, ge=1, le=600, description="Seconds without progress until a peer is given up.")
    direct: bool = Field(True, description="Write frames straight to the transport where the server allows it.")

    @property
    def told_within(self) -> float:
        """Seconds within which whoever follows is told a position, or is given up: two heartbeats, and as long as a
        peer may take none; or a poll's longest wait.
        """
        return max(2 * self.heartbeat + self.send_timeout, 2 * WAIT_MAX)


class AccessSettings(Room):
    """Who may come in."""

    allowed_origins: CommaSeparated = Field(
        (), description="Comma-separated web origins whose pages may connect besides our own; * for all."
    )

    hosts: CommaSeparated = Field(
        (),
        description="Comma-separated names that are answered besides addresses and localhost: live.example.org,"
        " *.example.org, or * for any.",
    )
    trusted_hops: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        (),
        description="Comma-separated addresses and networks of proxies that are believed: X-Forwarded-Host, -Proto"
        " and -For, and Forwarded.",
    )

    proxy_protocol: bool = Field(
        False, description="Trusted hops begin each connection with a PROXY header, version 1 or 2, and have to."
    )

    open: bool = Field(
        False, description="Without keys, serve beyond loopback too: whoever reaches the port may do everything."
    )
    anonymous_subscribe: Filters = Field(
        (), description="Filters that anybody may read, where there are keys: a JSON list, or comma-separated."
    )
    anonymous_publish: Filters = Field((), description="Filters that anybody may publish to, where there are keys.")
    everyone_subscribe: Filters = Field(
        (), description="Filters that every bearer may read besides; {sub} stands for the bearer: users/{sub}/**."
    )
    everyone_publish: Filters = Field((), description="Filters that every bearer may publish to besides.")
    token_keys: SecretStr = Field(
        SecretStr(""),
        description="JSON list of the keys that tokens are signed with, or the path of a file that holds it;"
        " `twinwire token --new-key` makes one.",
    )
    token_audience: str = Field(
        "", description="What a token's aud has to name; has to be set if keys are fetched (jwks)."
    )
    token_max_ttl: float = Field(
        86_400.0, ge=1, le=31_536_000, description="Seconds from a token's iat to its exp at most."
    )
    token_without_exp: bool = Field(
        False, description="Accept tokens that never end, for scripts, if they are signed with a secret."
    )

    _split = field_validator("allowed_origins", "hosts", "trusted_hops", mode="before")(_split)
    _grants = field_validator(
        "anonymous_subscribe", "anonymous_publish", "everyone_subscribe", "everyone_publish", mode="before"
    )(_granted)


class AppsSettings(Room):
    """Which applications ride along."""

    apps: CommaSeparated = Field(
        ("projects",), description="Comma-separated applications that are on; none for none of them."
    )
    presence_log: Filters = Field(
        (),
        description="Filters of places where it is written down who came and went, as events on their topics: a JSON"
        " list, or comma-separated.",
    )

    _places = field_validator("presence_log", mode="before")(_places)

    @field_validator("apps", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        names = _split(value)
        return () if names == ("none",) else names


class OperationsSettings(Room):
    """What an operator is told."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="json for machines, console for people; auto looks whether standard error is a terminal."
    )
    traces: bool = Field(
        False,
        description="Make an OpenTelemetry span of each publish: takes the extra otel, and OTEL_* variables say the"
        " rest.",
    )
    timeline: int = Field(
        20_000,
        ge=0,
        le=100_000,
        description="Rounds of the fan-out, and groups that got something in them, that are remembered to tell what"
        " became of an event, about 400 bytes each; 0 for none, and no turns of connections.",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All rooms' settings. `Settings.read` takes single values by their flat names."""

    server: ServerSettings = field(default_factory=ServerSettings)
    log: LogSettings = field(default_factory=LogSettings)
    bus: BusSettings = field(default_factory=BusSettings)
    stream: StreamSettings = field(default_factory=StreamSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    apps: AppsSettings = field(default_factory=AppsSettings)
    operations: OperationsSettings = field(default_factory=OperationsSettings)

    @classmethod
    def read(cls, values: Mapping[str, Any] | None = None) -> "Settings":
        """The environment, beaten by `values` of flat names. Raises ConfigError with everything that is wrong."""
        left = {name: value for name, value in (values or {}).items() if not is_blank(value)}  # as a variable: unset
        rooms: dict[str, BaseSettings] = {}
        wrong: list[str] = []
        for room, kind in settings_rooms():
            mine = {name: left.pop(name) for name in kind.model_fields if name in left}
            try:
                rooms[room] = kind(**mine)
            except ValidationError as error:
                wrong += explain_values(error)
        wrong += [f"there is no setting {name!r}" for name in left]
        if wrong:
            raise ConfigError("; ".join(wrong), field=wrong[0].partition(":")[0])
        return cls(**rooms)  # type: ignore[arg-type]


def settings_rooms() -> Iterator[tuple[str, type[BaseSettings]]]:
    """Each room by its name in `Settings`, in the order in which the documents list them."""
    for one in fields(Settings):
        assert isinstance(one.default_factory, type)
        yield one.name, one.default_factory


def every_setting(*more: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo]]:
    """Every variable's name and what it is: those of all rooms, and of `more`, an application's."""
    for kind in (*(kind for _, kind in settings_rooms()), *more):
        for name, info in kind.model_fields.items():
            yield f"{PREFIX}{name.upper()}", info


def explain_values(error: ValidationError) -> list[str]:
    """A line for each value that is wrong, beginning with its variable."""
    return [f"{PREFIX}{'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}" for problem in error.errors()]
