"""The relay as a program of its own: what `twinwire relay` runs."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twinwire.blocking import Twinwire
from twinwire.outbox.leading import POLL
from twinwire.outbox.relay import Relay
from twinwire.token import Source


def run_relay(
    connect: Callable[[], Any] | str,
    url: str | None = None,
    token: Source | None = None,
    *,
    poll: float = POLL,
    hold: bool = False,
) -> None:
    """Publishes what the table of this database has, until SIGTERM or SIGINT; `url` and `token` as of `Twinwire`, the
    rest as of `Relay`. Raises TwinwireError for what no waiting helps with: a DSN, a URL or a token that can't be one,
    a driver that is not installed."""
    with Twinwire(url, token=token, retry_for=0.0) as client:  # the relay waits itself, and can be stopped meanwhile
        relay = Relay(connect, client, poll=poll, hold=hold)
        with _ended_by_signals(relay):
            relay.run()


@contextmanager
def _ended_by_signals(relay: Relay) -> Iterator[None]:
    """Where they can be had: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # In a thread: the handler runs in the one that may be waiting for the very event that `stop` sets.
    stop = lambda *_: threading.Thread(target=relay.stop, daemon=True).start()  # noqa: E731
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
