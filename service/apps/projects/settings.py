"""The example's own knobs, with unit, default and bound."""

from typing import Literal

from pydantic import Field, field_validator

from service.apps.projects.llm.settings import ModelSettings
from service.preview.names import check_below


class ProjectsSettings(ModelSettings):
    """The environment: how agents work, with which model if with one, whether what they wrote is run, and how much
    there may be.
    """

    run_apps: Literal["0", "1", "unconfined"] = Field(
        "0",
        description="Run what agents wrote: 1 shut in by the kernel; unconfined as the service itself.",
    )
    generation_pace: float = Field(0, ge=0, le=60, description="Seconds that each stage of a run takes at least.")
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
    runs_kept: int = Field(
        100,
        ge=1,
        le=10_000,
        description="Finished runs that a project keeps; older ones go, with their logs and files.",
        json_schema_extra={"unit": "runs", "answer": "the oldest go"},
    )
    run_log_max: int = Field(
        8 << 20,
        ge=64 << 10,
        le=64 << 20,
        description="Bytes of output in the log of one command that is reported.",
        json_schema_extra={"unit": "bytes", "answer": "413"},
    )
    run_logs_max: int = Field(
        2 << 30,
        ge=1 << 20,
        description="Bytes of the logs and files of all runs; beyond, the runs that finished first lose theirs.",
        json_schema_extra={"unit": "bytes", "answer": "the oldest go"},
    )
    preview_host: str = Field(
        "",
        description="Name below which applications are opened, each as app-ID.NAME: takes DNS and a certificate for all"
        " below it. On loopback it is app-ID.localhost.",
    )
    preview_idle: float = Field(
        300.0, ge=5, le=86_400, description="Seconds without a look after which an application that is open is stopped."
    )
    preview_apps: int = Field(
        8,
        ge=1,
        le=100,
        description="Applications that are open at a time, half of them one caller's at most.",
        json_schema_extra={"unit": "applications", "answer": "503"},
    )

    _below = field_validator("preview_host")(check_below)
