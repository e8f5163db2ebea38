"""An answer as it comes: a stream of chunks, from its head to its end."""

from typing import Final

import httpx2

from service.apps.projects.llm.chunks import Chunk, read_chunk, words_of
from service.apps.projects.llm.exchange import Answer, tokens_of_bytes
from service.apps.projects.llm.faults import EndpointError, OutOfTokensError
from service.apps.projects.llm.fences import ANSWER_MAX
from service.apps.projects.llm.hearing import Hearing
from service.apps.projects.llm.hiding import Hiding, Pieces
from service.apps.projects.llm.refusals import broken_off, nonsense
from service.apps.projects.llm.sse import Events, EventTooLongError

WIRE_MAX: Final = 64 << 20
"""Bytes of an answer on the wire: some hundred for each token."""

_STREAM: Final = "text/event-stream"
_END: Final = "[DONE]"


class Listening:
    """To one answer."""

    def __init__(self, room: int, cost: int, hearing: Hearing, hiding: Hiding) -> None:
        """`room` is how many tokens question and answer may have, `cost` how many the question has."""
        self._room = room
        self._cost = cost
        self._hearing = hearing
        self._hiding = hiding
        self._pieces = Pieces(hiding)
        self._text: list[str] = []
        self._length = 0
        self._deltas = 0
        self._bytes = 0
        self._told = 0
        self._final: int | None = None
        self._finish: str | None = None
        self._is_told = False

    async def listen(self, response: httpx2.Response) -> Answer:
        """Raises EndpointError, OutOfTokensError, httpx2.HTTPError."""
        self._check_head(response)
        self._hearing.count(self._cost)
        events, size = Events(), 0
        try:
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > WIRE_MAX:
                    raise nonsense(f"has sent over {WIRE_MAX >> 20} MiB for one answer")
                for data in events.feed(chunk):
                    if data == _END:
                        return self._end()
                    self._take(data)
        except UnicodeDecodeError:
            raise nonsense("sends bytes that are not UTF-8") from None
        except EventTooLongError:
            raise nonsense("sends a line that is longer than any answer's") from None
        if self._finish is not None:  # some end without a word
            return self._end()
        if size and not self._is_told:
            raise nonsense("answers with something else than events of a chat completion")
        raise broken_off(self._hearing.has_begun)

    def _check_head(self, response: httpx2.Response) -> None:
        media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != _STREAM:
            shown = words_of(media, self._hiding.clean) or "no media type"
            raise nonsense(f"answers with {shown} in place of a stream ({_STREAM})")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise nonsense("answers compressed, which was not asked for")

    def _take(self, data: str) -> None:
        try:
            chunk = read_chunk(data)
        except (ValueError, RecursionError):
            raise nonsense("sends an event that is not a chunk of a chat completion") from None
        self._is_told = True
        if chunk.error:
            said = words_of(chunk.error, self._hiding.clean) or "and does not say why"
            what = f"The model's endpoint gave up ({said})"
            raise EndpointError(what, "look into its log, or generate again later", transient=True)
        self._hear(chunk)
        used = self._used(None if chunk.usage is None else chunk.usage.tokens)
        self._hearing.count(used)
        if self._finish is None and used > self._room:
            raise OutOfTokensError

    def _used(self, told: int | None) -> int:
        """Tokens so far. What is told with the end or after it counts; before that it may be of the question alone."""
        self._told = self._told if told is None else told
        if told is not None and self._finish is not None:
            self._final = told
        return max(self._told, self._cost + self._estimate) if self._final is None else self._final

    @property
    def _estimate(self) -> int:
        """Tokens of the answer so far: mostly a piece is one, and some endpoints send several together."""
        return max(self._deltas, tokens_of_bytes(self._bytes))

    def _hear(self, chunk: Chunk) -> None:
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.delta is not None:
                self._say(choice.delta.content or "", choice.delta.reasoning_content or "")
            self._finish = choice.finish_reason or self._finish

    def _say(self, text: str, thought: str) -> None:
        if not text and not thought:
            return
        self._length += len(text)
        self._deltas += 1
        self._bytes += len(text.encode("utf-8", "replace")) + len(thought.encode("utf-8", "replace"))
        if self._length > ANSWER_MAX:
            raise EndpointError(
                f"The model does not come to an end: over {ANSWER_MAX:,} characters in one answer",
                "see whether the endpoint honours max_tokens, or lower TWINWIRE_LLM_ANSWER_TOKENS",
            )
        shown = self._pieces.feed(text)
        self._text.append(shown)
        self._hearing.hear(shown)

    def _end(self) -> Answer:
        rest = self._pieces.rest()
        self._text.append(rest)
        if rest:
            self._hearing.hear(rest)
        if self._finish == "content_filter":
            raise EndpointError(
                "The model's endpoint withheld the answer (content_filter)", "change the project's brief or name"
            )
        return Answer("".join(self._text), is_cut=self._finish == "length")
