"""A command that was started, or was not: values."""

import os
from typing import Final, NamedTuple

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
"""As a shell has it (POSIX, 2.8.2)."""

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2


class NotStartedError(Exception):
    """A command that could not be started; `exit` as a shell would have it."""

    def __init__(self, command: str, error: OSError) -> None:
        is_missing = isinstance(error, FileNotFoundError)
        self.exit: Final = NOT_FOUND if is_missing else NOT_EXECUTABLE
        self.reason: Final = "command not found" if is_missing and os.sep not in command else error.strerror or "failed"
        super().__init__(f"{command}: {self.reason}")


class Ended(NamedTuple):
    """How a command has ended: one of both is there."""

    exit: int | None
    signal: int | None


def ended(code: int) -> Ended:
    """Of a return code as Python has it."""
    return Ended(code, None) if code >= 0 else Ended(None, -code)


class Output(NamedTuple):
    """Where output comes from, and where it goes to; from which kind of thing."""

    source: int
    target: int
    is_terminal: bool
