"""What is told of a generation while it works: how it is by now, and its progress no more often than people can see."""

from service.apps.projects.changes import Change
from service.apps.projects.models import Run, RunUpdate
from service.apps.projects.runs.limits import UPDATE_PACE
from service.core.time import Clock


class News:
    """Of one run, by whoever carries it out. `run` is how it was told last, or is about to be."""

    def __init__(self, run: Run, clock: Clock) -> None:
        self.run = run
        self._clock = clock
        self._told: float | None = None

    def tell(self, change: Change, **now: object) -> Change:
        """With `change`, in which it becomes so."""
        self._told = self._clock.monotonic()
        self.run = self.run.model_copy(update=now)
        return change.tell(RunUpdate.of(self.run))

    def tell_progress(self, change: Change, **now: object) -> Change:
        """The same, unless something was told a moment ago: the end of the stage tells the last of it."""
        if self._told is not None and self._clock.monotonic() - self._told < UPDATE_PACE:
            return change
        return self.tell(change, **now)
