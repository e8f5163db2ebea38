import io

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from twinwire.contrib.django.checks import TAG, check_settings


def test_what_is_wrong_is_told_once() -> None:
    with override_settings(TWINWIRE={"TOKEN_KEYS": "[", "TOKEN_TTL": 1}):
        told = [(error.id, error.msg) for error in check_settings()]
    assert [id for id, _ in told] == ["twinwire.E002", "twinwire.E004", "twinwire.E006"]
    assert told[1][1] == "TWINWIRE['TOKEN_KEYS'] is not JSON"


def test_manage_py_asks() -> None:
    with override_settings(TWINWIRE={}), pytest.raises(SystemCheckError, match=r"twinwire\.E002.*'URL'\] is missing"):
        call_command("check", tags=[TAG])
    with override_settings(TWINWIRE={"URL": "http://127.0.0.1:8000"}):
        call_command("check", tags=[TAG], stdout=io.StringIO())
