"""deploy/compose.yaml without an engine: it keeps the specification's schema, and fits the files beside it."""

import re
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from service.settings import Settings, every_setting
from tests.deploy.dockerfile import environment, one, stages
from tests.deploy.fronts import DEPLOY, text

FILE: Final = DEPLOY / "compose.yaml"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = SERVICES["twinwire"]
CADDY: Final = SERVICES["caddy"]


def kept(file: Path) -> bool:
    """Whether it keeps the Compose Specification's schema, which comes with the tool."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def test_it_keeps_the_schema() -> None:
    assert kept(FILE)


@pytest.mark.parametrize(("written", "wrong"), [("read_only:", "readonly:"), ("cap_drop: [ALL]", "cap_drop: ALL")])
def test_the_schema_tells_what_it_does_not_know(tmp_path: Path, written: str, wrong: str) -> None:
    copy = tmp_path / "compose.yaml"
    copy.write_text(text("compose.yaml").replace(written, wrong))
    assert not kept(copy)


@pytest.mark.parametrize("name", SERVICES)
def test_each_has_a_read_only_root_and_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert "ports" not in OURS
    assert CADDY["cap_add"] == ["NET_BIND_SERVICE"]
    assert OURS["networks"] == CADDY["networks"] == ["inside"]


def test_images_are_those_that_everybody_knows() -> None:
    assert CADDY["image"] == "caddy:2"
    assert "/" not in OURS["image"]


def test_settings_exist_and_trust_the_proxys_network(monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, str] = OURS["environment"]
    assert values.keys() <= {name for name, _ in every_setting()}
    for name, value in values.items():
        monkeypatch.setenv(name, re.sub(r"\$\{SITE:-(.*)\}", r"\1", value))
    (subnet,) = (one["subnet"] for one in COMPOSE["networks"]["inside"]["ipam"]["config"])
    access = Settings.read().access
    assert (access.trusted_hops, access.hosts) == ((ip_network(subnet),), ("localhost",))
    (secret,) = OURS["secrets"]
    assert access.token_keys.get_secret_value() == f"/run/secrets/{secret}"
    assert COMPOSE["secrets"].keys() == {secret}


def test_it_fits_the_image() -> None:
    last = stages()[-1]
    assert (FILE.parent / OURS["build"]["context"] / OURS["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert OURS["volumes"] == [f"events:{one(last, 'VOLUME').value}"]
    assert CADDY["environment"]["UPSTREAM"] == f"twinwire:{one(last, 'EXPOSE').value}"
    assert not environment(last).keys() & OURS["environment"].keys(), "what is said twice will differ"


def test_it_waits_longer_than_a_stop_takes() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", text("twinwire.service"), re.MULTILINE)
    assert OURS["stop_grace_period"] == f"{seconds}s"


def test_caddys_file_gets_all_that_it_asks_for() -> None:
    assert set(re.findall(r"\{\$(\w+)", text("Caddyfile"))) == CADDY["environment"].keys()
    mounted = [volume.split(":") for volume in CADDY["volumes"]]
    assert ["./Caddyfile", "/etc/caddy/Caddyfile", "ro"] in mounted
    assert {source for source, *_ in mounted if not source.startswith(".")} <= COMPOSE["volumes"].keys()
