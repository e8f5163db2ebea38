"""Replays and scans: in all, and of one caller, at the bound and one past it."""

import pytest

from service.access.caller import Caller
from service.access.reads import Reads
from service.core.errors import OverloadedError, RateLimitedError

ADA, BOB = Caller("ada"), Caller("bob")


def test_replays_and_scans_have_a_sum_each() -> None:
    reads = Reads(replays=2, scans=3)
    held = [reads.begin_replay(ADA) for _ in range(2)]
    with pytest.raises(OverloadedError, match="2 long replays") as refused:
        reads.begin_replay(BOB)
    assert refused.value.retry_after
    for _ in range(3):
        reads.begin_scan(ADA)
    with pytest.raises(OverloadedError, match="3 long searches"):
        reads.begin_scan(BOB)
    reads.end_replay(held.pop())
    reads.begin_replay(BOB)
    reads.end_scan("")
    reads.begin_scan(BOB)
    assert (reads.replays, reads.scans) == (2, 3)


def test_one_caller_has_so_many_of_both() -> None:
    reads = Reads(of_caller=2)
    replay, scan = reads.begin_replay(ADA), reads.begin_scan(ADA)
    for begin in (reads.begin_replay, reads.begin_scan):
        with pytest.raises(RateLimitedError, match="of one caller"):
            begin(ADA)
        assert (reads.replays, reads.scans) == (1, 1), "what is refused is not counted"
        (reads.end_replay if begin == reads.begin_replay else reads.end_scan)(begin(BOB))
    reads.end_replay(replay)
    reads.end_scan(reads.begin_scan(ADA))
    reads.end_scan(scan)
    assert (reads.replays, reads.scans, dict(reads._of_caller)) == (0, 0, {})


def test_without_a_bound_nobody_is_counted_by_name() -> None:
    reads = Reads(replays=0, scans=0)
    for _ in range(10_000):
        assert reads.begin_replay(ADA) == reads.begin_scan(ADA) == ""
    assert dict(reads._of_caller) == {}
