"""As much of a Dockerfile as ours has: stages, their instructions, and a folder in which they are carried out.

No image is built: no engine is asked for. Paths of the image are those below a folder of this machine, and what a
stage runs is run there, as whoever runs the tests.
"""

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.deploy.fronts import DEPLOY
from tests.support.server import ROOT

FILE: Final = DEPLOY / "Dockerfile"
OURS: Final = ("/src", "/opt/twinwire", "/state", "/var/lib/twinwire")
"""Paths that the file makes; all others are the base image's."""
RUN_DEADLINE: Final = 300.0
"""Seconds that a RUN may take: it installs from a registry."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """`flags` are what stands before the value, `--from` and its like."""

    name: str
    value: str
    flags: dict[str, str]

    @property
    def words(self) -> list[str]:
        """The exec form, which is JSON, or words as a shell has them."""
        return list(json.loads(self.value)) if self.value.startswith("[") else shlex.split(self.value)


def parse(text: str) -> list[Instruction]:
    """The instructions in their order; comments are gone, lines that go on are joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = []
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            flags = re.match(r"(?: *--[\w-]+=\S+)*", rest)
            assert flags is not None
            values = dict(flag.removeprefix("--").split("=", 1) for flag in flags[0].split())
            found.append(Instruction(name.upper(), rest[flags.end() :].strip(), values))
    return found


def stages() -> list[list[Instruction]]:
    """Each from its FROM on."""
    found: list[list[Instruction]] = []
    for one in parse(FILE.read_text("utf-8")):
        if one.name == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def one(stage: Sequence[Instruction], name: str) -> Instruction:
    """The only instruction of this name."""
    (found,) = (each for each in stage if each.name == name)
    return found


def environment(stage: Sequence[Instruction]) -> dict[str, str]:
    return dict(pair.split("=", 1) for each in stage if each.name == "ENV" for pair in each.words)


def interpreter() -> str:
    """A Python that every user of this machine may run: that of the tests, or the distribution's."""
    for found in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin") or ""):
        real = Path(found).resolve()
        if found and all(folder.stat().st_mode & stat.S_IXOTH for folder in (real, *real.parents)):
            return found
    return sys.executable


class Built:
    """What the instructions have made: the last stage's paths are below `image`.

    Each stage is made in the same place, then set aside: in an image, too, what is copied from one to the next has the
    same path in both.
    """

    def __init__(self, root: Path) -> None:
        self.image = root / "image"
        self._python = interpreter()
        self._made: dict[str, Path] = {}
        *before, self.stage = stages()
        for number, stage in enumerate(before):
            self._carry_out(stage)
            name = stage[0].value.partition(" AS ")[2]
            self._made[name] = self.image.rename(root / f"stage{number}")
        self._carry_out(self.stage)

    def path(self, text: str) -> str:
        """A command's word or a variable's value, with the image's paths where they are here."""
        for ours in OURS:
            text = re.sub(rf"(?<![\w./]){re.escape(ours)}(?=[/:]|$)", str(self.image / ours[1:]), text)
        return text

    def environment(self) -> dict[str, str]:
        """What a process in it sees, and nothing of ours but where programs are."""
        values = {name: self.path(value) for name, value in environment(self.stage).items()}
        return {**values, "PATH": values["PATH"].replace("$PATH", os.environ.get("PATH", os.defpath))}

    def files(self, *, without: str) -> dict[str, tuple[int, int]]:
        """All files with their size and time, but for those below a path of the image."""
        left_out = Path(self.path(without))
        found = (path for path in self.image.rglob("*") if left_out not in (path, *path.parents))
        return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in found}

    def _carry_out(self, stage: Sequence[Instruction]) -> None:
        self.image.mkdir()
        workdir = self.image
        for each in stage:
            if each.name == "WORKDIR":
                workdir = Path(self.path(each.value))
                workdir.mkdir(parents=True, exist_ok=True)
            elif each.name == "COPY":
                self._copy(each, workdir)
            elif each.name == "RUN":
                self._run(each, workdir)

    def _copy(self, each: Instruction, workdir: Path) -> None:
        *sources, target = each.words
        made = self._made.get(each.flags.get("from", ""))
        to = Path(self.path(target)) if target.startswith("/") else workdir / target
        for source in sources:
            found = (made or ROOT) / source.lstrip("/")
            if found.is_dir():
                ignored = None if made else shutil.ignore_patterns("__pycache__")  # as Dockerfile.dockerignore
                shutil.copytree(found, to, symlinks=True, dirs_exist_ok=True, ignore=ignored)
            else:
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, to)
        if "chown" in each.flags and os.geteuid() == 0:
            user, group = map(int, each.flags["chown"].split(":"))
            for path in (to, *to.rglob("*")):
                os.chown(path, user, group)

    def _run(self, each: Instruction, workdir: Path) -> None:
        command = [self._python if word == "python" else self.path(word) for word in each.words]
        done = subprocess.run(command, cwd=workdir, capture_output=True, text=True, timeout=RUN_DEADLINE, check=False)
        assert done.returncode == 0, f"{each.value}\n{done.stdout}{done.stderr}"
