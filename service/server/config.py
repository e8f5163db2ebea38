"""Hypercorn's configuration, read so that what would do harm or nothing is said."""

import logging
import math
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
    except (OSError, ValueError, RecursionError) as error:  # no TOML, or no UTF-8
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
    for name, value in values.items():
        if not _is_like(value, getattr(Config, name, None)):
            raise ConfigError(f"{path}: {name} can't be {value!r}", field=name)
    config = Config.from_mapping(values)
    _check_tls(path, config)
    config.errorlog = logging.getLogger("hypercorn.error")  # not a handler of its own beside ours
    return config


def _is_like(value: Any, usual: Any) -> bool:
    """Whether a value is of the kind that Hypercorn has by default, where that tells one."""
    if isinstance(usual, bool):
        return isinstance(value, bool)
    if isinstance(usual, int | float):
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    return not isinstance(usual, str) or isinstance(value, str)


def _check_tls(path: Path, config: Config) -> None:
    """Raises ConfigError for a certificate or a key that can't be used: Hypercorn would find out once it serves."""
    if (config.certfile is None) != (config.keyfile is None):
        raise ConfigError(f"{path}: certfile and keyfile go together", field="certfile")
    if config.ssl_enabled:
        try:
            config.create_ssl_context()
        except (OSError, ValueError, TypeError) as error:
            files = f"{config.certfile!r} and {config.keyfile!r}"
            raise ConfigError(f"{path}: TLS can't be had with {files}: {error}", field="certfile") from error
