"""Who asks, and what they may: values, made at the gate and never changed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from service.access.rights import EVERYTHING, Rights


class TokenId(NamedTuple):
    """Which token somebody came with: its `jti`, when it was issued (Unix ms, None if it does not say), and the id of
    the key that it was signed with.
    """

    jti: str | None = None
    issued: int | None = None
    key: str | None = None


class Caller(NamedTuple):
    """`subject` is the user's id, None for nobody in particular; `expires` is in Unix ms, None for never.

    `token` is None for the anonymous, who came without a credential. `streams` is how many this subject may have open,
    None for as many as anybody. `info` is what others are told with its presence. `address` is the peer's as the
    socket gives it, None where there is none (a Unix socket, a test).
    """

    subject: str | None = None
    rights: Rights = EVERYTHING
    expires: int | None = None
    address: str | None = None
    token: TokenId | None = None
    streams: int | None = None
    info: Mapping[str, Any] | None = None

    @property
    def known(self) -> dict[str, str]:
        """What the log may say of a bearer: never the token."""
        token = self.token or TokenId()
        found = {"subject": self.subject, "jti": token.jti and token.jti[:8], "key": token.key}
        return {name: value for name, value in found.items() if value}

    @property
    def is_anonymous(self) -> bool:
        return self.token is None
