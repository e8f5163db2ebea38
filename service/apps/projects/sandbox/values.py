"""What is said of a run in the sandbox, before and after it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

MIB = 1024 * 1024

Reason = Literal["time", "memory", "output", "folder"]
"""Which limit ended a program: wall or processor time, memory in all, what it put out, what it wrote in all."""


class Mode(StrEnum):
    """`TWINWIRE_RUN_APPS`."""

    OFF = "0"
    CONFINED = "1"
    UNCONFINED = "unconfined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may have. Times are seconds, sizes bytes.

    `seconds` is from its start to its end, `cpu_seconds` of the processor by all its processes together; `memory` is
    theirs together, and the address space of each; `processes` counts threads too; `files` is one file, `folder` all
    that it was given and wrote; `output` what it puts out.
    """

    seconds: float = 60.0
    cpu_seconds: float = 60.0
    memory: int = 512 * MIB
    processes: int = 64
    files: int = 16 * MIB
    folder: int = 64 * MIB
    output: int = MIB


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: by itself with `exit`, which is 128 + n of one that signal n ended, or for a `reason`."""

    exit: int | None
    reason: Reason | None = None


class SandboxError(Exception):
    """Nothing was run; the text is a sentence for people that says why."""
