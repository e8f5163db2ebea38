"""Host names that are not the service's: what is asked for under one goes to its application alone.

A browser takes the name for the origin, so whatever was answered under it would be a page's own. Both names count by
which a request may have been asked for: the Host, and what a hop says that is believed (`origins.py`).
"""

from collections.abc import Callable
from typing import Final

from service.access.origins import Origins
from service.stream.asgi import ASGI, Scope
from service.wire.request import Request


class Elsewhere:
    """`host` says who answers under a Host field; None for the service itself."""

    def __init__(self, host: Callable[[str], ASGI | None], origins: Origins) -> None:
        self._host: Final = host
        self._origins: Final = origins

    def find(self, scope: Scope, host: str | None) -> ASGI | None:
        """Who answers a request with this Host in place of the service.

        What a hop tells becomes the request's own, since nobody looks further there: the name its Host, and the
        client's address its client's, whose port is not known then.
        """
        client, hops = scope.get("client"), self._origins.hops
        is_told = hops.trusts(client[0] if client else None)
        told = self._origins.forwarded_host(Request(scope)) if is_told and _names_host(scope) else ""
        found = self._host(told) if told else None
        if found is not None:
            others = [field for field in scope["headers"] if field[0] != b"host"]
            scope["headers"] = [(b"host", told.encode("latin-1", "replace")), *others]
        elif host:
            found = self._host(host)
        if found is not None and is_told:
            scope["client"] = (hops.client(Request(scope)), 0)
        return found


def _names_host(scope: Scope) -> bool:
    """Whether it is worth a closer look: every request that a hop passes on is asked."""
    return any(name == b"x-forwarded-host" for name, _ in scope["headers"])
