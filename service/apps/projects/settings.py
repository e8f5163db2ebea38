"""The example's own knobs, with unit, default and bound."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProjectsSettings(BaseSettings):
    """The environment, `TWINWIRE_GENERATION_*`."""

    model_config = SettingsConfigDict(
        env_prefix="TWINWIRE_", env_ignore_empty=True, frozen=True, extra="ignore", allow_inf_nan=False
    )

    generation_pace: float = Field(0.5, ge=0, le=60, description="Seconds that each stage of a run takes at least.")
    generation_concurrency: int = Field(4, ge=1, le=64, description="Runs at a time; more are queued.")
