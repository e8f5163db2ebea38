"""Members of this process, and who follows users as they come and go: presence, as an application uses it
(`service.apps.base.Company`)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from service.bus.presence import PresenceBus
from service.core.errors import ForbiddenError, InvalidError, NotFoundError, OverloadedError, TooLargeError
from service.core.member import check_ours, is_ours
from service.core.place import Change, Gone, Shown
from service.core.presence import Party
from service.core.topics import check_open, check_topic

OURS: Final = "\n+"
"""As whom all of them count: no caller does."""


DATA_MAX: Final = 1024
"""Bytes of what one of them tells, whatever clients may: the service does not start without its own."""


def _outside(moved: Iterable[Shown | Gone]) -> set[str | None]:
    """Users of whom one is no member of this process."""
    return {one.user for one in moved if not is_ours(one.member)}


class OwnCompany:
    """On one bus. `passage` makes what followers are told."""

    def __init__(self, bus: PresenceBus, passage: Callable[..., Any]) -> None:
        self._bus = bus
        self._passage = passage

    def enter(self, place: str, member: str, *, user: str | None = None, data: Mapping[str, Any] | None = None) -> bool:
        """See `Company`."""
        check_open(check_topic(place, "place"), "place")
        check_ours(member)
        try:
            self._bus.enter(place, member, Party(user, OURS, is_ours=True), data=self._text(data))
        except (OverloadedError, ForbiddenError):
            return False
        return True

    def update(self, place: str, member: str, data: Mapping[str, Any]) -> bool:
        """See `Company`."""
        found = self._bus.find(place, member)
        return found is not None and self.enter(place, member, user=found.shown.user, data=data)

    def leave(self, place: str, member: str) -> bool:
        """See `Company`."""
        check_ours(member)
        try:
            self._bus.remove(place, member, "left")
        except NotFoundError:
            return False
        return True

    def users(self, place: str) -> Mapping[str, int]:
        """See `Company`."""
        return self._bus.state.users(place)

    def follow(self, callback: Callable[[Any], None]) -> Callable[[], None]:
        """See `Company`."""

        def told(change: Change) -> None:
            joined, left = _outside(change.joins), _outside(change.leaves)
            came = tuple(user for user in change.came if user in joined)
            went = tuple(user for user in change.went if user in left)
            if came or went:
                callback(self._passage(change.place, came, went, change.users, change.members))

        stop: Callable[[], None] = self._bus.telling.follow(told)
        return stop

    def _text(self, data: Mapping[str, Any] | None) -> str | None:
        if data is None:
            return None
        try:
            text = msgspec.json.encode(data).decode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidError(f"data is a JSON object: {error}", field="data") from error
        if len(text.encode()) > DATA_MAX:
            raise TooLargeError(f"data has at most {DATA_MAX} bytes", field="data")
        return text
