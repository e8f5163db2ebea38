"""`twinwire relay`: what it prints, and what it can't begin with; tests/python/test_outbox.py has it at work."""

import click
import pytest
from click.testing import CliRunner, Result

from twinwire import InvalidError, outbox
from twinwire.command.relay import relay


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(relay, args, env={"DATABASE_URL": "", **env})


def test_the_statements_are_printed() -> None:
    assert run("--sql", "postgresql").output == outbox.schema("postgresql")


def test_without_a_database_it_says_how_to_name_one() -> None:
    refused = run()
    assert refused.exit_code == click.UsageError.exit_code
    assert "no database: --dsn, or DATABASE_URL" in refused.output
    assert run("--dsn", "sqlite:///x.db", "--poll", "0").exit_code == click.UsageError.exit_code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dsn", "oracle://u:secret@h/d"), "'oracle' is none of sqlite, postgresql, mysql"),
        (("--dsn", "sqlite:///x.db", "--url", "ftp://x"), "'ftp://x' is not an http or https URL"),
        (("--dsn", "sqlite:///x.db", "--token-file", "none"), "the token's file 'none' can't be read"),
    ],
)
def test_what_it_cant_begin_with(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidError, match=said) as caught:
        raise run(*arguments).exception or AssertionError
    assert "secret" not in str(caught.value)


def test_the_variable_of_most_applications_counts() -> None:
    with pytest.raises(InvalidError, match="'oracle'"):
        raise run(DATABASE_URL="oracle://x").exception or AssertionError
