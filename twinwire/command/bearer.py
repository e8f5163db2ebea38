"""The token that a command brings to a service: from the environment or from a file, and from nowhere else.

An argument would be read by everybody on the machine who lists processes, and kept by the shell. A file is read again
when a token was refused, so that whoever rotates it need not start anything anew. No line that is printed holds it.
"""

from pathlib import Path
from typing import Final

from twinwire.errors import InvalidError
from twinwire.token import TOKEN_MAX, TOKEN_VARIABLE, Source, is_token

VARIABLE: Final = TOKEN_VARIABLE
FILE_VARIABLE: Final = "TWINWIRE_TOKEN_FILE"
HOW: Final = f"{VARIABLE}, or --token-file FILE, brings one"


class Bearer:
    """`file` is the one if both are there. Raises InvalidError for what can't be a token, without showing it."""

    def __init__(self, text: str = "", file: Path | None = None) -> None:
        self._file = file
        self._is_fresh = True
        self.trouble = ""
        """Why the file holds no other token, when it was asked last."""
        self.text = _checked(text, VARIABLE) if file is None else _read(file)

    def is_another(self) -> bool:
        """Whether the file holds another token by now, which is used from then on."""
        before = self.text
        try:
            self.text = before if self._file is None else _read(self._file)
        except InvalidError as error:  # it is just being written, or gone
            self.trouble = error.detail
            return False
        self.trouble = ""
        return self.text != before

    def current(self) -> str:
        """The token as the file has it by now: for whoever asks again when one was refused. At first it is the one that
        was read, for a file may be a pipe, and give it once."""
        if not self._is_fresh:
            self.is_another()
        self._is_fresh = False
        return self.text

    @property
    def source(self) -> Source:
        """For a client."""
        return self.text if self._file is None else self.current

    def without(self, told: str) -> str:
        """What somebody else has said, without the token."""
        return told.replace(self.text, "(the token)") if self.text else told


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            whole = opened.read(2 * TOKEN_MAX)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no path"
        raise InvalidError(f"the token's file {str(file)!r} can't be read: {why}") from None
    text = _checked(whole.decode("latin-1"), f"the file {str(file)!r}")
    if not text:
        raise InvalidError(f"the token's file {str(file)!r} is empty")
    return text


def _checked(text: str, where: str) -> str:
    text = text.strip()
    if text and not is_token(text):
        raise InvalidError(f"what {where} holds is no token: at most {TOKEN_MAX:,} characters of a JWT, and no more")
    return text
