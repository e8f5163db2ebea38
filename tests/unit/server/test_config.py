from pathlib import Path

import pytest

from service.core.errors import ConfigError
from service.resources import resource
from service.server.config import load_config


def test_the_packaged_configuration_is_one_that_we_serve_with() -> None:
    config = load_config(resource("hypercorn.toml"))
    assert (config.workers, config.read_timeout, config.max_requests) == (1, None, None)
    assert config.backlog == 2048
    assert config.keep_alive_timeout == 65


def test_its_errors_go_where_ours_go() -> None:
    """A name would give Hypercorn a handler of its own, and every line would be there twice."""
    assert getattr(load_config(resource("hypercorn.toml")).errorlog, "name", None) == "hypercorn.error"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("backlogs = 5", "backlogs"),
        ("Bind = []", "Bind"),
        ("_bind = []", "_bind"),
        ("from_toml = 1", "from_toml"),
        ("workers = 2", "workers"),
        ("workers = 0", "workers"),
        ("read_timeout = 30", "read_timeout"),
        ("max_requests = 1000", "max_requests"),
        ('insecure_bind = ["0.0.0.0:8080"]', "insecure_bind"),
        ('quic_bind = "0.0.0.0:8443"', "quic_bind"),
        ('backlog = "5"', "backlog"),
        ("backlog = true", "backlog"),
        ("backlog = -1", "backlog"),
        ("graceful_timeout = nan", "graceful_timeout"),
        ("include_server_header = 1", "include_server_header"),
        ("ciphers = 1", "ciphers"),
        ('certfile = "a.pem"', "certfile"),
        ('certfile = "a.pem"\nkeyfile = "b.pem"', "certfile"),
    ],
)
def test_a_configuration_that_would_do_harm_is_refused(tmp_path: Path, text: str, field: str) -> None:
    config = tmp_path / "hypercorn.toml"
    config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(config)
    assert caught.value.field == field
    assert str(config) in caught.value.detail


@pytest.mark.parametrize("text", ["backlog = ", "[[", "\x00"])
def test_a_configuration_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    config = tmp_path / "hypercorn.toml"
    config.write_text(text)
    with pytest.raises(ConfigError, match=r"hypercorn\.toml"):
        load_config(config)


def test_a_configuration_in_another_encoding_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "hypercorn.toml"
    config.write_bytes("# für alle".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"hypercorn\.toml"):
        load_config(config)


def test_a_configuration_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml")
