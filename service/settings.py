"""Every knob, with its unit, default and bound. Flags of the command beat the environment."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.core.errors import InvalidError
from service.core.limits import DATA_MAX, REQUEST_MAX
from service.core.topics import TopicFilter


class RetentionPolicy(BaseModel):
    """What to keep of the topics that match; a bound left out does not bind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: str = Field("**", description="Topic filter; the first policy that matches a topic decides for it.")
    max_age: float | None = Field(None, gt=0, description="Seconds.")
    max_count: int | None = Field(None, ge=0, description="Events of each topic.")
    max_bytes: int | None = Field(None, ge=0, description="Bytes of data of each topic.")

    @field_validator("topics")
    @classmethod
    def _is_a_filter(cls, text: str) -> str:
        try:
            TopicFilter((text,))
        except InvalidError as error:
            raise ValueError(error.detail) from error
        return text

    @property
    def filter(self) -> TopicFilter:
        return TopicFilter((self.topics,))


class Settings(BaseSettings):
    """The environment, `TWINWIRE_*`."""

    model_config = SettingsConfigDict(env_prefix="TWINWIRE_", frozen=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 for all of them.")
    port: int = Field(8000, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    database: Path = Field(Path("twinwire.db"), description="SQLite file; created and migrated at start.")
    durability: Literal["full", "normal"] = Field(
        "full",
        description="full: an acknowledged event survives power loss. normal: the last commits may not.",
    )
    retention: tuple[RetentionPolicy, ...] = Field(
        (), description='JSON list of {"topics", "max_age" s, "max_count", "max_bytes"}; empty keeps everything.'
    )
    retention_interval: float = Field(60.0, gt=0, description="Seconds between two passes of retention.")
    data_max: int = Field(
        DATA_MAX, ge=1024, le=REQUEST_MAX // 2, description="Bytes of one event's encoded data at most."
    )
    tail_events: int = Field(10_000, ge=1, description="Events kept in memory for those who are just behind.")
    tail_bytes: int = Field(32 << 20, ge=1 << 20, description="Bytes of memory for the same.")
    heartbeat: float = Field(20.0, ge=0.5, le=120, description="Seconds of silence after which a heartbeat is sent.")
    send_timeout: float = Field(30.0, ge=1, le=600, description="Seconds without progress until a peer is given up.")
    max_streams: int = Field(0, ge=0, description="Open streams at most; 0 for no bound but the machine's.")
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma-separated web origins whose pages may connect besides our own; * for all."
    )
    direct: bool = Field(True, description="Write frames straight to the transport where the server allows it.")
    loop: Literal["auto", "uvloop", "asyncio"] = Field("auto", description="Event loop; auto takes uvloop if it can.")
    grace: float = Field(10.0, ge=0, le=300, description="Seconds that a stop may take.")
    generation_pace: float = Field(0.5, ge=0, le=60, description="Seconds that each stage of a run takes at least.")
    generation_concurrency: int = Field(4, ge=1, le=64, description="Runs at a time; more are queued.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="json for machines, console for people; auto looks whether standard error is a terminal."
    )

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
