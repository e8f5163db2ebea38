"""Names of signals, and the codes with which a shell tells that one has ended a command."""

import signal
from typing import Final

SHELL: Final = 128
"""What a shell adds to the number of the signal."""


def code_of(name: str) -> int | None:
    """The exit code that stands for this signal; None for one that this system does not know."""
    found = signal.Signals.__members__.get(name)
    return None if found is None else SHELL + found
