"""The table: the zeros first, then how much there was of everything."""

from collections.abc import Iterator

from tests.kills.judge import ZEROS
from tests.kills.run import Result


def table(result: Result) -> Iterator[str]:
    """Lines for people."""
    for kind in ZEROS:
        yield _row(kind, result.faults.counts[kind])
    yield _row("files, sizes, stops, tracebacks", len(result.wrong))
    yield ""
    killer, ledger = result.killer, result.ledger
    yield _row("cycles", result.cycles, _counted(killer.kills))
    yield _row("seconds", round(result.seconds))
    yield _row("  in mid-checkpoint", killer.in_checkpoint)
    yield _row("sent", len(ledger.sent))
    yield _row("acknowledged", len(ledger.acknowledged), _counted(ledger.by_kind))
    yield _row("delivered", sum(len(one.offsets) for one in result.journals))
    for one in result.journals:
        yield _row(f"  {one.name}", len(one.offsets), f"{one.connections:,} connections, {len(one.gaps):,} gaps told")
    yield _row("trims asked, answered", result.trimmer.asked, f"{result.trimmer.done:,}")
    yield _row("events kept", result.kept)
    yield _row("replaced, and gone", result.compacted)
    yield _row("texts joined, as they were met", result.joins)
    yield _row("database, KiB", result.database >> 10)
    yield _row("largest WAL, KiB", killer.wal >> 10)
    for line in (*result.wrong, *result.faults.examples):
        yield f"FAULT {line}"
    yield "all zeros" if result.is_good else "NOT all zeros"


def _row(name: str, count: int, rest: str = "") -> str:
    return f"{name:<32}{count:>12,}  {rest}".rstrip()


def _counted(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
