"""Names of what is made: projects and runs."""

import secrets
from typing import Final

_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_LENGTH: Final = 12


def new_id() -> str:
    """60 random bits that can be read aloud: no l, o, 0 or 1."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
