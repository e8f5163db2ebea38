"""Settings from the environment: defaults of docs/protocol.md, section 8, bounds, and errors that name the variable."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.settings import RetentionPolicy, Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("TWINWIRE_"):
            monkeypatch.delenv(name)


def test_the_defaults_are_the_ones_that_the_contract_promises() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.database) == ("127.0.0.1", 8000, Path("twinwire.db"))
    assert (settings.durability, settings.data_max, settings.direct) == ("full", 64 * 1024, True)
    assert settings.generation_pace == 0.5
    assert settings.retention == ()


def test_every_field_can_be_set_and_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.strip().endswith("."), f"{name} is described in one sentence"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("host", "0.0.0.0", "0.0.0.0"),
        ("port", "0", 0),
        ("database", "/tmp/x.db", Path("/tmp/x.db")),
        ("durability", "normal", "normal"),
        ("direct", "0", False),
        ("loop", "asyncio", "asyncio"),
        ("heartbeat", "0.5", 0.5),
        ("send_timeout", "600", 600.0),
        ("max_streams", "5000", 5000),
        ("allowed_origins", "https://a.example, https://b.example,", ("https://a.example", "https://b.example")),
        ("allowed_origins", "*", ("*",)),
        ("allowed_origins", "", ()),
        ("retention", "[]", ()),
        ("generation_pace", "0", 0.0),
    ],
)
def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any) -> None:
    monkeypatch.setenv(f"TWINWIRE_{name.upper()}", text)
    assert getattr(Settings(), name) == value


def test_retention_is_a_list_of_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_RETENTION", '[{"topics":"logs/**","max_age":3600},{"max_count":0,"max_bytes":10}]')
    first, second = Settings().retention
    assert (first.topics, first.max_age, first.filter.patterns) == ("logs/**", 3600, ("logs/**",))
    assert (second.topics, second.max_count, second.max_bytes) == ("**", 0, 10)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "-1"),
        ("port", "65536"),
        ("port", "http"),
        ("durability", "off"),
        ("data_max", "1023"),
        ("data_max", str(4 * 1024 * 1024 + 1)),
        ("heartbeat", "0.4"),
        ("heartbeat", "121"),
        ("heartbeat", "nan"),
        ("send_timeout", "0"),
        ("send_timeout", "inf"),
        ("tail_events", "0"),
        ("tail_bytes", "1000"),
        ("max_streams", "-1"),
        ("grace", "301"),
        ("loop", "trio"),
        ("log_level", "trace"),
        ("direct", "maybe"),
        ("retention", '[{"topics":"a//b"}]'),
        ("retention", '[{"max_age":0}]'),
        ("retention", '[{"max_count":-1}]'),
        ("retention", '[{"max_hours":1}]'),
        ("generation_concurrency", "0"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"TWINWIRE_{name.upper()}", text)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert {error["loc"][0] for error in caught.value.errors()} == {name}


def test_text_that_is_not_json_where_json_is_needed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_RETENTION", "[{")
    with pytest.raises(ValueError, match="retention"):
        Settings()


def test_settings_and_policies_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        RetentionPolicy().topics = "a"  # type: ignore[misc]


def test_another_programs_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PORT", "1")
    assert Settings().port == 8000
