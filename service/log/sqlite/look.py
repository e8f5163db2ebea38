"""What one page of the log is looked for in."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from service.core.event import Width
from service.core.topics import TopicFilter

MORE: Final = {Width.PLAIN: "", Width.TRACED: ", traceparent", Width.WHOLE: ", traceparent, subject, mark"}
"""What a statement asks for behind an event's data."""

_ALL_TOPICS: Final = """
SELECT e.offset, t.name, e.type, e.time, e.prev, e.data{more_columns}
FROM events e CROSS JOIN topics t ON t.id = e.topic
WHERE e.offset > :low AND e.offset < :high{more} ORDER BY e.offset {order} LIMIT :limit
"""


class Look(NamedTuple):
    """What one page is looked for in: a range of offsets, both ends exclusive, and what of it is wanted."""

    topics: TopicFilter
    low: int
    high: int
    limit: int
    max_bytes: int
    newest_first: bool
    type: str | None
    width: Width = Width.PLAIN
    """Of the rows."""

    @property
    def more(self) -> str:
        """The columns beyond those that each row has."""
        return MORE[self.width]

    @property
    def order(self) -> str:
        return "DESC" if self.newest_first else "ASC"

    @property
    def all_topics(self) -> str:
        """The statement that reads the range whatever the topic."""
        return self.all_but(())

    def all_but(self, own: Sequence[int]) -> str:
        """The same without these topics, by their ids."""
        left_out = f" AND e.topic NOT IN ({','.join(map(str, own))})" if own else ""
        typed = "" if self.type is None else " AND e.type = :type"
        return _ALL_TOPICS.format(order=self.order, more=typed + left_out, more_columns=self.more)

    @property
    def end(self) -> int:
        """Where the next page begins once all of the range was looked at."""
        return self.low + 1 if self.newest_first else self.high - 1

    def behind(self, end: int) -> "Look":
        """What is left of the range once it was looked at up to there."""
        return self._replace(high=end) if self.newest_first else self._replace(low=end)

    def first(self, window: int) -> "Look":
        """The range cut after its first `window` offsets."""
        if self.newest_first:
            return self._replace(low=max(self.low, self.high - window - 1))
        return self._replace(high=min(self.high, self.low + window + 1))
