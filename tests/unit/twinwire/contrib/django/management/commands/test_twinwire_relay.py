import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.test import override_settings

from tests.support import django_shop
from tests.support.server import environment
from tests.support.sqlservers import Database

MANAGE = [sys.executable, "-m", "tests.support.django_shop"]
NOBODY = "http://127.0.0.1:9"


def env(shop: Database) -> dict[str, str]:
    return environment({"DATABASE_URL": shop.dsn, "TWINWIRE_URL": NOBODY})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(shop: Database, tmp_path: Path, number: signal.Signals) -> None:
    command = [*MANAGE, "twinwire_relay", "--poll", "0.1", "--hold"]
    with subprocess.Popen(command, cwd=tmp_path, env=env(shop), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "INFO this relay publishes now" in process.stderr.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def call(**options: Any) -> None:
    call_command("twinwire_relay", skip_checks=False, **options)


def test_what_is_missing_is_told(database: Database, tmp_path: Path) -> None:
    with override_settings(TWINWIRE={"URL": NOBODY}):
        with pytest.raises(CommandError, match="DATABASES has no 'other': there are default"):
            call(database="other")
        django_shop.use(database.dsn)
        with pytest.raises(CommandError, match=r"no table twinwire_outbox: manage\.py migrate twinwire"):
            call()
        django_shop.forget()
    with override_settings(TWINWIRE={}), pytest.raises(SystemCheckError, match=r"TWINWIRE\['URL'\] is missing"):
        call()


def test_what_cant_be_asked_for_is_told(shop: Database, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(TWINWIRE={"URL": NOBODY}), pytest.raises(CommandError, match="poll is a number of seconds"):
        call(poll=0.0)
    assert logging.getLogger("twinwire").level == logging.NOTSET


def test_a_database_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path / 'no' / 'shop.db'}"
    lost = {**environment({"DATABASE_URL": dsn, "TWINWIRE_URL": NOBODY})}
    command = [*MANAGE, "twinwire_relay"]
    with subprocess.Popen(command, cwd=tmp_path, env=lost, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "WARNING rows wait, and it is tried again: the database fails" in process.stderr.readline()
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
