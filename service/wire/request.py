"""The little of ASGI that the wires need: query, headers and a whole response."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from service.access.caller import Caller
from service.access.deciding import DECIDED
from service.access.headers import EVERY_ANSWER
from service.access.lease import Wish
from service.bus.start import Start
from service.core.errors import InvalidError, NotFoundError, TwinwireError
from service.core.parameters import Parameters
from service.core.topics import TopicFilter, check_readable
from service.stream.asgi import Header, Receive, Scope, Send
from service.wire.problems import problem_response
from service.wire.rooted import root_of

TOPICS: Final = "twinwire.topics"
"""Where a scope holds the filter that its path stands for, if it is an alias of one."""

MISSING: Final = "twinwire.missing"
"""Where it holds that there is no such thing: a NotFoundError, to be raised once it is known who asks."""

JSON_ANSWER: Final[tuple[Header, ...]] = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
"""The head of an answer in JSON, which nobody keeps."""

POSITIONS: Final = ("lastEventId", "lastEventID", "last_event_id", "Last-Event-ID", "evs_last_event_id")
"""What clients and EventSource polyfills add to a URL when they come back."""

CURSOR_PARAMETERS: Final = ("after", *POSITIONS)
"""The page's own start, and those, which beat it: what was handled is newer than the URL."""

STATE_PARAMETERS: Final = ("state", "join")
"""Of a stream that begins with the state of what it is about."""

EPHEMERAL: Final = "ephemeral"
"""Of a stream or a read that wants events that are not kept, too."""

PRESENCE: Final = "presence"
"""Of one that wants to know who is where, too."""

VERSION: Final = "presence_version"
"""Of a read that knows something of that: `PLACE:VERSION`, once for each place."""

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_FIELDS_MAX: Final = 500
_SPACE: Final = b" \t"
"""What may surround a field's value (RFC 9110, 5.6.3): another byte is the end of a character, perhaps."""

_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,60})?([eE]-[0-9]{1,3})?")
"""As people write them, and small ones as languages do: with an exponent."""


def has_left(receive: Receive) -> bool:
    """Whether the news of the client's end waits in the server's queue; False where a server does not tell."""
    return bool(getattr(getattr(receive, "__self__", None), "has_end", False))


def on_leaving(receive: Receive, told: Callable[[], None] | None) -> None:
    """`told` is called when that news comes, where a server tells; None: nobody is told any more."""
    queue: Any = getattr(receive, "__self__", None)
    if hasattr(queue, "told"):
        queue.told = told


class DisconnectedError(Exception):
    """The client went away before its request was complete."""


async def disconnected(receive: Receive) -> None:
    """Return once the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Request:
    """A parsed look at an ASGI scope; holds no reference to it."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self.root: str = root_of(scope)
        """What stands before each path, to browsers."""
        self.decided: Caller | TwinwireError | None = scope.get(DECIDED)
        """What the application said that the service is mounted in."""
        self.http_version: str = scope.get("http_version", "1.1")
        client = scope.get("client")
        self.address: str | None = client[0] if client else None
        self.scheme: str = scope.get("scheme", "http")
        self._alias: TopicFilter | None = scope.get(TOPICS)
        self._missing: NotFoundError | None = scope.get(MISSING)
        self._fields: list[Header] = scope["headers"]  # names are in lower case (ASGI, "Connection Scope")
        self._headers: dict[bytes, bytes] = dict(self._fields)
        self._query: list[tuple[str, str]] | None = None
        self._values: dict[str, str] | None = None
        self._query_string: bytes = scope.get("query_string", b"")

    def header(self, name: bytes) -> str | None:
        """By lower-case name. Latin-1, as bytes travel in HTTP fields (RFC 9110, 5.5); what else they are is kept."""
        value = self._headers.get(name)
        return None if value is None else value.strip(_SPACE).decode("latin-1")

    def fields(self, name: bytes) -> list[str]:
        """All headers of a lower-case name."""
        value = self._headers.get(name)
        if value is None:
            return []
        if len(self._headers) == len(self._fields):  # no name comes twice, as mostly
            return [value.strip(_SPACE).decode("latin-1")]
        return [value.strip(_SPACE).decode("latin-1") for found, value in self._fields if found == name]

    @property
    def query(self) -> list[tuple[str, str]]:
        """Raises InvalidError for more fields than anyone needs."""
        if self._query is None:
            try:
                text = self._query_string.decode("latin-1")
                self._query = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
            except ValueError as error:
                raise InvalidError("too many query parameters") from error
        return self._query

    def add(self, pairs: list[tuple[str, str]]) -> None:
        """As if these stood behind what stands in the URL."""
        self._query = [*self.query, *pairs]
        self._values = None

    def value(self, name: str) -> str | None:
        """The first of this name. Raises InvalidError, as `query`."""
        if self._values is None:
            self._values = dict(reversed(self.query))
        return self._values.get(name)

    def parameter(self, name: str) -> str | None:
        """As `value`, for those who need not know what else may be wrong: then it is None."""
        if self._query is None and not self._query_string:  # of nearly every publish
            return None
        try:
            return self.value(name)
        except InvalidError:
            return None

    def topics(self) -> TopicFilter | None:
        """What the path stands for, or the filter from `topic` parameters; None without. Raises InvalidError."""
        if self._alias is not None:
            return self._alias
        patterns = tuple(value for key, value in self.query if key == "topic")
        check_readable(patterns)
        return TopicFilter(patterns) if patterns else None

    def wish(self) -> Wish:
        """What a stream asks of the gate. Raises InvalidError, as `topics`."""
        return Wish(self.topics(), self._missing)

    @property
    def has_topics(self) -> bool:
        """Whether there is a filter by now, of the path or of parameters."""
        return self._alias is not None or self.value("topic") is not None

    def only(self, parameters: Parameters) -> None:
        """Raises InvalidError for a query with another name; of an alias, for a filter beside its own."""
        parameters.check(name for name, _ in self.query)
        if self._alias is not None and self.value("topic") is not None:
            raise InvalidError("this path has its own topics", field="topic")

    def start_text(self) -> str | None:
        """The cursor that the client sent.

        The header comes first: EventSource reconnects with its old URL. Then what a client has added to its URL, the
        last one of these, since it may have been added again and again; then what the page began with.
        """
        header = self.header(b"last-event-id")
        if header:
            return header
        added = [value for name, value in self.query if value and name in POSITIONS]
        return added[-1] if added else self.value("after") or None

    def start(self) -> Start:
        """Raises InvalidError that names the parameter."""
        is_joined = self.is_joined()
        if not self.flag("state", False):
            if is_joined:
                raise InvalidError("join is of a state: it needs state=1", field="join")
            return Start.parse(self.start_text())
        return Start.parse(self.start_text(), "text" if is_joined else "events")

    def is_joined(self) -> bool:
        """Whether texts that grew are to be one event each. Raises InvalidError for another word."""
        join = self.value("join")
        if join not in (None, "text"):
            raise InvalidError("join is text", field="join")
        return join is not None

    def flag(self, name: str, default: bool) -> bool:
        """Raises InvalidError, naming the parameter, for anything but a yes or a no."""
        text = self.value(name)
        if text is None:
            return default
        if text.lower() not in _TRUE | _FALSE:
            raise InvalidError(f"{name} is 0 or 1", field=name)
        return text.lower() in _TRUE

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`; a small one may have an exponent. Raises InvalidError naming the parameter."""
        text = self.value(name)
        if text is None:
            return default
        if _NUMBER.fullmatch(text) is None or not low <= float(text) <= high:
            raise InvalidError(f"{name} is a number from {low:g} to {high:g}", field=name)
        return float(text)


async def respond(send: Send, status: int, headers: list[Header], body: bytes, *, head: bool = False) -> None:
    """A whole response; `head` leaves the body out but keeps its length (RFC 9110, 9.3.2)."""
    headers = [*headers, *EVERY_ANSWER]
    if status != 204:  # which must not have a length (RFC 9110, 8.6)
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body, "more_body": False})


async def respond_problem(
    send: Send,
    error: TwinwireError,
    *,
    head: bool = False,
    cors: Sequence[Header] = (),
    is_last: bool = False,
    **members: Any,
) -> None:
    """`cors` are the headers that let a page of another origin read what is wrong.

    `is_last`: the rest of the request's body is not read, so the connection ends here.
    """
    status, headers, body = problem_response(error, **members)
    headers += cors
    if is_last:
        headers.append((b"connection", b"close"))
    await respond(send, status, headers, body, head=head)


async def refuse_websocket(send: Send, error: TwinwireError, **members: Any) -> None:
    """Answer the handshake with a problem instead of a 101 (ASGI "websocket.http.response" extension)."""
    status, headers, body = problem_response(error, **members)
    headers += [*EVERY_ANSWER, (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
