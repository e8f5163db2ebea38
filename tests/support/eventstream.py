"""The text/event-stream format (HTML Living Standard, 9.2.6), strict about what this service promises to
send.
"""

from dataclasses import dataclass

_BLANK_LINE = b"\n\n"


@dataclass(frozen=True, slots=True)
class Block:
    """What stood between two blank lines. None: the field was not there; that is not the same as empty."""

    event: str | None = None
    id: str | None = None
    data: str | None = None
    retry: int | None = None
    comments: tuple[str, ...] = ()


class EventStreamParser:
    """Bytes in, blocks out. Raises AssertionError for what a lenient parser would let pass.

    Lines must end with LF alone, UTF-8 must be whole, `data` is one line, and no field may come twice or be
    unknown: the contract promises a frame a block, so anything else is a framing fault.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Block]:
        *complete, self._rest = (self._rest + piece).split(_BLANK_LINE)
        return [parse_block(block) for block in complete]


def parse_block(block: bytes) -> Block:
    """One block without its blank line."""
    assert b"\r" not in block, f"a CR ends a line too: {block[:200]!r}"
    fields: dict[str, str] = {}
    comments: list[str] = []
    for line in block.decode().split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            comments.append(value)
            continue
        assert name in {"event", "id", "data", "retry"}, f"unknown field {name!r} in {block[:200]!r}"
        assert name not in fields, f"{name} comes twice in {block[:200]!r}"
        fields[name] = value
    retry = fields.get("retry")
    return Block(
        event=fields.get("event"),
        id=fields.get("id"),
        data=fields.get("data"),
        retry=None if retry is None else int(retry),
        comments=tuple(comments),
    )
