"""Who asks, in tests: a request as the gate looks at it, a gate, and tokens that are what they say."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final

from service.access.authority import Authority, Template
from service.access.caller import Caller, TokenId
from service.access.drain import Drain
from service.access.gate import Gate
from service.access.hosts import Hosts
from service.access.origins import Origins
from service.access.revocation import Revocations
from service.access.rights import Grants, Rights
from service.access.shares import Most
from service.access.spending import Spending
from service.access.tickets import Tickets
from service.core.errors import InvalidTokenError, TwinwireError
from service.core.limits import FILTER_TOPICS_MAX
from service.core.time import Clock
from tests.support.clock import ManualClock

SECRET: Final = b"s" * 32


class Visitor:
    """A request. Headers are given as `sec_fetch_site="..."`, a list for one that comes several times."""

    def __init__(
        self,
        method: str = "GET",
        query: Mapping[str, str] | None = None,
        scheme: str = "http",
        address: str | None = "192.0.2.7",
        decided: Caller | TwinwireError | None = None,
        **headers: str | list[str],
    ) -> None:
        self.method = method
        self.scheme = scheme
        self.address = address
        self.decided = decided
        self._query = query or {}
        self._headers = headers

    def header(self, name: bytes) -> str | None:
        found = self.fields(name)
        return found[-1] if found else None

    def fields(self, name: bytes) -> list[str]:
        found = self._headers.get(name.decode().replace("-", "_"), [])
        return [found] if isinstance(found, str) else found

    def parameter(self, name: str) -> str | None:
        return self._query.get(name)


class Known:
    """Reads tokens that it was told of; any other is wrong."""

    def __init__(self, **callers: Caller) -> None:
        self.callers = callers
        self.unread = set(callers)

    def recall(self, text: str) -> Caller | None:
        return None if text in self.unread else self.callers.get(text)

    def verify(self, text: str) -> Caller:
        if text not in self.callers:
            raise InvalidTokenError(reason="signature")
        self.unread.discard(text)
        return self.callers[text]


def caller_of(subject: str | None, *subscribe: str, **more: Any) -> Caller:
    """A bearer who may read these, and what else is given: publish, admin, expires, jti, issued, streams."""
    publish, admin = more.pop("publish", ()), more.pop("admin", False)
    token = TokenId(more.pop("jti", None), more.pop("issued", None), "key")
    return Caller(subject, Rights(Grants(subscribe), Grants(publish), admin=admin), token=token, **more)


def gate_with(
    verifier: Known | None = None,
    *,
    max_places: int = 0,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = ("https://app.example",),
    clock: Clock | None = None,
    drain: Drain | None = None,
    life: float | None = 86_400.0,
    hops: Sequence[str] = (),
    most: Most | None = None,
    filters: int = FILTER_TOPICS_MAX,
    spending: Spending | None = None,
    decides: bool = False,
    **templates: Template,
) -> Gate:
    """`templates`: `anonymous` and `everyone`."""
    clock, known = clock or ManualClock(), Origins(origins, [ip_network(hop) for hop in hops])
    authority = Authority(
        known, clock, Tickets(clock, SECRET), Revocations(life), verifier, decides=decides, **templates
    )
    return Gate(
        Hosts(hosts),
        known,
        drain or Drain(),
        authority,
        max_places=max_places,
        most=most,
        filters=filters,
        spending=spending,
    )
