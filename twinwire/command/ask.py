"""`twinwire ask`: a question to people, from a script that waits for the answer (docs/questions.md).

It waits on whatever happens to the service or to the network: the question is there, with its key, and asking again
asks nothing anew. Whoever ends the command takes the question back, so that nobody answers to nobody.
"""

import asyncio
import contextlib
import re
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from twinwire.command.output import write_json
from twinwire.command.reaching import Telling, bearer_of, explained, reaching, tell
from twinwire.errors import Fault, TwinwireError
from twinwire.logs import logger
from twinwire.place import Place
from twinwire.projects import in_project
from twinwire.timing import Backoff, Timing
from twinwire.token import Token

if TYPE_CHECKING:
    from twinwire.http import Http

UNANSWERED: Final = 3
"""Exit status where there is no answer: nobody gave one in time, or the question was withdrawn."""

WAIT: Final = 25.0
"""Seconds of one request that waits: less than what proxies allow."""

PATIENCE: Final = 60.0
"""Seconds after the question's time for which a service that can't be reached is asked what became of it."""

FAREWELL: Final = 5.0
"""Seconds for taking the question back."""

_ENDING: Final = () if sys.platform == "win32" else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end it; on Windows, where an event loop hears of none, it just ends."""
_PARTS: Final = {"s": 1, "m": 60, "h": 3_600}
_TIME: Final = re.compile(r"(?:\d{1,6}h)?(?:\d{1,6}m)?(?:\d{1,6}s?)?", re.ASCII)
_OPTIONS: Final = {
    "question": "QUESTION",
    "choices": "--choices",
    "default": "--default",
    "timeout": "--timeout",
    "key": "--key",
}


class Question(msgspec.Struct):
    """As the service tells it; `how` is None while it is open."""

    id: str
    project: str
    how: str | None
    answer: str | None
    by: str | None


class Asking(msgspec.Struct):
    """What is asked; `timeout` is seconds."""

    key: str
    question: str
    timeout: float
    choices: list[str] | None
    default: str | None


def seconds_of(text: str) -> float:
    """Of `90`, `90s`, `10m`, `1h30m`. Raises ValueError."""
    if not text or _TIME.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no time: write 90s, 10m or 1h30m")
    found = re.findall(r"(\d+)([hms]?)", text)
    return float(sum(int(number) * _PARTS[part or "s"] for number, part in found))


def given_seconds(text: str) -> float:
    """The same of an option."""
    try:
        return seconds_of(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.argument("question")
@click.option("--project", required=True, help="The project's id or name; made if there is none of this name.")
@click.option("--choices", help="Answers to choose from, with commas between; without, any line of text.")
@click.option(
    "--timeout",
    type=given_seconds,
    default="10m",
    metavar="TIME",
    show_default=True,
    help="How long it may be answered.",
)
@click.option("--default", help="The answer when the time is over.")
@click.option("--key", help="Who asks again with the same key is told what became of the first time.")
@reaching
def ask(
    question: str,
    project: str,
    choices: str | None,
    timeout: float,
    default: str | None,
    key: str | None,
    url: str,
    token_file: Path | None,
) -> None:
    """Ask people on a project's page, and print the first answer.

    Exit status 3 if there is none. Ctrl-C withdraws the question.
    """
    given = None if choices is None else [choice.strip() for choice in choices.split(",")]
    asking = Asking(key or secrets.token_hex(16), question, timeout, given, default)
    bearer = bearer_of(token_file)
    with explained(bearer), Telling():
        found = asyncio.run(_ask(Place(url), Token(bearer.source), project, asking))
    if isinstance(found, signal.Signals):
        click.get_current_context().exit(128 + found)
    if found.answer is not None:
        write_json(found.answer.encode())  # exact for a program, harmless on a terminal
        return
    withdrawn = f"the question was withdrawn by {found.by or 'somebody'}"
    tell(withdrawn if found.how == "withdrawn" else "nobody answered in time")
    click.get_current_context().exit(UNANSWERED)


async def _ask(place: Place, token: Token, project: str, asking: Asking) -> Question | signal.Signals:
    """The question once it is not open any more; or the signal that has ended the command, once the question was taken
    back. Raises TwinwireError."""
    from twinwire.http import Http

    http = Http(place, token, Timing())
    came: list[signal.Signals] = []
    try:
        task = asyncio.ensure_future(Patient(http, project, asking).ask())

        def end(number: signal.Signals) -> None:
            came.append(number)
            task.cancel()

        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
                asyncio.get_running_loop().add_signal_handler(number, end, number)
        await asyncio.wait({task})
        return came[0] if task.cancelled() else task.result()
    finally:
        await http.close()


class Patient:
    """Asks one question of a service that may be away now and then."""

    def __init__(self, http: "Http", project: str, asking: Asking) -> None:
        self._http = http
        self._project = project
        self._asking = asking
        self._asked: Question | None = None
        self._is_sent = False
        self._end = asyncio.get_running_loop().time() + asking.timeout + PATIENCE

    async def ask(self) -> Question:
        """Once it is not open any more. Raises TwinwireError."""
        try:
            question = self._asked = await self._tried(self._begin)
            self._end = asyncio.get_running_loop().time() + self._asking.timeout + PATIENCE  # it has all its time
            while question.how is None:
                question = await self._tried(partial(self._look, question))
            return question
        except asyncio.CancelledError:
            with contextlib.suppress(TwinwireError, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._withdraw()
            raise

    async def _begin(self) -> Question:
        return await in_project(self._http, self._project, self._post)

    async def _post(self, project: str) -> Question:
        url = self._http.place.url(f"projects/{project}/questions")
        self._is_sent = True
        try:
            return await self._http.json("POST", url, Question, body=msgspec.json.encode(self._asking))
        except TwinwireError as error:
            option = _OPTIONS.get((error.field or "").partition(".")[0])
            if option is None:
                raise
            raise TwinwireError(f"{option}: {error.detail}", status=error.status, field=error.field) from error

    async def _look(self, question: Question) -> Question:
        """What has become of it, in a while."""
        url = f"{self._url_of(question)}?wait={WAIT:g}"
        try:
            return await self._http.json("GET", url, Question, within=WAIT + self._http.timing.request)
        except TwinwireError as error:
            if error.status != 404:
                raise
            raise TwinwireError("the question is not there any more, nor its answer", status=404) from error

    async def _withdraw(self) -> None:
        """If it was asked; where no answer to that has come, it is asked again, with the same key, to know its id."""
        question = self._asked
        if question is None and self._is_sent:
            question = await self._begin()
        if question is not None and question.how is None:
            backoff = Backoff(self._http.timing)
            while isinstance(fault := await self._http.attempt("DELETE", self._url_of(question), object), Fault):
                if fault.status and fault.status < 500:  # it has ended, or nobody may
                    return
                await asyncio.sleep(backoff.next())

    def _url_of(self, question: Question) -> str:
        return self._http.place.url(f"projects/{question.project}/questions/{question.id}")

    async def _tried(self, request: Callable[[], Awaitable[Question]]) -> Question:
        """Again as long as there is time. Raises TwinwireError where that has not helped, or would not."""
        backoff = Backoff(self._http.timing)
        while True:
            try:
                return await request()
            except TwinwireError as error:
                delay = max(backoff.next(), error.retry_after or 0.0)
                if not error.is_passing or asyncio.get_running_loop().time() + delay > self._end:
                    raise
                logger.info("%s; trying again", error.detail)
            await asyncio.sleep(delay)
