"""What commands about the service's own files have in common: the environment, and flags that beat it."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from service.command.flags import of_config, of_database, settings
from service.core.errors import ConfigError


@click.command()
@of_database
@of_config
def shown(database: Path | None, config_file: Path | None) -> None:
    click.echo(f"{settings(database=database).log.database} {config_file}")


def run(*args: str) -> str:
    return CliRunner().invoke(shown, args, catch_exceptions=False).output


def test_a_flag_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWINWIRE_DATABASE", raising=False)
    assert run() == "twinwire.db None\n"
    monkeypatch.setenv("TWINWIRE_DATABASE", "there.db")
    assert run() == "there.db None\n"
    assert run("--database", "here.db", "--config", "c.toml") == "here.db c.toml\n"


def test_what_is_wrong_elsewhere_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_PORT", "http")
    with pytest.raises(ConfigError, match="TWINWIRE_PORT"):
        settings(database="a.db")
