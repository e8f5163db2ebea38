"""The example's own knobs, with unit, default and bound."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProjectsSettings(BaseSettings):
    """The environment, `TWINWIRE_GENERATION_*`, and how much there may be."""

    model_config = SettingsConfigDict(
        env_prefix="TWINWIRE_", env_ignore_empty=True, frozen=True, extra="ignore", allow_inf_nan=False
    )

    generation_pace: float = Field(0.5, ge=0, le=60, description="Seconds that each stage of a run takes at least.")
    generation_concurrency: int = Field(4, ge=1, le=64, description="Runs at a time; more are queued.")
    max_projects: int = Field(
        100_000,
        ge=1,
        description="Projects at most, a topic and a name in memory each.",
        json_schema_extra={"unit": "projects", "answer": "503"},
    )
    max_runs: int = Field(
        1_000,
        ge=1,
        description="Runs that work or wait at a time.",
        json_schema_extra={"unit": "runs", "answer": "503"},
    )
