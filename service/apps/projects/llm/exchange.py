"""A question to a model, and its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BYTES_A_TOKEN: Final = 3
"""Code has about 3 bytes a token, English 4, with the tokenizers of today."""

MESSAGE_TOKENS: Final = 8
"""What stands around each message."""

Message = Mapping[str, str]
"""`role` and `content`."""


def tokens_of_bytes(size: int) -> int:
    """An estimate, rather too many than too few: nobody but the endpoint knows."""
    return -(-size // BYTES_A_TOKEN)


def tokens_in(text: str) -> int:
    """Likewise."""
    return tokens_of_bytes(len(text.encode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Question:
    """`cost` is in tokens, as `tokens_of` estimates them; `tokens` is the most that the answer may have, `room` the
    most that question and answer may cost in all tries, `seconds` how long they may take together.
    """

    messages: Sequence[Message]
    cost: int
    tokens: int
    room: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """`is_cut`: it is longer than the tokens that were asked for, and its end is missing."""

    text: str
    is_cut: bool


def tokens_of(messages: Sequence[Message]) -> int:
    """An estimate of what a question costs."""
    return sum(tokens_in(one["content"]) + MESSAGE_TOKENS for one in messages)
