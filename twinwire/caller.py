"""Who asks, by the word of an application that has a service mounted in it: `caller=` of `twinwire.asgi`."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what he may: `Caller("ada", subscribe=["orders/*", "users/{sub}/**"], publish=["inbox"])`.

    `subject` is the user's id, 1 to 128 printable characters, None for nobody in particular. `subscribe` and `publish`
    are topic filters, 100 each at most, in which `{sub}` stands for the subject, and `run` are those of projects of
    which he may have run what agents wrote. `admin` may do everything, and what operators do; `metrics` may read the
    metrics. `expires` is when the application is asked again, and a stream ends whose client it does not let in any
    more: a `datetime` with a time zone, or Unix seconds, as of `time.time()`; None: never, so that a stream goes on for
    as long as its client stays. Raises TypeError or ValueError.
    """

    subject: str | None
    subscribe: Sequence[str] = ()
    publish: Sequence[str] = ()
    admin: bool = False
    metrics: bool = False
    expires: datetime | float | None = None
    run: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("subscribe", "publish", "run"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is a list of topic filters, not one of them")
        if isinstance(self.expires, datetime) and self.expires.tzinfo is None:
            raise ValueError("expires needs a time zone: datetime.now(UTC) + timedelta(minutes=5)")

    @property
    def claims(self) -> dict[str, Any]:
        """As in a token (docs/tokens.md)."""
        found: dict[str, Any] = {
            "subscribe": list(self.subscribe),
            "publish": list(self.publish),
            "admin": self.admin,
            "metrics": self.metrics,
            "run": list(self.run),
        }
        if self.subject is not None:
            found["sub"] = self.subject
        if self.expires is not None:
            found["exp"] = self.expires.timestamp() if isinstance(self.expires, datetime) else self.expires
        return found


CallerOf = Callable[[MutableMapping[str, Any]], Caller | Awaitable[Caller | None] | None]
"""From a request's ASGI scope, also asynchronously; None for who is nobody."""
