"""From a request's body to ephemeral drafts, with the checks of stored ones: the same names, rights and rules."""

from collections.abc import Callable
from typing import Final

import msgspec

from service.core.ephemeral import EphemeralDraft
from service.core.errors import InvalidError, MediaTypeError
from service.core.limits import (
    ENVELOPE_MAX,
    EPHEMERAL_BATCH,
    EPHEMERAL_TTL,
    EPHEMERAL_TTL_LEAST,
    EPHEMERAL_TTL_MAX,
)
from service.wire.drafts import JSON, DraftReader, Incoming, decode_utf8, explain_decoding


class IncomingEphemeral(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One as it is sent; `ttl` is in seconds."""

    topic: str
    type: str
    data: msgspec.Raw
    key: str | None = None
    ttl: float | None = None


_decode_one: Final = msgspec.json.Decoder(IncomingEphemeral).decode
_decode_many: Final = msgspec.json.Decoder(list[IncomingEphemeral]).decode


class EphemeralReader:
    """`data_max` bytes of data; `drafts` makes the reader of such that checks what they share with stored events."""

    def __init__(self, drafts: Callable[[int], DraftReader], data_max: int) -> None:
        self._drafts = drafts(data_max)
        self.body_max: Final = EPHEMERAL_BATCH * (data_max + ENVELOPE_MAX)
        """Bytes of a request's body: some milliseconds of the loop, whatever is in it."""

    def read(self, content_type: str | None, body: bytes) -> tuple[list[EphemeralDraft], bool]:
        """The drafts, and whether they came as one bare object.

        Raises MediaTypeError, MalformedError, TooLargeError, InvalidError or ForbiddenError that name the field.
        """
        media_type = (content_type or JSON).partition(";")[0].strip().lower()
        if media_type != JSON:
            raise MediaTypeError(f"send {JSON}, not {media_type[:80]}", field="Content-Type")
        text = decode_utf8(body)
        try:
            if not text.lstrip().startswith("["):
                return [self.draft(_decode_one(text))], True
            items = _decode_many(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise explain_decoding(error) from error
        if not 0 < len(items) <= EPHEMERAL_BATCH:
            raise InvalidError(f"a request has 1-{EPHEMERAL_BATCH} ephemeral events")
        return [self.draft(item, f"{number}.") for number, item in enumerate(items)], False

    def draft(self, incoming: IncomingEphemeral, path: str = "") -> EphemeralDraft:
        """A checked draft. Raises as `read`."""
        found = self._drafts.draft(Incoming(incoming.topic, incoming.type, incoming.data, incoming.key), path)
        ttl = EPHEMERAL_TTL if incoming.ttl is None else incoming.ttl
        if not EPHEMERAL_TTL_LEAST <= ttl <= EPHEMERAL_TTL_MAX:
            least, most = EPHEMERAL_TTL_LEAST, EPHEMERAL_TTL_MAX
            raise InvalidError(f"ttl is a number of seconds from {least:g} to {most:g}", field="ttl").at(path)
        return EphemeralDraft(found.topic, found.type, found.data, found.key, ttl)
