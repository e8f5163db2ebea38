"""How the operator's commands reach a service."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from twinwire.command.reaching import bearer_of, tell

if TYPE_CHECKING:
    from service.command.client import Client

TIMEOUT: Final = 75.0
"""Seconds that an answer may take."""


def connect(url: str, token_file: Path | None, timeout: float = TIMEOUT) -> "Client":
    """A client that tells what it waits out. Raises InvalidError for a URL, or a token, that is none."""
    from service.command.client import Client

    return Client(url, timeout, told=tell, bearer=bearer_of(token_file))
