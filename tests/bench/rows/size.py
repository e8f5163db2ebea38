"""Large logs: what is asked for has its price, and what is merely kept has none. By name only (`LARGE` in run.py)."""

from collections.abc import Iterator

from tests.bench.largelog import LargeLogs
from tests.bench.measure import Context, Row
from tests.bench.rows import size_forget, size_reads, size_topics, size_trim


def rows(context: Context) -> Iterator[Row]:
    """One log after the other, so that no more than one of them and its copy are on the disk."""
    logs = LargeLogs(context)
    yield from size_reads.rows(context, logs)
    yield from size_trim.rows(context, logs)
    yield from size_topics.rows(context, logs)
    yield from size_forget.rows(context, logs)
