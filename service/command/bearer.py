"""The token that a command brings to a service: from the environment or from a file, and from nowhere else.

An argument would be read by everybody on the machine who lists processes, and kept by the shell. A file is read again
when a token was refused, so that whoever rotates it need not start anything anew. No line that is printed holds it.
"""

import ipaddress
import re
from pathlib import Path
from typing import Final

from service.core.errors import TwinwireError
from service.core.limits import TOKEN_MAX

VARIABLE: Final = "TWINWIRE_TOKEN"
FILE_VARIABLE: Final = "TWINWIRE_TOKEN_FILE"
HOW: Final = f"{VARIABLE}, or --token-file FILE, brings one"

_TEXT: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*\Z", re.ASCII)
"""What may follow `Bearer` (RFC 6750, 2.1)."""


class Bearer:
    """`file` is the one if both are there. Raises TwinwireError for what can't be a token, without showing it."""

    def __init__(self, text: str = "", file: Path | None = None) -> None:
        self._file = file
        self.text = _checked(text, VARIABLE) if file is None else _read(file)

    def is_another(self) -> bool:
        """Whether the file holds another token by now, which is used from then on."""
        before = self.text
        try:
            self.text = before if self._file is None else _read(self._file)
        except TwinwireError:
            return False  # it is just being written, or gone: the refusal says what is the matter
        return self.text != before

    def without(self, told: str) -> str:
        """What somebody else has said, without the token."""
        return told.replace(self.text, "(the token)") if self.text else told


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            whole = opened.read(2 * TOKEN_MAX)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise TwinwireError(f"the token's file {str(file)!r} can't be read: {why}") from None
    text = _checked(whole.decode("latin-1"), f"the file {str(file)!r}")
    if not text:
        raise TwinwireError(f"the token's file {str(file)!r} is empty")
    return text


def _checked(text: str, where: str) -> str:
    text = text.strip()
    if text and (len(text) > TOKEN_MAX or _TEXT.match(text) is None):
        raise TwinwireError(f"what {where} holds is no token: at most {TOKEN_MAX:,} characters of a JWT, and no more")
    return text


def is_overheard(scheme: str, host: str) -> bool:
    """Whether others on the way can read what is sent: over plain http, to another machine."""
    if scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True
