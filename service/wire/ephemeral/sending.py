"""Sending events that are not kept (docs/protocol.md, section 10): over HTTP, and on a WebSocket.

Nothing here touches the log: where it can't be written any more, they go on.
"""

from functools import partial
from typing import Final

from service.access.gate import Act, Gate
from service.bus.ephemeral import EphemeralBus
from service.bus.presence import PresenceBus
from service.core.errors import InvalidError, TwinwireError
from service.log.base import Turn
from service.stream.asgi import Receive
from service.stream.peer import Peer
from service.wire.bodies import Bodies, Body
from service.wire.ephemeral.reading import EphemeralReader, IncomingEphemeral
from service.wire.messages import ClientMessage
from service.wire.publish import Posting
from service.wire.request import Request

_KEPT_ONLY: Final = ("subject", "append", "final", "traceparent")
"""What a client may say of a stored event."""


FREE_BYTES: Final = 4 * 1024
"""Of a body: a few events, which are looked at in a fraction of a millisecond. A hundred take some."""


class Sending:
    """What both ways share."""

    def __init__(self, gate: Gate, bus: EphemeralBus, reader: EphemeralReader, presence: PresenceBus) -> None:
        """`presence` knows as whom a connection is at a topic: that is told beside its user, and is its key there."""
        self._presence = presence
        self.gate = gate
        self.bus = bus
        self.reader = reader

    def say(self, message: ClientMessage, peer: Peer) -> None:
        """Carry out a `publish` that is ephemeral, of which topic, type and data are there.

        Raises what its parts raise: then it was not sent.
        """
        for name in _KEPT_ONLY:
            if getattr(message, name) not in (None, False):
                raise InvalidError(f"{name} is of events that are kept", field=name)
        assert message.topic is not None
        assert message.type is not None
        member = self._presence.only(peer.id, message.topic)
        key = member if message.key is None else message.key
        incoming = IncomingEphemeral(message.topic, message.type, message.data, key, message.ttl)
        draft = self.reader.draft(incoming)
        self.gate.check_publish(peer.caller, Act.CHANGE, draft.topic, is_kept=False)
        skipped = "" if message.echo else peer.id
        send = partial(self.bus.send, [draft], sender=peer.id, user=peer.caller.subject, skipped=skipped, member=member)
        self.gate.counted(Act.CHANGE, "rate", send)


class EphemeralWire(Posting):
    """POST on `/api/ephemeral`."""

    def __init__(self, bodies: Bodies, sending: Sending, turn: Turn) -> None:
        """`turn` is waited for before a body of more than FREE_BYTES is looked at."""
        super().__init__(sending.gate, bodies)
        self._sending = sending
        self._turn = turn

    async def _publish(self, request: Request, receive: Receive, body: Body) -> tuple[int, bytes]:
        gate, bus, reader = self._gate, self._sending.bus, self._sending.reader
        caller = gate.enter(request, Act.CHANGE).caller
        content = await body.read(request, receive, reader.body_max)
        if len(content) > FREE_BYTES:
            await self._turn()
        drafts, single = reader.read(request.header(b"content-type"), content)
        for number, draft in enumerate(drafts):
            try:
                gate.check_publish(caller, Act.CHANGE, draft.topic, is_kept=False)
            except TwinwireError as error:
                raise error if single else error.at(f"{number}.") from error
        gate.check_still(caller, Act.CHANGE)  # the body may have taken its time
        gate.counted(Act.CHANGE, "rate", partial(bus.send, drafts, sender=caller.who, user=caller.subject))
        return 202, b'{"accepted":%d}' % len(drafts)
