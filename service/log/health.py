"""How an engine of the log does."""

from dataclasses import dataclass, field

from service.core.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Health:
    """How an engine does. Figures that it has not are 0."""

    failure: str | None
    """Why the last write failed, in one line; None once one has succeeded."""
    commits: int
    """Since it was opened; many appends may share one."""
    commit_seconds: float
    """How long the last one took."""
    journal_bytes: int
    """Written ahead, and yet to be moved to where it stays."""
    newest: int = 0
    """The time of the newest event, in Unix milliseconds."""
    ballast_bytes: int = 0
    """Set aside for a full disk, so that events can be removed on it."""
    ballast_spent: int = 0
    """How often that was needed, since it was opened."""
    free_bytes: int = 0
    """Of the disk, a moment ago."""
    reserve_bytes: int = 0
    """Of it, that publishing leaves."""
    is_reserved: bool = False
    """Whether nothing more is taken for that."""
    database_bytes: int = 0
    """Of what stays, without what is written ahead."""
    topics: int = 0
    queued_events: int = 0
    """Of publishes that wait for their commit."""
    commit_durations: Histogram = field(default_factory=Histogram)
    """Seconds of each, since it was opened. It is the engine's own, and goes on."""
