"""Settings from the environment: defaults of docs/protocol.md, section 8, bounds, and errors that name the variable."""

from contextlib import suppress
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.apps.projects.settings import ProjectsSettings
from service.core.errors import ConfigError
from service.settings import RetentionPolicy, Settings, every_setting

pytestmark = pytest.mark.usefixtures("clean_environment")


def setting(settings: Settings, name: str) -> Any:
    """One setting by its flat name, in whichever room it is."""
    (room,) = (one for one in vars_of(settings) if hasattr(one, name))
    return getattr(room, name)


def vars_of(settings: Settings) -> list[Any]:
    return [getattr(settings, one.name) for one in fields(settings)]


def test_the_defaults_are_the_ones_that_the_contract_promises() -> None:
    settings = Settings.read()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8000)
    assert (settings.log.database, settings.log.durability, settings.log.retention) == (Path("twinwire.db"), "full", ())
    assert (settings.limits.data_max, settings.stream.direct, settings.apps.apps) == (64 * 1024, True, ("projects",))
    assert (ProjectsSettings().generation_pace, ProjectsSettings().run_apps) == (0, "0")


def test_every_field_can_be_set_and_says_what_it_is() -> None:
    for name, field in every_setting(ProjectsSettings):
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
        ("drain_delay", "300", 300.0),
        ("allowed_origins", "https://a.example, https://b.example,", ("https://a.example", "https://b.example")),
        ("allowed_origins", "*", ("*",)),
        ("allowed_origins", "", ()),
        ("retention", "[]", ()),
        ("everyone_subscribe", "users/{sub}/**, open", ("users/{sub}/**", "open")),
        ("anonymous_publish", '["a", "b/*"]', ("a", "b/*")),
        ("apps", "none", ()),
        ("token_audience", " us ", "us"),
        ("token_max_ttl", "3600", 3600.0),
        ("token_without_exp", "1", True),
        ("apps", " projects, votes ", ("projects", "votes")),
    ],
)
def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any) -> None:
    monkeypatch.setenv(f"TWINWIRE_{name.upper()}", text)
    assert setting(Settings.read(), name) == value


def test_retention_is_a_list_of_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_RETENTION", '[{"topics":"logs/**","max_age":3600},{"max_count":0,"max_bytes":10}]')
    first, second = Settings.read().log.retention
    assert (first.topics, first.max_age, first.filter.patterns) == ("logs/**", 3600, ("logs/**",))
    assert (second.topics, second.max_count, second.max_bytes) == ("**", 0, 10)
    assert (first.keep, second.keep) == (None, None)


def test_a_policy_may_keep_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_RETENTION", '[{"topics":"a/*","keep":"state","max_age":60}]')
    (policy,) = Settings.read().log.retention
    assert (policy.keep, policy.max_age) == ("state", 60)


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
        ("drain_delay", "-0.1"),
        ("drain_delay", "301"),
        ("loop", "trio"),
        ("log_level", "trace"),
        ("direct", "maybe"),
        ("token_max_ttl", "0.9"),
        ("token_max_ttl", "31536001"),
        ("token_without_exp", "maybe"),
        ("retention", '[{"topics":"a//b"}]'),
        ("retention", '[{"topics":"twinwire/**"}]'),
        ("anonymous_subscribe", "a//b"),
        ("everyone_publish", '["a", 1]'),
        ("everyone_subscribe", '{"a": 1}'),
        ("presence_log", "a//b"),
        ("presence_log", "projects/{sub}"),
        ("presence_log", "twinwire/**"),
        ("presence_log", '{"a": 1}'),
        ("retention", '[{"max_age":0}]'),
        ("retention", '[{"max_count":-1}]'),
        ("retention", '[{"keep":"all"}]'),
        ("tombstones", "0"),
        ("retention", '[{"max_hours":1}]'),
        ("retention", '[{"max_age":1e400}]'),
        ("retention", '[{"max_age":Infinity}]'),
        ("retention_interval", "inf"),
        ("forget_after", "-1"),
        ("forget_after", "inf"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"TWINWIRE_{name.upper()}", text)
    with pytest.raises(ConfigError) as caught:
        Settings.read()
    variable = f"TWINWIRE_{name.upper()}"
    assert (caught.value.field or "").startswith(variable)
    assert all(part.startswith(variable) for part in caught.value.detail.split("; "))


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_PORT", "http")
    monkeypatch.setenv("TWINWIRE_HEARTBEAT", "never")
    with pytest.raises(ConfigError) as caught:
        Settings.read({"tail_events": 0, "colour": "blue"})
    for name in ("TWINWIRE_PORT", "TWINWIRE_HEARTBEAT", "TWINWIRE_TAIL_EVENTS", "'colour'"):
        assert name in caught.value.detail


def test_an_applications_values_have_bounds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_GENERATION_CONCURRENCY", "0")
    with pytest.raises(ValidationError, match="generation_concurrency"):
        ProjectsSettings()


def test_text_that_is_not_json_where_json_is_needed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_RETENTION", "[{")
    with pytest.raises(ConfigError, match=r"TWINWIRE_RETENTION: .* is not JSON"):
        Settings.read()


@pytest.mark.parametrize("name", [name for name, _ in every_setting()])
def test_no_text_makes_a_variable_more_than_wrong(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """However deep it is: a decoder gives up with a RecursionError, which is no ValueError."""
    monkeypatch.setenv(name, "[" * 100_000)
    with suppress(ConfigError):  # some take any text
        Settings.read()


def test_keys_are_nowhere_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_TOKEN_KEYS", " sEcReT ")
    settings = Settings.read()
    assert settings.access.token_keys.get_secret_value() == "sEcReT"
    assert "sEcReT" not in f"{settings} {settings!r} {settings.access} {settings.access.model_dump_json()}"
    with pytest.raises(ConfigError) as caught:
        Settings.read({"token_max_ttl": 0})
    assert "sEcReT" not in caught.value.detail


def test_settings_and_policies_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings.read().server = None  # type: ignore[misc, assignment]
    with pytest.raises(ValidationError):
        Settings.read().server.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        RetentionPolicy().topics = "a"  # type: ignore[misc]


def test_another_programs_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINWIRE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PORT", "1")
    assert Settings.read().server.port == 8000


@pytest.mark.parametrize("blank", ["", " ", "\r", "\t \r\n"])
def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    """`TWINWIRE_HOST=` listened on all addresses, without a word; so did one of nothing but a carriage return."""
    usual = Settings.read()
    for name, _ in every_setting():
        monkeypatch.setenv(name, blank)
    assert Settings.read() == usual
    assert Settings.read({"host": blank, "database": blank}) == usual


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("log_level", "INFO", "info"),
        ("log_level", "Warning\r", "warning"),
        ("durability", " FULL ", "full"),
        ("host", "127.0.0.1\r", "127.0.0.1"),
        ("database", "log.db\r\n", Path("log.db")),
        ("database", "a #?% b.db", Path("a #?% b.db")),
    ],
)
def test_what_an_editor_or_a_shell_leaves_behind_does_not_count(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"TWINWIRE_{name.upper()}", text)
    assert setting(Settings.read(), name) == value


@pytest.mark.parametrize("path", [":memory:", "file:a.db", ".", "/", "a\x1bb", "a\x85b"])
def test_a_database_is_the_path_of_a_file(path: str) -> None:
    with pytest.raises(ConfigError, match="TWINWIRE_DATABASE"):
        Settings.read({"database": path})
