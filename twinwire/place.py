"""Where the service is, and how its URLs are made."""

import ipaddress
import os
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from twinwire.errors import InvalidError

DEFAULT_URL: Final = "http://127.0.0.1:8000"
URL_VARIABLE: Final = "TWINWIRE_URL"

URL_MAX: Final = 6_000
"""Characters of a URL up to which proxies are sure to take it: nginx's default is 8 KiB, with the headers."""

Pairs = Iterable[tuple[str, object]]


class Place:
    """The service at `url`, which may have a path prefix; from `TWINWIRE_URL` without, else on this machine.

    Raises InvalidError for what is no http or https URL.
    """

    def __init__(self, url: str | None = None) -> None:
        url = (url or os.environ.get(URL_VARIABLE, "")).strip() or DEFAULT_URL
        url = url if "://" in url else f"http://{url}"
        import httpx2  # what only asks where a service is by default has no use for it

        told = "it" if "@" in url else repr(url)  # there may be a password in it
        try:
            parts = urlsplit(url)
            self._host, port = parts.hostname or "", parts.port
            httpx2.URL(url)  # what it would say of the host when it is asked
            url.encode()
        except (ValueError, httpx2.InvalidURL) as error:
            raise InvalidError(f"{told} is not a URL, or its port is no number from 0 to 65535") from error
        if parts.scheme not in ("http", "https") or not self._host or any(ord(c) < 33 for c in self._host):
            raise InvalidError(f"{told} is not an http or https URL")
        if parts.username is not None:
            raise InvalidError("there is no password in a URL: a token comes from TWINWIRE_TOKEN, or as token=")
        if "@" in parts.query + parts.fragment:
            raise InvalidError("what stands before the @ of that URL is no part of one: it has no password")
        self._is_secure = parts.scheme == "https"
        host = f"[{self._host}]" if ":" in self._host else self._host
        where = host if port is None else f"{host}:{port}"
        prefix = quote(parts.path.rstrip("/"), safe="/%~")
        self.base: Final = f"{parts.scheme}://{where}{prefix}"
        self._socket = f"{'wss' if self._is_secure else 'ws'}://{where}{prefix}"

    @property
    def is_overheard(self) -> bool:
        """Whether a token would go over plain http to another machine, where whoever is on the way can read it."""
        return not self._is_secure and not self.is_loopback

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, as its name says."""
        if self._host == "localhost" or self._host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self._host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    def url(self, path: str, params: Pairs = ()) -> str:
        """Of a resource below `/api/`; parameters that are None are left out."""
        return _with(f"{self.base}/api/{path}", params)

    def websocket(self, params: Pairs) -> str:
        return _with(f"{self._socket}/api/ws", params)

    def asking(self, path: str, longer: str, topics: Sequence[str], params: Pairs) -> tuple[str, dict[str, Any] | None]:
        """Where to ask for `topics`: with a GET, or with the same in a body, which is there then, if the URL would
        outgrow what proxies take (docs/protocol.md, section 4)."""
        params = list(params)
        url = self.url(path, [*(("topic", topic) for topic in topics), *params])
        if len(url) <= URL_MAX:
            return url, None
        return self.url(longer), {"topics": list(topics), **{n: v for n, v in params if v is not None}}


def _with(url: str, params: Pairs) -> str:
    given = [(name, str(value)) for name, value in params if value is not None]
    try:
        return f"{url}?{urlencode(given, quote_via=quote)}" if given else url
    except UnicodeEncodeError as error:
        raise InvalidError("a topic, a subject or a cursor is not UTF-8") from error
