"""Bytes that all requests may hold together, of one kind: what they bring, or what they are answered."""

from types import TracebackType
from typing import Final, Self

from service.core.errors import OverloadedError

SMALL: Final = 64 * 1024
"""Bytes up to which a share may use all of the budget. Larger ones leave SPARE of it, so that a few of them which are
slow on purpose do not keep everybody else out."""

SPARE: Final = 1 / 4


class Budget:
    """`total` is in bytes; `detail` is what somebody is told for whom there is no room."""

    def __init__(self, total: int, detail: str) -> None:
        self.total: Final = total
        self.detail: Final = detail
        self.held = 0  # bytes; only `Share` writes it

    def share(self) -> "Share":
        return Share(self)


class Share:
    """What one request holds: a context manager, which gives it back."""

    __slots__ = ("_budget", "held")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.held = 0

    def take(self, size: int) -> None:
        """So many bytes more. Raises OverloadedError if there is no room for them."""
        budget = self._budget
        room = budget.total if self.held + size <= SMALL else int(budget.total * (1 - SPARE))
        if budget.held + size > room:
            raise OverloadedError(budget.detail)
        self.held += size
        budget.held += size

    def give(self, size: int) -> None:
        """So many of them back."""
        self.held -= size
        self._budget.held -= size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.held -= self.held
        self.held = 0
