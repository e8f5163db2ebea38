"""The native programs: built once a run, started pinned to the clients' core."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.bench.process import CLIENT_CORE, pin

SOURCES: Final = Path(__file__).parent / "native"
PROGRAMS: Final = ("fan", "publish", "floor")
FLAGS: Final = ("-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror")

Options = Mapping[str, str | int | float]
Result = dict[str, Any]
"""The line of JSON that a program prints; the names are those of the C sources."""


class ToolError(Exception):
    """A native program could not be built, or did not do its work."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the built programs."""

    folder: Path

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


def build(folder: Path) -> Tools:
    """Compile into `folder`. Raises ToolError without a C compiler, or with the compiler's words."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ToolError("there is no C compiler (cc): install one, such as Debian's package gcc")
    for name in PROGRAMS:
        command = [compiler, *FLAGS, "-o", str(folder / name), str(SOURCES / f"{name}.c")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"{name}.c: {done.stderr}")
    return Tools(folder)


def _arguments(options: Options, headers: Sequence[str] = ()) -> list[str]:
    return [f"{name}={value}" for name, value in options.items()] + [f"header={header}" for header in headers]


def publish(tools: Tools, options: Options, deadline: float = 300.0) -> Result:
    """Publish, and return what the publisher saw. Raises ToolError if an answer was no success."""
    command = [str(tools["publish"]), *_arguments(options)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=deadline, preexec_fn=pin(CLIENT_CORE)
    )
    if done.returncode:
        raise ToolError(f"publish: {done.stderr}")
    return dict(json.loads(done.stdout))


class Program:
    """One that runs until its work is done, or until it is stopped. `with Program(...) as one: ...; one.result()`."""

    def __init__(self, tools: Tools, name: str, options: Options, headers: Sequence[str] = ()) -> None:
        self._name = name
        self._command = [str(tools[name]), *_arguments(options, headers)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=pin(CLIENT_CORE),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running()
        if process.poll() is None:
            process.kill()
        process.communicate()

    def stop(self) -> None:
        self._running().terminate()

    def result(self) -> Result:
        """Wait for the end. Raises ToolError if the program failed."""
        process = self._running()
        stdout, stderr = process.communicate()
        lines = [line for line in stdout.splitlines() if line != "ready"]
        if process.returncode or not lines:
            raise ToolError(f"{self._name}: exit {process.returncode}: {stderr}")
        return dict(json.loads(lines[-1]))

    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "use it as a context manager"
        return self._process


class Fan(Program):
    """Many connections in one process. `with Fan(...) as fan: fan.wait_ready(); ...; fan.result()`."""

    def __init__(self, tools: Tools, options: Options, headers: Sequence[str] = ()) -> None:
        super().__init__(tools, "fan", options, headers)

    def wait_ready(self) -> None:
        """Until every connection is ready. Raises ToolError if the program ended before."""
        stdout = self._running().stdout
        assert stdout is not None
        line = stdout.readline()
        if line != "ready\n":
            raise ToolError(f"not all connections became ready: {line}")


def fan(tools: Tools, options: Options, headers: Sequence[str] = ()) -> Result:
    """Run one to its end."""
    with Fan(tools, options, headers) as process:
        return process.result()
