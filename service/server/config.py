"""Hypercorn's configuration, read so that what would do harm or nothing is said."""

import logging
import tomllib
from pathlib import Path
from typing import Any

from hypercorn.config import Config

from service.core.errors import ConfigError


def load_config(path: Path) -> Config:
    """Hypercorn's configuration from TOML. Raises ConfigError for unknown keys, which Hypercorn would ignore."""
    try:
        with path.open("rb") as file:
            values: dict[str, Any] = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    attributes = {name for name in dir(Config) if not callable(getattr(Config, name))} | set(Config.__annotations__)
    unknown = sorted(set(values) - {name for name in attributes if not name.startswith("_")})
    if unknown:
        raise ConfigError(f"{path}: unknown key {', '.join(unknown)}", field=unknown[0])
    if values.get("workers", 1) != 1:
        raise ConfigError(
            f"{path}: workers is {values['workers']}, but the embedded database belongs to one process: use 1",
            field="workers",
        )
    for harmful in ("read_timeout", "max_requests"):
        if values.get(harmful) is not None:
            raise ConfigError(f"{path}: {harmful} would cut streams: leave it out", field=harmful)
    for beside in ("insecure_bind", "quic_bind"):
        if values.get(beside):
            raise ConfigError(
                f"{path}: {beside} would listen beside TWINWIRE_HOST, whoever may come there: leave it out",
                field=beside,
            )
    config = Config.from_mapping(values)
    config.errorlog = logging.getLogger("hypercorn.error")  # not a handler of its own beside ours
    return config
