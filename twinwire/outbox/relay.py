"""The relay: publishes what transactions have left in the table, in its order, each row exactly once.

    read the first rows -> post them -> remove them, and again

A row is removed once the service has said that its event is on disk. Whoever dies before that posts it again, with the
same key, which the service answers as a repeat. So each of the three, application, relay and service, may die at any
moment; what it had not finished is begun anew.
"""

import logging
import threading
import time
from collections.abc import Callable
from itertools import takewhile
from types import TracebackType
from typing import Any, Final

from twinwire.blocking import Twinwire
from twinwire.errors import ClosedError, ForkedError, InvalidError, TwinwireError
from twinwire.outbox.drivers import connect as connect_to
from twinwire.outbox.leading import POLL, Leading, leading
from twinwire.outbox.rows import ROWS_MAX, Refusal, Row, Rows
from twinwire.outbox.verdict import judged
from twinwire.timing import Backoff, Timing

logger: Final = logging.getLogger("twinwire.outbox")

STANDBY: Final = 0.5
"""Seconds between two looks whether the relay that posts is gone."""

HELD: Final = 30.0
"""Seconds for which a topic waits that the token may not publish on; an operator may have mended it by then."""

HELD_MAX: Final = 900
"""Topics that wait so; if one more would have to, the token is not the right one, and everything waits."""

TOLD: Final = 60.0
"""Seconds after which what goes on failing is told again."""

BACKOFF: Final = Timing(backoff_base=0.1, backoff_cap=5.0)
"""Few relays come back to one service, so they may do it soon."""


class Relay:
    """`run` it in a process of its own, or `with Relay(...)` in a thread of this one.

    `connect` gives a connection that nobody else uses, through which the session's lock is held (so not by a pooler
    that shares sessions), or is a DSN (`drivers.connect`). `poll`: seconds between two looks where the database does
    not tell. With `hold` a topic of which a row is set aside waits until that is gone, or put back. `on_refused` is
    called with each row that is set aside, on the relay's thread.

    `published`, `refused` and `failed` count rows, rows and attempts since it was made; `is_leading` tells whether it
    is the one that posts, `trouble` what it can't go on for at the moment.
    """

    def __init__(
        self,
        connect: Callable[[], Any] | str,
        client: Twinwire,
        *,
        poll: float = POLL,
        hold: bool = False,
        on_refused: Callable[[Refusal], object] | None = None,
    ) -> None:
        if not poll > 0:
            raise InvalidError("poll is a number of seconds above 0")
        self._connect: Callable[[], Any] = (lambda: connect_to(connect)) if isinstance(connect, str) else connect
        self._client = client
        self._poll = poll
        self._is_holding = hold
        self._on_refused = on_refused
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._backoff = Backoff(BACKOFF)
        self._held: dict[str, float] = {}
        """Topics that the token may not publish on, and until when they wait."""
        self._why_held = ""
        self._told = 0.0
        self.published = 0
        self.refused = 0
        self.failed = 0
        self.is_leading = False
        self.trouble: str | None = None

    def __enter__(self) -> "Relay":
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run_and_tell, name="twinwire-relay", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._thread is not None
        self.stop()
        self._thread.join()

    def stop(self) -> None:
        """Ends `run` after the request that is under way; from any thread, or a signal's handler."""
        self._stopped.set()

    def run(self) -> None:
        """Until `stop`; what fails is waited out, and told. Raises ClosedError or ForkedError if the client is no good
        any more, and InvalidError for a DSN or a connection that is none."""
        while not self._stopped.is_set():
            opened: Any = None
            try:
                connection = opened = self._connect()
                found = opened = leading(connection, self._stopped.wait)
                self._serve(found, Rows(connection, found.kind, is_holding=self._is_holding))
            except TwinwireError:
                raise
            except Exception as error:  # whatever the driver raises: the database comes back, or an operator is told
                self._wait_out(f"the database fails: {type(error).__name__}: {error}".strip())
            finally:
                self.is_leading = False
                _close(opened)

    def _run_and_tell(self) -> None:
        try:
            self.run()
        except Exception as error:
            self.trouble = str(error)
            logger.exception("the relay has ended")

    def _serve(self, found: Leading, rows: Rows) -> None:
        """While the connection lasts."""
        while not self._stopped.is_set():
            if not found.is_ours():
                self._stopped.wait(STANDBY)
                continue
            if not self.is_leading:
                self.is_leading = True
                logger.info("this relay publishes now")
            if self._once(rows):
                continue
            found.wait(self._poll)

    def _once(self, rows: Rows) -> bool:
        """Publishes what is first; whether there may be more to do at once."""
        now = time.monotonic()
        self._held = {topic: until for topic, until in self._held.items() if until > now}
        left = rows.read(self._held)
        if not left:
            self._is_well()
            return False
        size = ROWS_MAX
        while left and not self._stopped.is_set():
            sent = list(takewhile(lambda row: row.fault is None, left[:size]))
            if not sent:
                row = left.pop(0)
                left = self._set_aside(rows, row, left, row.fault or TwinwireError("it can't be sent"))
                continue
            error = self._post(rows, sent)
            if error is None:
                del left[: len(sent)]
                size = min(size * 2, ROWS_MAX)
                continue
            del left[: len(error.stored)]
            sent = sent[len(error.stored) :]
            verdict = judged(error, len(sent))
            size = max(1, min(size, len(sent)) // 2)
            if verdict.what == "aside":
                row = left.pop(verdict.number)
                left = self._set_aside(rows, row, left, error)
            elif verdict.what == "hold" and len(self._held) < HELD_MAX:
                left = self._hold(sent[verdict.number], left, error)
            elif verdict.what != "fewer":
                self._wait_out(error.detail, error.retry_after)
                return True
        return True

    def _post(self, rows: Rows, sent: list[Row]) -> TwinwireError | None:
        """Publishes and removes them; else, why not all of them: what was published is removed. Raises ClosedError,
        ForkedError, and what the driver does."""
        error = None
        published = len(sent)
        try:
            self._client.publish_many([row.draft for row in sent])
        except (ClosedError, ForkedError):
            raise
        except TwinwireError as raised:
            error = raised
            published = len(error.stored)
        except Exception as raised:  # whatever a program's function for tokens raises
            error = TwinwireError(f"{type(raised).__name__}: {raised}", is_passing=True)
            published = 0
        rows.remove(sent[:published])
        self.published += published
        if published:
            self._is_well()
        return error

    def _set_aside(self, rows: Rows, row: Row, left: list[Row], error: TwinwireError) -> list[Row]:
        """What is left then."""
        draft = row.draft
        reason = f"{error.detail} ({error.field})" if error.field else error.detail
        rows.set_aside(row, reason)
        self.refused += 1
        logger.error("row %d on %s is refused for good, and set aside: %s", row.id, draft.topic, reason)
        if self._on_refused is not None:
            try:
                self._on_refused(Refusal(row.id, draft.topic, draft.type, draft.key, error.status, reason))
            except Exception:
                logger.exception("on_refused has failed")
        return _without(left, row) if self._is_holding else left

    def _hold(self, row: Row, left: list[Row], error: TwinwireError) -> list[Row]:
        """What is left then."""
        topic = row.draft.topic
        self._held[topic] = time.monotonic() + HELD
        self._why_held = error.detail
        logger.error("%s waits, and what is on other topics goes on: %s", topic, error.detail)
        return _without(left, row)

    def _wait_out(self, why: str, retry_after: float | None = None) -> None:
        self.failed += 1
        now = time.monotonic()
        if self.trouble is None or now - self._told > TOLD:
            self._told = now
            logger.warning("rows wait, and it is tried again: %s", why)
        self.trouble = why
        self._stopped.wait(max(retry_after or 0.0, self._backoff.next()))

    def _is_well(self) -> None:
        """But for topics that wait."""
        waits = f"{len(self._held)} topics wait: {self._why_held}" if self._held else None
        if waits is None and self.trouble is not None:
            logger.info("it goes on")
        self.trouble = waits
        self._backoff.reset()


def _without(left: list[Row], row: Row) -> list[Row]:
    """Nothing of its topic from it on."""
    return [one for one in left if one.draft.topic != row.draft.topic or one.id < row.id]


def _close(opened: Any) -> None:
    """A connection, or what leads with it."""
    try:
        if opened is not None:
            opened.close()
    except Exception:
        logger.debug("a connection could not be closed", exc_info=True)
