"""A target: a strategy, and what judges one of its inputs."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis.strategies import SearchStrategy

T = TypeVar("T")
Check = Callable[[T], None]


class BreachError(AssertionError):
    """An input was answered in a way that none may be."""


def must(condition: object, otherwise: str) -> None:
    if not condition:
        raise BreachError(otherwise)


@dataclass(frozen=True, slots=True)
class Target:
    """`open` makes the check, and what it needs as long as it runs. `share` of all inputs, relative to the others.

    `is_apart`: the work is done in another process, whose steps `open` judges at its end.
    """

    name: str
    inputs: SearchStrategy[Any]
    open: Callable[[], AbstractContextManager[Check[Any]]]
    share: int = 10
    is_apart: bool = False


@dataclass(slots=True)
class Targets:
    """The list of them, filled by the modules."""

    by_name: dict[str, Target] = field(default_factory=dict)

    def pure(self, name: str, inputs: SearchStrategy[T], share: int = 10) -> Callable[[Check[T]], Check[T]]:
        """A check that needs nothing around it."""

        def register(check: Check[T]) -> Check[T]:
            self.add(Target(name, inputs, lambda: nullcontext(check), share))
            return check

        return register

    def add(self, target: Target) -> None:
        assert target.name not in self.by_name
        self.by_name[target.name] = target
