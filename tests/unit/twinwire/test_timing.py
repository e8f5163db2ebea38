from twinwire.timing import Backoff, Timing


def test_full_jitter_up_to_its_cap() -> None:
    backoff = Backoff(Timing(backoff_base=1, backoff_cap=5), lambda: 0.5)
    assert [backoff.next() for _ in range(5)] == [0.5, 1, 2, 2.5, 2.5]
    backoff.reset()
    assert backoff.next() == 0.5


def test_it_never_overflows() -> None:
    backoff = Backoff(Timing(), lambda: 1.0)
    assert [backoff.next() for _ in range(2_000)][-1] == 30
