"""What was revoked, and whom that forbids: a set in memory that follows what the log says (`stream/revoking.py`).

A token is forbidden by its `jti`, by its subject together with when it was issued, or as one of all. A token that does
not say when it was issued is older than any revocation. An entry is forgotten when no token can be valid that it
forbids: `life` after it was made, since none lives longer; never where tokens live for ever.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, Literal, NamedTuple

from service.access.caller import Caller
from service.access.tokens import SKEW
from service.core.errors import OverloadedError

Kind = Literal["jti", "subject", "all"]
KINDS: Final[tuple[Kind, ...]] = ("jti", "subject", "all")

REVOKED_MAX: Final = 100_000
"""Entries: some hundred bytes each, and an operator can revoke all at once."""


class Revocation(NamedTuple):
    """`name` is the jti or the subject, "" for all; `before` is in Unix ms: what was issued then or earlier is
    forbidden, which is not after `time`, when it was made.
    """

    kind: Kind
    name: str
    before: int
    time: int
    until: int = 0
    """Unix ms up to which open streams may go on, for their clients to bring another token."""
    offset: int = 0
    """Where it stands in the log."""


class Revocations:
    """`life` is the longest that a token may live, in seconds; None if some live for ever."""

    def __init__(self, life: float | None) -> None:
        self._life = life
        self._found: dict[tuple[Kind, str], Revocation] = {}

    def __len__(self) -> int:
        return len(self._found)

    def check_room(self) -> None:
        """Raises OverloadedError if one more would be too many."""
        if len(self._found) >= REVOKED_MAX:
            raise OverloadedError(f"{REVOKED_MAX:,} revocations are in force: revoke all, and lift the others")

    def add(self, one: Revocation) -> None:
        key = one.kind, one.name
        before = self._found.pop(key, None)  # put in anew, so that the order is that of their times
        self._found[key] = one if before is None else one._replace(before=max(before.before, one.before))

    def lift(self, kind: Kind, name: str) -> bool:
        """False if there was none."""
        return self._found.pop((kind, name), None) is not None

    def has(self, kind: Kind, name: str) -> bool:
        return (kind, name) in self._found

    def listed(self, after: int = -1, most: int = REVOKED_MAX) -> list[Revocation]:
        """Those that are in force and stand after this offset, the oldest first."""
        return list(islice((one for one in self._found.values() if one.offset > after), most))

    def oldest(self, now: int) -> int | None:
        """What was made before then forbids nothing any more, both in Unix ms; None if all of them count for ever.

        A token's life may have begun when its issuer's clock was ahead of ours.
        """
        return None if self._life is None else now - round(self._life * 1000) - SKEW

    def forget(self, oldest: int) -> None:
        """Drop what was made before then."""
        while (key := next(iter(self._found), None)) is not None and self._found[key].time < oldest:
            del self._found[key]

    def forbids(self, caller: Caller) -> bool:
        """Whether the credential that a caller came with was revoked. The anonymous have none."""
        return bool(self._found) and any(True for _ in self._against(caller))

    def ends_at(self, caller: Caller) -> int | None:
        """When an open stream of such a caller has to end, in Unix ms; None if it may go on."""
        return min((one.until for one in self._against(caller)), default=None)

    def _against(self, caller: Caller) -> Iterator[Revocation]:
        token, found = caller.token, self._found
        if token is None or not found:
            return
        if token.jti is not None and (by_name := found.get(("jti", token.jti))) is not None:
            yield by_name
        by_subject = found.get(("subject", caller.subject)) if caller.subject is not None else None
        for one in (by_subject, found.get(("all", ""))):
            if one is not None and (token.issued is None or token.issued <= one.before):
                yield one
