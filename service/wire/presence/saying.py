"""What a WebSocket's client says of presence (docs/protocol.md, section 11): the ops `enter`, `update`, `leave`,
`presence`, `watch` and `unwatch`."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from service.access.gate import Act
from service.core.errors import InvalidError
from service.core.limits import FILTER_TOPICS_MAX
from service.core.topics import TopicFilter, check_count, check_pattern, check_readable
from service.log.base import Turn
from service.stream.beside import Besides
from service.stream.stream import Stream
from service.wire.messages import ClientMessage, short_ref
from service.wire.presence.entering import Entering, Held, Said, check_place

FEW: Final = 10
"""Patterns that are watched without waiting for a turn."""

WEIGHED: Final = 30
"""Patterns that count as one message more: a page that comes back with a hundred places, one by one, may."""

OPS: Final = ("enter", "update", "leave", "presence", "watch", "unwatch")


class SayingPresence:
    """Carries them out. `turn` is waited for before more than FEW patterns are watched: all of them are taken out of
    the index and put in anew.
    """

    def __init__(self, entering: Entering, besides: Besides, turn: Turn) -> None:
        self._entering = entering
        self._besides = besides
        self._turn = turn

    def heard(self, stream: Stream[Any]) -> None:
        """Its client said something, whatever: it is there."""
        self._besides.presence.heard(stream.peer.id)

    async def say(self, op: str, message: ClientMessage, stream: Stream[Any]) -> None:
        """Carry out one of OPS. Raises what its parts raise: then nothing has changed."""
        spend = partial(self._besides.presence.spend, stream.peer.id, self._weight(message, stream))
        self._entering.gate.counted(Act.SOCKET, "rate", spend)
        match op:
            case "enter" | "update":
                await self._reply(message, stream, self._enter(message, stream, is_new=op == "enter"))
            case "leave":
                await self._reply(message, stream, self._leave(message, stream))
            case "presence":
                topic = self._readable(message, stream)
                await self._reply(message, stream, {"place": topic})
                eyes = self._besides.eyes(stream)
                eyes.once(topic)
                eyes.soon()
            case _:
                await self._watch(message, stream, more=op == "watch")

    def _weight(self, message: ClientMessage, stream: Stream[Any]) -> int:
        """As how many messages it counts: all patterns that are watched then are put into the index anew."""
        if not message.places:
            return 1
        return 1 + min(len(self._besides.eyes(stream).asked) + len(message.places), FILTER_TOPICS_MAX) // WEIGHED

    async def _reply(self, message: ClientMessage, stream: Stream[Any], fields: Mapping[str, Any]) -> None:
        """Only to who has named what he said."""
        if message.ref is not None:
            await stream.reply("reply", {"ref": short_ref(message.ref), **fields})

    def _enter(self, message: ClientMessage, stream: Stream[Any], *, is_new: bool) -> dict[str, Any]:
        place, said = _place(message), Said(message.data, message.merge)
        member = message.member
        if not is_new:
            member = self._member(message, stream)
            if said.is_empty:
                raise InvalidError("update needs data or merge", field="data")
        held = Held(stream.peer.id, speaks=True)
        found, _ = self._entering.enter(stream.peer.caller, Act.SOCKET, place, member, said, held, is_new=is_new)
        return self._entering.answer(found)

    def _leave(self, message: ClientMessage, stream: Stream[Any]) -> dict[str, Any]:
        place, member = _place(message), self._member(message, stream)
        self._entering.leave(stream.peer.caller, Act.SOCKET, place, member)
        return {"place": place, "member": member}

    def _member(self, message: ClientMessage, stream: Stream[Any]) -> str:
        """The one that is named, or the only one that the connection has there."""
        member = message.member or self._besides.presence.only(stream.peer.id, _place(message))
        if member is None:
            raise InvalidError("member is whose id it is: this connection has none there, or several", field="member")
        return member

    def _readable(self, message: ClientMessage, stream: Stream[Any]) -> str:
        place = check_place(_place(message))
        self._entering.gate.check_read(stream.peer.caller, Act.SOCKET, place, "place")
        return place

    async def _watch(self, message: ClientMessage, stream: Stream[Any], *, more: bool) -> None:
        named = message.places
        if not named:
            raise InvalidError("places is a list of at least one topic filter", field="places")
        named = [check_pattern(one, "places") for one in check_count(named, "places")]
        gate = self._entering.gate
        if len(self._besides.eyes(stream).asked) + len(named) > FEW:
            await self._turn()
        if more:
            check_readable(named)
            for one in named:
                gate.check_read(stream.peer.caller, Act.SOCKET, one, "places")
        async with stream.between_pages():
            eyes = self._besides.eyes(stream)
            asked = (*eyes.asked, *named) if more else [one for one in eyes.asked if one not in named]
            topics = TopicFilter(tuple(check_count(asked, "places")))
            gate.check_filter(topics, "places")
            eyes.ask(topics)
            if message.ref is not None:
                fields = {"ref": short_ref(message.ref), "places": list(eyes.asked)}
                await stream.pipe.send(stream.frame("reply", fields))
            eyes.soon()


def _place(message: ClientMessage) -> str:
    if message.place is None:
        raise InvalidError(f"{message.op} needs place", field="place")
    return message.place
