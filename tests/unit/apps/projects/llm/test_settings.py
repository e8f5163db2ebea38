"""The variables of a model: what is refused by name, and that the key is nowhere shown."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from service.apps.projects.llm.settings import ModelSettings
from service.apps.projects.settings import ProjectsSettings
from service.core.errors import ConfigError
from service.named import named_apps
from tests.support.server import ROOT
from tests.support.standin import KEY

pytestmark = pytest.mark.usefixtures("clean_environment")


def test_without_an_endpoint_no_http_client_is_imported() -> None:
    """Each start of a service would wait for it."""
    program = "import sys, service.assembly; print('httpx2' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], cwd=ROOT) == b"False\n"


def test_without_an_endpoint_there_is_no_model() -> None:
    assert (ModelSettings().llm_url, ModelSettings().llm_key.get_secret_value()) == ("", "")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (" http://127.0.0.1:11434/v1/ ", "http://127.0.0.1:11434/v1"),
        ("https://models.example.org", "https://models.example.org"),
        ("https://models.example.org/v1/chat/completions/", "https://models.example.org/v1"),
    ],
)
def test_a_base_is_taken_as_it_is_mostly_written(text: str, url: str) -> None:
    assert ModelSettings(llm_url=text, llm_model="m").llm_url == url


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"llm_url": "localhost:11434"}, "llm_url"),
        ({"llm_url": "http://"}, "llm_url"),
        ({"llm_url": "http://[::1"}, "llm_url"),
        ({"llm_url": "http://a:99999/"}, "llm_url"),
        ({"llm_url": f"http://me:{KEY.replace('/', '-')}@a/v1"}, "llm_url"),
        ({"llm_url": "http://a/v1?key=1"}, "llm_url"),
        ({"llm_url": "http://a/v1 b"}, "llm_url"),
        ({"llm_url": "http://a/v1"}, "llm_model"),
        ({"llm_model": "a\nb"}, "llm_model"),
        ({"llm_key": "short"}, "llm_key"),
        ({"llm_key": "with a blank"}, "llm_key"),
        ({"llm_key": "x" * 513}, "llm_key"),
        ({"llm_tokens_max": 999}, "llm_tokens_max"),
        ({"llm_seconds_max": 0.9}, "llm_seconds_max"),
        ({"llm_answer_tokens": 255}, "llm_answer_tokens"),
        ({"llm_silence": 0.05}, "llm_silence"),
    ],
)
def test_what_can_not_be_is_refused_by_name(values: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSettings(**{"llm_model": "m", **values} if name != "llm_model" else values)
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]
    assert not any(str(value) in str(caught.value) for value in values.values() if len(str(value)) > 6)


def test_a_key_is_nowhere_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("URL", "http://a/v1"), ("MODEL", "m"), ("KEY", f" {KEY} ")):
        monkeypatch.setenv(f"TWINWIRE_LLM_{name}", value)
    settings = ProjectsSettings()
    assert settings.llm_key.get_secret_value() == KEY
    assert KEY not in f"{settings} {settings!r} {settings.model_dump_json()}"
    monkeypatch.setenv("TWINWIRE_LLM_URL", KEY)  # in the wrong place
    monkeypatch.setenv("TWINWIRE_LLM_KEY", f"{KEY} {KEY}")
    with pytest.raises(ConfigError) as caught:
        named_apps(["projects"])
    assert "TWINWIRE_LLM_URL" in caught.value.detail
    assert KEY not in caught.value.detail
