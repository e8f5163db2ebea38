"""Who asks, and what they may: values, made at the gate and never changed."""

from typing import Final, NamedTuple


class Rights(NamedTuple):
    """Topic filters that a caller may read, and publish to; `admin` may do everything, and what operators do."""

    subscribe: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    admin: bool = False


EVERYTHING: Final = Rights(("**",), ("**",), admin=True)
"""What whoever reaches the port has, as long as there are no keys."""


class Caller(NamedTuple):
    """`subject` is the user's id, None for nobody in particular; `expires` is in Unix ms, None for never.

    `address` is the peer's as the socket gives it, None where there is none (a Unix socket, a test).
    """

    subject: str | None = None
    rights: Rights = EVERYTHING
    expires: int | None = None
    address: str | None = None
