"""Who asks, and what they may: values, made at the gate and never changed."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from service.access.hops import network_of
from service.access.rights import NOTHING, Rights

_HELD_BASE: Final = 3_000
_HELD_FILTER: Final = 120
_HELD_PLACE: Final = 420
_HELD_SEGMENT: Final = 75
_HELD_NAME: Final = 60
_HELD_INFO: Final = 30
"""Bytes that are held of a caller without any, of a filter, of a place in the grants, of a segment that stands there,
of its name unless it is a character, which Python keeps once, and for each byte of `info`.
"""


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
    None for as many as anybody. `info` is what others are told with its presence. `address` is the client's, as the
    socket or a trusted hop gives it (`hops.py`), None where there is none (a Unix socket, a test). `again` asks who it
    is at `expires`, where somebody can be asked: None for nobody any more. It may raise a TwinwireError.
    """

    subject: str | None = None
    rights: Rights = NOTHING
    expires: int | None = None
    address: str | None = None
    token: TokenId | None = None
    streams: int | None = None
    info: Mapping[str, Any] | None = None
    again: "Callable[[], Awaitable[Caller | None]] | None" = None

    @property
    def known(self) -> dict[str, str]:
        """What the log may say of a caller: never the token."""
        token = self.token or TokenId()
        found = {
            "subject": self.subject,
            "jti": token.jti and token.jti[:8],
            "key": token.key,
            "address": self.address,
        }
        return {name: value for name, value in found.items() if value}

    @property
    def is_anonymous(self) -> bool:
        return self.token is None

    @property
    def who(self) -> str:
        """By what he is counted: his subject, or for who has none the address, of IPv6 its network. Never empty."""
        return f"@{network_of(self.address)}" if self.subject is None else f"={self.subject}"

    def at(self, address: str | None) -> "Caller":
        """The same at this address. Of each request: `_replace` takes three times as long."""
        subject, rights, expires, _, token, streams, info, again = self
        return Caller(subject, rights, expires, address, token, streams, info, again)

    @property
    def bare(self) -> "Caller":
        """The same without what he may and tells of himself, for those who keep him: by what he is counted, and
        whether his credential still counts, it says as well."""
        return Caller(self.subject, expires=self.expires, address=self.address, token=self.token)

    @property
    def held(self) -> int:
        """Bytes that are kept of a caller, also once each of its grants has its places; rather too many."""
        lists = {id(one): one.patterns for one in self.rights if not isinstance(one, bool)}.values()
        found = [{place for text in one for place in enumerate(text.split("/"))} for one in lists]
        places = sum(max((depth + 1 for depth, _ in one), default=0) for one in found)
        segments = [segment for one in found for _, segment in one]
        names = sum(_HELD_NAME + len(segment) for segment in segments if len(segment) > 1)
        filters = sum(_HELD_FILTER + len(text) for one in lists for text in one)
        info = _HELD_INFO * len(json.dumps(self.info)) if self.info else 0
        return _HELD_BASE + filters + _HELD_PLACE * places + _HELD_SEGMENT * len(segments) + names + info
