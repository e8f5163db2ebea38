"""Frame: one message of the service, as text and as value, whatever wire it came over."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.eventstream import Block

POSITIONED: Final = frozenset({"connection", "gap", "state_end", "caught_up", "heartbeat"})
"""Control frames whose `id` is a place in the log. The `id` of a `reply` is not: it may lie ahead of the
stream.
"""

UNASKED: Final = POSITIONED | {"auth", "goodbye"}
"""Control frames that a stream sends by itself."""


@dataclass(frozen=True, slots=True)
class Frame:
    """`text` is the JSON as it came, `block` the SSE block around it, None on the other wires."""

    text: str
    value: dict[str, Any]
    block: Block | None = field(default=None, compare=False)

    @classmethod
    def of(cls, text: str, block: Block | None = None) -> "Frame":
        value = json.loads(text)
        assert isinstance(value, dict), f"not a frame: {text[:200]}"
        return cls(text, value, block)

    @property
    def type(self) -> str:
        return str(self.value["type"])

    @property
    def is_event(self) -> bool:
        """Control frames have no topic; that is how a client tells them apart (docs/protocol.md, 2). Ephemeral events
        have one, and no id: section 10.
        """
        return "topic" in self.value

    @property
    def is_state(self) -> bool:
        """Whether it is told as part of a state, which moves no cursor."""
        return bool(self.value.get("state", False))

    @property
    def id(self) -> str:
        return str(self.value["id"])

    @property
    def data(self) -> Any:
        return self.value["data"]

    @property
    def position(self) -> str | None:
        """The cursor that a client holds after this frame; None if it leaves the cursor where it was.

        On SSE it is taken from the `id:` line, as an EventSource does.
        """
        if self.block is not None:
            return self.block.id
        is_positioned = (self.is_event and not self.is_state) or self.type in POSITIONED
        return self.id if is_positioned and self.value.get("id") is not None else None


def data_text(frame: str) -> str:
    """The JSON text of the last member, `data`, exactly as it stands in an event frame."""
    _, found, rest = frame.partition('"data":')
    assert found
    assert rest.endswith("}")
    return rest[:-1]


def array_items(text: str, name: str) -> list[str]:
    """The items of the array `name` in a JSON object, each as the text that stands there."""
    decoder = json.JSONDecoder()
    start = text.index(f'"{name}":') + len(name) + 3
    start = text.index("[", start) + 1
    items: list[str] = []
    while True:
        while text[start] in ", \t\n":
            start += 1
        if text[start] == "]":
            return items
        _, end = decoder.raw_decode(text, start)
        items.append(text[start:end])
        start = end
