"""Who asks one of Quart's resources, and what he may: each resource says what it takes, in its first line.

A resource that says nothing is found by a test (`tests/e2e/test_access_walk.py`): all that is served is asked for
without a credential, with a bad one, and with one that lacks the right.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial

from quart import g

from service.access.caller import Caller
from service.access.gate import Act, Gate
from service.access.origins import Asker
from service.core.errors import TwinwireError
from service.core.topics import TopicFilter
from service.wire.poll import Waiter


@dataclass(frozen=True, slots=True)
class Visit:
    """One request's."""

    gate: Gate
    caller: Caller
    act: Act
    asker: Asker

    def readable(self) -> TopicFilter:
        """All that may be read. Raises ScopeError or UnauthorizedError if that is nothing."""
        return self.gate.readable(self.caller, self.act, None)

    def check_read(self, topic: str) -> None:
        """Raises ScopeError or UnauthorizedError if it may not be read."""
        self.gate.check_read(self.caller, self.act, topic)

    def check_filter(self, topics: TopicFilter) -> None:
        """Raises ScopeError or UnauthorizedError unless all of it may be read."""
        self.gate.readable(self.caller, self.act, topics)

    def is_https(self) -> bool:
        """Whether the browser that asks speaks https."""
        return self.gate.is_https(self.asker)

    def check_publish(self, topic: str) -> None:
        """Raises ScopeError or UnauthorizedError if it may not be published to."""
        self.gate.check_publish(self.caller, self.act, topic)

    def check_run(self, topic: str) -> None:
        """Raises ScopeError or UnauthorizedError if what agents wrote there may not be run at his wish."""
        self.gate.check_run(self.caller, self.act, topic)

    def may_run(self, topic: str) -> bool:
        """The same as an answer."""
        return self.caller.rights.may_run(topic)

    def spending(self, events: int, topics: int = 0) -> AbstractContextManager[object]:
        """Around what publishes so many events, on so many topics that are new, because he wishes it.

        Raises RateLimitedError, after counting it, beyond what he may; what is refused inside costs him nothing.
        """
        spending = self.gate.spending
        if spending is None:
            return nullcontext()
        spent = self.gate.counted(self.act, "rate", partial(spending.work, self.caller, events, topics))
        return nullcontext() if spent is None else spent

    @asynccontextmanager
    async def waiting(self, seconds: float) -> AsyncIterator[None]:
        """Inside he waits, for so long at most, as a poll does: in one of its places, and until the service goes or his
        credential ends. What he is told then, he may have: else it raises InvalidTokenError.

        Raises DrainingError, OverloadedError or RateLimitedError if there is no place to wait in.
        """
        with self.gate.place(Act.WAIT, self.caller) as lease, suppress(TimeoutError):
            left = min(seconds, self.gate.authority.seconds_left(self.caller))
            async with asyncio.timeout(left) as limit:
                lease.told = Waiter(limit).behind
                with self.gate.drain.telling(lease.told):
                    yield
        self.gate.check_still(self.caller, self.act)

    def check_admin(self, *, metrics: bool = False) -> None:
        """Raises ScopeError or UnauthorizedError for who may not what operators do; or, of those, read the metrics."""
        self.gate.check_admin(self.caller, self.act, metrics=metrics)

    def refuse(self, error: TwinwireError) -> TwinwireError:
        """Count and log a refusal of a credential that came otherwise; returns the error to be raised."""
        return self.gate.refuse_caller(self.act, error)

    def reader(self) -> Callable[[str], bool]:
        """Whether a topic may be read, for lists that show only those. Raises UnauthorizedError for who may nothing."""
        self.gate.check_any(self.caller, self.act)
        return self.caller.rights.reader()


def meet(gate: Gate, asker: Asker, act: Act, *, is_open: bool = False) -> None:
    """For this request: ask the gate, and remember who was let in. Raises what `Gate.enter` raises."""
    g.visit = Visit(gate, gate.enter(asker, act, is_open=is_open).caller, act, asker)


def visit() -> Visit:
    """This request's."""
    found: Visit = g.visit
    return found
