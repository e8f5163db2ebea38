"""Where a measured service comes from: the working tree, or a commit of it unpacked into a folder of its own.

Only the service is taken from there. Load clients, references and arithmetic are always those of the working tree, so
that two trees are measured with one stick. All that they ask of a tree is `python -m service serve`.
"""

import io
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.native_tools import ToolError
from tests.bench.process import ROOT

_PIP: Final = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install")


@dataclass(frozen=True, slots=True)
class Tree:
    """`root` is the folder that holds `service/`, `python` an interpreter that has what it depends on."""

    root: Path
    python: str


def working_tree() -> Tree:
    return Tree(ROOT, sys.executable)


def commit_of(ref: str) -> str:
    """The short name of the commit that `ref` names. Raises ToolError if it names none."""
    return _run("git", "rev-parse", "--verify", "--short", f"{ref}^{{commit}}").decode().strip()


def unpacked(commit: str, folder: Path) -> Tree:
    """The commit's files below `folder`, which is new. It gets an environment of its own only if it depends on other
    packages: the same environment is the fairer comparison, and this one has both.

    An archive, not a git worktree: a comparison that is killed leaves nothing behind in the repository.
    """
    with tarfile.open(fileobj=io.BytesIO(_run("git", "archive", "--format=tar", commit))) as archive:
        archive.extractall(folder, filter="data")
    if dependencies(folder) == dependencies(ROOT):
        return Tree(folder, sys.executable)
    environment = folder / ".venv"
    _run(sys.executable, "-m", "venv", str(environment))
    python = str(environment / "bin" / "python")
    _run(python, *_PIP, "--editable", f"{folder}[server]")
    return Tree(folder, python)


def dependencies(root: Path) -> list[str]:
    """What the project below `root` needs to run, in order of name."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return sorted([*project["dependencies"], *project.get("optional-dependencies", {}).get("server", ())])


def _run(*command: str) -> bytes:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise ToolError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
