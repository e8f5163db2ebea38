"""deploy/Dockerfile without an engine: linted, and what it runs is run, in a folder that stands for the image."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from service.settings import every_setting
from tests.deploy.dockerfile import FILE, Built, environment, one, parse, stages
from tests.deploy.fronts import DEPLOY
from tests.support.bearers import KEYS, bearer, token
from tests.support.http import request
from tests.support.server import HOST, ROOT, START_DEADLINE, STOP_DEADLINE, URL, free_port

STATE: Final = "/var/lib/twinwire"
"""The one place that is written to."""
IMAGE: Final = re.compile(r"python:3\.(\d+)-slim")


def linted(file: Path) -> tuple[int, str]:
    """Status and findings of hadolint, which is a development dependency.

    DL3059 would have one RUN, for fewer layers: those of the first stage are thrown away, and kept apart can be cached.
    """
    command = [str(Path(sys.executable).parent / "hadolint"), "--no-color", "--ignore", "DL3059", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_the_linter_finds_nothing() -> None:
    assert linted(FILE) == (0, "")


def test_the_linter_finds_what_is_wrong(tmp_path: Path) -> None:
    copy = tmp_path / "Dockerfile"
    copy.write_text(FILE.read_text().replace('CMD ["twinwire", "serve"]', "CMD twinwire serve"))
    status, found = linted(copy)
    assert status == 1
    assert "DL3025" in found


def test_instructions_are_understood() -> None:
    text = (
        '# no\nFROM a AS b\nCOPY --from=b --chown=1:2 x \\\n    y\nRUN pip install --no-cache-dir .\nCMD ["a", "b c"]\n'
    )
    start, copy, run, command = parse(text)
    assert (start.name, start.value) == ("FROM", "a AS b")
    assert (copy.words, copy.flags) == (["x", "y"], {"from": "b", "chown": "1:2"})
    assert (run.words, run.flags) == (["pip", "install", "--no-cache-dir", "."], {})
    assert command.words == ["a", "b c"]


def test_it_is_slim_and_on_a_python_that_is_supported() -> None:
    minors = re.findall(r"Python :: 3\.(\d+)", (ROOT / "pyproject.toml").read_text())
    for stage in stages():
        found = IMAGE.match(stage[0].value)
        assert found is not None, "no registry's host, no variant but slim"
        assert found[1] in minors
    assert not [each for each in stages()[-1] if each.name in ("RUN", "ADD")], "nothing is built where it runs"


def test_it_runs_as_nobody_in_particular_and_writes_in_one_place() -> None:
    last = stages()[-1]
    user, group = map(int, one(last, "USER").value.split(":"))
    assert min(user, group) >= 10_000, "beyond the users of the machine that runs it"
    assert one(last, "VOLUME").value == STATE
    names = {name for name, _ in every_setting()}
    values = {name: value for name, value in environment(last).items() if name.startswith("TWINWIRE_")}
    assert values.keys() <= names
    assert Path(values["TWINWIRE_DATABASE"]).parent == Path(STATE)


def test_what_it_copies_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for stage in stages()
        for each in stage
        if each.name == "COPY" and "from" not in each.flags
        for source in each.words[:-1]
    }
    assert copied == sent


# What it runs


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    """In a folder that other users can reach, as those of pytest can't be."""
    with tempfile.TemporaryDirectory(prefix="twinwire-image-") as folder:
        Path(folder).chmod(0o755)
        yield Built(Path(folder))


def test_the_image_has_every_file_that_the_service_needs(built: Built) -> None:
    (data,) = built.image.rglob("service/_data")
    for name in ("migrations", "static"):
        kept = {path.relative_to(ROOT / name) for path in (ROOT / name).rglob("*") if path.is_file()}
        assert {path.relative_to(data / name) for path in (data / name).rglob("*") if path.is_file()} == kept
    assert (data / "hypercorn.toml").read_text() == (ROOT / "hypercorn.toml").read_text()
    modules = {path.relative_to(ROOT) for path in (ROOT / "service").rglob("*.py") if "_data" not in path.parts}
    assert {one for one in modules if not (data.parents[1] / one).is_file()} == set()


class Container:
    """CMD of the image, as its user where the tests may change theirs."""

    def __init__(self, built: Built, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._built = built
        self.env = {**built.environment(), "TWINWIRE_PORT": str(self.port), **env}
        self._process = self._spawn(one(built.stage, "CMD").words)

    def _spawn(self, words: list[str]) -> subprocess.Popen[str]:
        user, group = map(int, one(self._built.stage, "USER").value.split(":"))
        other: Mapping[str, Any] = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.Popen(
            ["env", *words],  # looks for the program where the image's PATH says
            cwd=self._built.path(one(self._built.stage, "WORKDIR").value),
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **other,
        )

    def ready(self) -> None:
        """Returns once the line with the URL is there."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert URL.search(line), self.end()

    def is_healthy(self) -> bool:
        """What HEALTHCHECK says."""
        command = one(self._built.stage, "HEALTHCHECK").value.removeprefix("CMD ")
        (check,) = parse(f"CMD {command.replace(':8000', f':{self.port}')}")
        return self._spawn(check.words).wait(START_DEADLINE) == 0

    def end(self) -> tuple[int, str]:
        """Its status and what it said, once it has ended by itself."""
        _, said = self._process.communicate(timeout=STOP_DEADLINE)
        return self._process.returncode, said

    def stop(self) -> tuple[int, str]:
        self._process.send_signal(signal.Signals[one(self._built.stage, "STOPSIGNAL").value])
        return self.end()

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


async def test_its_command_serves_and_writes_nowhere_else(built: Built) -> None:
    mine = bearer(token("ada", subscribe=["a"], publish=["a"]))
    before = built.files(without=STATE)
    with Container(built, TWINWIRE_TOKEN_KEYS=KEYS) as container:
        container.ready()
        assert container.is_healthy()
        for path in ("/", "/login", "/client/index.js", "/api/ready"):
            assert (await request(container.url, "GET", path)).status == 200, path
        draft = {"topic": "a", "type": "log", "data": 1}
        assert (await request(container.url, "POST", "/api/events", headers=mine, json_body=draft)).status == 201
        assert container.stop()[0] == 0
        assert not container.is_healthy()
    assert (Path(built.path(STATE)) / "twinwire.db").is_file()
    assert built.files(without=STATE) == before


def test_its_command_refuses_to_be_open_by_mistake(built: Built) -> None:
    """It listens on every address, as it has to in a container; without keys it does not start."""
    with Container(built) as container:
        status, said = container.end()
    assert status == 1
    assert "TWINWIRE_TOKEN_KEYS" in said
