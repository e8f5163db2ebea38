"""What waits for a reader: of each key the newest, so many, for so long, and in so many bytes over all readers."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from service.core.ephemeral import Drop, Ephemeral
from service.core.slots import LOOK, SLOTS_MAX, Room, Slots


def event(key: str, until: float = 10.0, topic: str = "t") -> Ephemeral:
    return Ephemeral(topic, "x", "0", key, "ada", 0, 0, until)


def room_of(most: int = 1 << 20) -> tuple[Room, Counter[Drop]]:
    dropped: Counter[Drop] = Counter()
    return Room(dropped, most), dropped


def test_after_very_many_there_are_64_and_they_are_the_newest() -> None:
    room, dropped = room_of()
    slots = Slots(room)
    assert not slots
    for n in range(1_000):
        slots.put(event(str(n)), b"%d" % n)
    assert len(slots) == SLOTS_MAX == 64
    assert slots.take(0) == [b"%d" % n for n in range(1_000 - 64, 1_000)]
    assert dropped == {"full": 1_000 - 64}
    assert (slots.take(0), room.held, room.tables) == ([], 0, {})


def test_what_nobody_wants_any_more_is_let_go_of() -> None:
    room, dropped = room_of()
    slots, other = Slots(room), Slots(room)
    slots.put(event("short", 1), b"short")
    slots.put(event("long", 9), b"long")
    other.put(event("short", 1), b"short")
    room.purge(1)
    assert (len(slots), len(other), dropped) == (1, 0, {"expired": 2})
    assert list(room.tables) == [slots]
    assert slots.take(9) == []
    assert room.held == 0


def test_of_very_many_readers_some_are_looked_at_in_a_step_and_the_others_in_the_next() -> None:
    room, dropped = room_of(most=1 << 30)
    readers = [Slots(room) for _ in range(LOOK // SLOTS_MAX * 2)]
    for slots in readers:
        slots.put(event("long", 9), b"long")
        for n in range(1, SLOTS_MAX):
            slots.put(event(str(n), 1), b"short")
    assert not room.purge(1)
    assert 0.9 * LOOK <= dropped["expired"] <= LOOK
    steps = 1
    while not room.purge(1):
        steps += 1
    assert steps < 5
    assert dropped == {"expired": len(readers) * (SLOTS_MAX - 1)}
    assert set(room.tables) == set(readers)


def test_where_all_readers_hold_enough_one_more_frame_is_not_kept() -> None:
    room, dropped = room_of(most=1_000)
    slots, other = Slots(room), Slots(room)
    slots.put(event("a"), b"x" * 700)
    other.put(event("a"), b"x" * 700)
    assert (len(slots), len(other), dropped) == (1, 0, {"full": 1})
    slots.put(event("a"), b"y" * 800)
    assert slots.take(0) == [b"y" * 800], "a newer one takes the place of an older"
    other.put(event("a"), b"x" * 700)
    assert len(other) == 1


def test_where_all_readers_hold_enough_a_readers_newest_takes_the_place_of_his_oldest() -> None:
    room, dropped = room_of(most=2_000)
    slots, other = Slots(room), Slots(room)
    other.put(event("a"), b"o" * 400)
    for n in range(5):
        slots.put(event(str(n)), b"%d" % n * 400)
    assert (len(slots), len(other), dropped) == (2, 1, {"full": 3})
    slots.put(event("too long"), b"x" * 2_000)
    assert (len(slots), len(other), dropped) == (0, 1, {"full": 6})
    assert list(room.tables) == [other]
    slots.put(event("last"), b"last")
    assert slots.take(0) == [b"last"]
    other.close()
    assert (room.held, room.tables) == (0, {})


def test_topics_that_are_not_its_readers_any_more_are_let_go_of_and_all_at_its_end() -> None:
    room, _ = room_of()
    slots = Slots(room)
    slots.put(event("k", topic="a"), b"a")
    slots.put(event("k", topic="b"), b"b")
    slots.keep(lambda topic: topic == "b")
    assert slots.take(0) == [b"b"]
    slots.put(event("k"), b"t")
    slots.close()
    assert (len(slots), room.held, room.tables) == (0, 0, {})


STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["put", "put", "put", "take", "purge"]),
        st.integers(0, 80),
        st.integers(0, 9),
    ),
    max_size=150,
)


@given(STEPS)
def test_it_is_what_a_list_would_be(steps: list[tuple[int, str, int, int]]) -> None:
    """Against a model: the newest of each key, the oldest first, at most 64, none that has expired."""
    room, _ = room_of()
    tables = [Slots(room), Slots(room)]
    models: list[dict[str, tuple[int, bytes]]] = [{}, {}]
    for now, (which, what, key, ttl) in enumerate(steps):
        slots, model = tables[which], models[which]
        if what == "put":
            frame = b"%d" % now
            slots.put(event(str(key), now + ttl), frame)
            if model.pop(str(key), None) is None and len(model) == 64:
                del model[next(iter(model))]
            model[str(key)] = now + ttl, frame
        else:
            kept = {key: one for key, one in model.items() if now < one[0]}
            if what == "take":
                assert slots.take(now) == [frame for _, frame in kept.values()]
                models[which] = {}
            else:
                room.purge(now)
                models = [{key: one for key, one in each.items() if now < one[0]} for each in models]
        assert [len(one) for one in tables] == [len(one) for one in models]
        assert room.held == sum(200 + len(frame) for one in models for _, frame in one.values())
