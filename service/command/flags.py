"""What commands have in common that are about the service's own files: its settings, and where they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from service.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def settings(**flags: Any) -> Settings:
    """The environment, overridden by the flags that were given. Raises ConfigError with what is wrong."""
    return Settings.read({name: value for name, value in flags.items() if value is not None})


def of_database(command: F) -> F:
    """`--database`."""
    return click.option("--database", type=click.Path(path_type=Path), help="SQLite file; twinwire.db by default.")(
        command
    )


def of_config(command: F) -> F:
    """`--config`."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        help="Hypercorn's configuration; the packaged hypercorn.toml by default.",
    )(command)
