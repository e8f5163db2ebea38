"""What an endpoint answers, as the OpenAI API describes it: chunks of a chat completion, and errors.

What is not known is passed over; what is known and of another type is an error of msgspec's.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from service.apps.projects.texts import cut

_SAID_MAX: Final = 300
"""Characters of an endpoint's own words that are shown."""

_TOKENS_MAX: Final = 10**12
"""Tokens that an endpoint may tell: a number that still can be stored."""


class Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    """What it thinks before it answers, by some endpoints. It counts, and is not part of the answer."""


class Choice(msgspec.Struct):
    index: int = 0
    delta: Delta | None = None
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None

    @property
    def tokens(self) -> int | None:
        """All of them; None if it does not say."""
        total = self.total_tokens
        if total is None:
            if self.prompt_tokens is None or self.completion_tokens is None:
                return None
            total = self.prompt_tokens + self.completion_tokens
        return min(max(0, total), _TOKENS_MAX)


class Chunk(msgspec.Struct):
    """`usage` is of the whole answer, and mostly in its last chunk; `error` ends it."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None


def read_chunk(data: str) -> Chunk:
    """Raises ValueError or RecursionError for what is no chunk."""
    return msgspec.json.decode(data, type=Chunk)


def words_of(error: Any, clean: Callable[[str], str]) -> str:
    """An error's own words, in a line: `{"error": {"message"}}` and its relatives; "" if it has none. `clean` takes out
    what is not for anybody, before anything is cut: half of it would be there else.
    """
    if isinstance(error, str):
        said = clean(error)[: 4 * _SAID_MAX]
        line = " ".join("".join(one if one.isprintable() else " " for one in said).split())
        return cut(line, _SAID_MAX)
    if isinstance(error, dict):
        found = (words_of(error[name], clean) for name in ("error", "message", "detail") if name in error)
        return next(filter(None, found), "")
    return ""


def words_of_body(content: bytes, clean: Callable[[str], str]) -> str:
    """Of an answer that is an error."""
    try:
        return words_of(msgspec.json.decode(content), clean)
    except (ValueError, RecursionError):
        return ""
