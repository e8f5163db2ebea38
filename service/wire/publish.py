"""Publishing over HTTP (docs/protocol.md, section 5), on plain ASGI: it costs less than a framework's request."""

import abc
import asyncio
import contextlib
import re
from functools import partial
from typing import Final

import structlog
from msgspec.structs import replace

from service.access.caller import Caller
from service.access.gate import Act, Gate
from service.access.spending import weigh
from service.bus.bus import EventBus
from service.core.errors import ClosedSubjectError, LongTextError, TwinwireError, unforeseen
from service.core.event import Draft, check_key
from service.core.trace import read_traceparent
from service.log.base import Receipt
from service.stream.asgi import Receive, Scope, Send
from service.wire.bodies import Bodies, Body
from service.wire.drafts import DraftReader, place_of
from service.wire.request import JSON_ANSWER, DisconnectedError, Request, respond, respond_problem

_ESCAPED: Final = re.compile(r"\\([\\\"])")
"""What a quoted string has a backslash before (RFC 9651, 3.3.3)."""

LOOK: Final = 256
"""Topics that are held against rights in one step, some microseconds each."""

logger = structlog.get_logger(__name__)


class Posting(abc.ABC):
    """An ASGI application that takes what is published in one request's body: all of it or nothing."""

    def __init__(self, gate: Gate, bodies: Bodies) -> None:
        self._gate = gate
        self._bodies = bodies

    @abc.abstractmethod
    async def _publish(self, request: Request, receive: Receive, body: Body) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises what its parts raise: nothing is published then."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        cors = self._gate.cors(request)
        with self._bodies.open() as body:
            try:
                status, answer = await self._publish(request, receive, body)
            except TwinwireError as error:
                await respond_problem(send, error, cors=cors, is_last=not body.is_complete)
                return
            except DisconnectedError:
                return
            except Exception:  # a fault of ours is one publisher's 500, told like any problem, and one entry in the log
                logger.exception("publish_failed")
                await respond_problem(send, unforeseen(), cors=cors, is_last=not body.is_complete)
                return
        await respond(send, status, [*JSON_ANSWER, *cors], answer)


class PublishWire(Posting):
    """POST on `/api/events`."""

    def __init__(self, gate: Gate, bus: EventBus, bodies: Bodies, reader: DraftReader) -> None:
        super().__init__(gate, bodies)
        self._bus = bus
        self._reader = reader

    async def _publish(self, request: Request, receive: Receive, body: Body) -> tuple[int, bytes]:
        caller = self._gate.enter(request, Act.CHANGE).caller
        content_type = request.header(b"content-type")
        content = await body.read(request, receive)
        drafts, single = await self._reader.read(content_type, content)
        if not caller.rights.may_publish_all:
            found = await self._forbidden(caller, drafts)
            if found is not None:
                number, error = found
                raise error if single else error.at(*place_of(content_type, content, number))
        if single:
            drafts = [_with_header_key(drafts[0], request.header(b"idempotency-key"))]
        self._gate.check_still(caller, Act.CHANGE)  # the body may have taken its time
        try:
            receipt = await spend_and_publish(self._gate, self._bus, caller, drafts, _traceparent(request))
        except (ClosedSubjectError, LongTextError) as error:
            raise _placed(error, content_type, content, single) from error
        epoch = self._bus.epoch
        if single:
            text = f'{{"id":"{epoch}-{receipt.offsets[0]}"}}'
        else:
            text = '{{"ids":[{}]}}'.format(",".join([f'"{epoch}-{offset}"' for offset in receipt.offsets]))
        return 201 if receipt.fresh else 200, text.encode()

    async def _forbidden(self, caller: Caller, drafts: list[Draft]) -> tuple[int, TwinwireError] | None:
        """The first draft that the caller may not publish, by its number from 0: then none of them is."""
        allowed: set[str] = set()
        for number, draft in enumerate(drafts):
            if draft.topic in allowed:
                continue
            try:
                self._gate.check_publish(caller, Act.CHANGE, draft.topic)
            except TwinwireError as error:
                return number, error
            allowed.add(draft.topic)
            if len(allowed) % LOOK == 0:
                await asyncio.sleep(0)
        return None


async def publish_here(reader: DraftReader, bus: EventBus, content_type: str, content: bytes) -> Receipt:
    """What the program publishes that the service is a part of: read and checked as a request's body is, with a right
    to everything and no rate. Raises what `DraftReader.read` and `EventBus.publish` raise."""
    drafts, single = await reader.read(content_type, content)
    try:
        return await bus.publish(drafts)
    except (ClosedSubjectError, LongTextError) as error:
        raise _placed(error, content_type, content, single) from error


def _placed(
    error: ClosedSubjectError | LongTextError, content_type: str | None, content: bytes, single: bool
) -> TwinwireError:
    """The same error, with where its draft stands among others."""
    return error if single else error.at(*place_of(content_type, content, error.number))


def _traceparent(request: Request) -> str | None:
    """Of its trace. A header that is no good is as good as none, and of several none counts (W3C, 3.2)."""
    found = request.fields(b"traceparent")
    return read_traceparent(found[0]) if len(found) == 1 else None


async def spend_and_publish(
    gate: Gate, bus: EventBus, caller: Caller, drafts: list[Draft], traceparent: str | None
) -> Receipt:
    """As `EventBus.publish`. Raises RateLimitedError or TooLargeError too; nothing is spent for what is refused."""
    spent = None
    if gate.spending is not None and gate.spending.counts(caller):
        weight = await weigh(drafts, bus.has_topic)
        spent = gate.counted(Act.CHANGE, "rate", partial(gate.spending.publish, caller, weight))
    if spent is None:  # nearly always
        return await bus.publish(drafts, traceparent=traceparent)
    with spent:
        return await bus.publish(drafts, traceparent=traceparent)


def _with_header_key(draft: Draft, key: str | None) -> Draft:
    """A key in the body beats the header. Raises InvalidError for a header that is no key."""
    if draft.key is not None or key is None:
        return draft
    if len(key) >= 2 and key[0] == key[-1] == '"':  # the draft standard writes it as a quoted string
        key = _ESCAPED.sub(r"\1", key[1:-1])
    with contextlib.suppress(UnicodeDecodeError):  # the same text as in a body, if it came as that
        key = key.encode("latin-1").decode("utf-8")
    return replace(draft, key=check_key(key, field="Idempotency-Key"))
