"""What is to be had: both distributions as they are built from what is here, and an environment with nothing else."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.needs import need
from tests.support.server import ROOT

Installed = Callable[[str], Path]
"""The folder of the programs of a new environment in which the wheel is, with these extras (`[server]`)."""

BUILT = (
    ".ci/description.py",
    "LICENSE",
    "README.md",
    "hypercorn.toml",
    "migrations",
    "pyproject.toml",
    "service",
    "static",
    "twinwire",
)
"""All that the Dockerfile copies: a build needs nothing else."""


def run(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """What it prints; `env` goes beside what of this environment is not ours. Raises AssertionError, with what it says
    of its failure."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TWINWIRE", "VIRTUAL"))
    }
    done = subprocess.run(command, cwd=cwd, env={**clean, **(env or {})}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*arguments: str | Path, python: str | Path = sys.executable, cwd: Path | None = None) -> str:
    return run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments, cwd=cwd)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that a build needs, without what git does not know of."""
    folder = tmp_path_factory.mktemp("source")
    listed = subprocess.run(["git", "ls-files", "-z", *BUILT], cwd=ROOT, capture_output=True, check=False)
    need("" if listed.returncode == 0 else None, "no git checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without Node from the source distribution, and that from what is here."""
    folder = tmp_path_factory.mktemp("dist")
    try:
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source)
    except AssertionError as error:
        need(None, f"nothing could be built: {error}")
    (found,) = folder.glob("*.whl")
    assert len(list(folder.glob("*.tar.gz"))) == 1
    return found


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    def make(extras: str) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        run(sys.executable, "-m", "venv", folder)
        pip("install", f"{wheel}{extras}", python=folder / "bin" / "python")
        return folder / "bin"

    return make
