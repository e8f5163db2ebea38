"""Those who have left are remembered for some minutes, and no more of them than may be."""

from service.core.topics import TopicFilter
from service.stream.gone import GONE_BYTES, GONE_FOR, GONE_MAX, Departed, Gone
from service.stream.trail import Trail

T = TopicFilter(("t",))


def gone(id: str, at: int = 0, topics: TopicFilter = T) -> Gone:
    return Gone(0, id, "ada", None, "sse", 0, Trail(), topics, 5, ("t",), False, at, "client")


def test_they_are_found_and_numbered_as_they_went() -> None:
    departed = Departed()
    for id in ("b", "a"):
        departed.add(gone(id))
    assert [(one.id, one.number) for one in departed.listed()] == [("b", 1), ("a", 2)]
    found = departed.find("a")
    assert found is not None
    assert found.number == 2
    assert departed.find("c") is None


def test_they_are_bounded_by_number_by_bytes_and_by_time() -> None:
    departed = Departed()
    for n in range(GONE_MAX + 3):
        departed.add(gone(str(n)))
    assert (len(departed), departed.listed()[0].id) == (GONE_MAX, "3")
    large = TopicFilter(tuple(f"{n:03}{'x' * 190}" for n in range(100)))
    for n in range(GONE_MAX):
        departed.add(gone(f"large{n}", 1, large))
        assert departed.held <= GONE_BYTES
    assert 0 < len(departed) < GONE_MAX
    departed.forget(1 + GONE_FOR)
    assert len(departed)
    departed.forget(2 + GONE_FOR)
    assert (len(departed), departed.held) == (0, 0)


def test_nobody_is_remembered_where_that_is_switched_off() -> None:
    departed = Departed(0)
    departed.add(gone("a"))
    assert (len(departed), departed.find("a")) == (0, None)
