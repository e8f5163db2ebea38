"""One question to an OpenAI-compatible endpoint, and its answer as it comes.

Theory. A question is tried a few times (`ask`), each try is one request on a connection of its own (`_once`): what that
costs is little beside what a model takes, and a connection that is closed is the one way in which every endpoint learns
that nobody waits any more. So cancelling is closing: CancelledError comes out of a read, and the connection goes.

What bounds a try: TWINWIRE_LLM_SILENCE for each read, the seconds that the run has left for all of them together, the
tokens that it has left, and constants for what no honest answer has (ANSWER_MAX, WIRE_MAX, EVENT_MAX).

What is tried again: what may be otherwise a moment later (429, 5xx, a connection that can't be made, breaks or
stalls), at most TRIES times, after a pause that doubles, or as long as `Retry-After` asks for if the run has that much
time. What a bad try has said is forgotten: an answer is whole or there is none. Everything else fails at once.

The key goes into one header, of requests to the address that the settings name: redirects are not followed. What the
endpoint sends is looked through for it before anybody sees it; and so is what the HTTP library logs.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx2
import msgspec

from service.apps.projects.llm.exchange import Answer, Question
from service.apps.projects.llm.faults import EndpointError, OutOfTokensError
from service.apps.projects.llm.hearing import Hearing
from service.apps.projects.llm.hiding import Hiding
from service.apps.projects.llm.listening import Listening
from service.apps.projects.llm.refusals import fault_of, refusal, unheard
from service.apps.projects.llm.settings import ModelSettings
from service.core.time import Clock

TRIES: Final = 4
"""Of one question, the first included."""

PAUSE: Final = 1.0
"""Seconds before the second try; each further one waits twice as long, and up to a quarter more, by chance."""

CONNECT: Final = 10.0
"""Seconds in which a connection is made."""

BODY_MAX: Final = 64 << 10
"""Bytes that are read of an answer that is an error."""

_LOGGERS: Final = ("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.proxy")
"""Those of the HTTP library, which tell of each request with words of the endpoint in it."""


class Endpoint:
    """The endpoint that the settings name; `close` it. Making one reads certificates, which takes a moment."""

    def __init__(self, settings: ModelSettings, clock: Clock) -> None:
        key = settings.llm_key.get_secret_value()
        host = urlsplit(settings.llm_url).hostname or ""
        is_here = _is_loopback(host)
        self.model: Final = settings.llm_model
        self.is_overheard: Final = bool(key) and not is_here and settings.llm_url.startswith("http:")
        """Whoever is on the way can read the key."""
        self._url = f"{settings.llm_url}/chat/completions"
        self._silence = settings.llm_silence
        self._clock = clock
        self._hiding = Hiding(key)
        self._tokens_word = "max_tokens"
        self._asks_usage = True
        self._filter = _KeyFilter(self._hiding)
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self._filter)
        timeout = httpx2.Timeout(self._silence, connect=min(CONNECT, self._silence), pool=None)
        self._client = httpx2.AsyncClient(
            headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {key}"} if key else {}),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # nothing of what it sends is kept
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            timeout=timeout,
            trust_env=not is_here,  # a proxy can't reach this machine's own
        )

    async def close(self) -> None:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._filter)
        await self._client.aclose()

    async def ask(self, question: Question, hearing: Hearing) -> Answer:
        """`hearing` is told what comes, and why it is tried again; it counts what was used, also if this raises.

        Raises EndpointError, OutOfTokensError, or TimeoutError when the question's seconds are over.
        """
        end = self._clock.monotonic() + question.seconds
        for tries in range(1, TRIES + 1):
            hearing.begin()
            try:
                async with asyncio.timeout(max(0.0, end - self._clock.monotonic())):
                    return await self._once(question, hearing)
            except EndpointError as fault:
                if not fault.transient or tries == TRIES:
                    raise fault.after(tries) from None
                pause = self._pause(fault, tries, end - self._clock.monotonic())
                hearing.note(f"{fault.what}: trying again in {pause:.0f} s")
            await self._clock.sleep(pause)
        raise AssertionError("unreachable")

    def _pause(self, fault: EndpointError, tries: int, left: float) -> float:
        """Seconds. Raises EndpointError if there is not as much time."""
        pause: float = PAUSE * 2 ** (tries - 1) * random.uniform(1, 1.25)
        if fault.wait is not None and fault.wait > pause:
            pause = fault.wait
        if pause < left:
            return pause
        advice = (
            f"the next try is due in {pause:.0f} s, and the run has {max(0.0, left):.0f} s left"
            " (TWINWIRE_LLM_SECONDS_MAX): generate again later"
        )
        raise EndpointError(fault.after(tries).what, advice) from None

    async def _once(self, question: Question, hearing: Hearing) -> Answer:
        room = question.room - hearing.tokens
        if room < question.cost:
            raise OutOfTokensError
        while True:
            try:
                async with self._request(question) as response:
                    if not response.is_success:
                        content = await _body(response)
                        if self._speaks_otherwise(response.status_code, content):
                            continue
                        raise refusal(response, content, self._hiding)
                    return await Listening(room, question.cost, hearing, self._hiding).listen(response)
            except httpx2.HTTPError as error:
                raise fault_of(error, self._silence, hearing.has_begun, self._hiding) from None
            except httpx2.InvalidURL:
                raise unheard() from None

    @asynccontextmanager
    async def _request(self, question: Question) -> AsyncIterator[httpx2.Response]:
        body = {
            "model": self.model,
            "messages": question.messages,
            "stream": True,
            self._tokens_word: question.tokens,
        }
        if self._asks_usage:
            body["stream_options"] = {"include_usage": True}
        headers = {"Content-Type": "application/json"}
        async with self._client.stream(
            "POST", self._url, content=msgspec.json.encode(body), headers=headers
        ) as response:
            yield response

    def _speaks_otherwise(self, status: int, content: bytes) -> bool:
        """Whether it refuses a word of ours that has another one, or can go: then it is asked with that, from now on.

        Newer models of OpenAI's want `max_completion_tokens`; some endpoints know no `stream_options`.
        """
        if status not in {400, 422}:
            return False
        if b"max_completion_tokens" in content and self._tokens_word == "max_tokens":
            self._tokens_word = "max_completion_tokens"
            return True
        if b"stream_options" in content and self._asks_usage:
            self._asks_usage = False
            return True
        return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def _body(response: httpx2.Response) -> bytes:
    """The beginning of it."""
    content = b""
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) >= BODY_MAX:
            break
    return content[:BODY_MAX]


class _KeyFilter(logging.Filter):
    """An endpoint's reason phrase is whatever it likes."""

    def __init__(self, hiding: Hiding) -> None:
        super().__init__()
        self._hiding = hiding

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._hiding.clean(record.getMessage()), ()
        return True
