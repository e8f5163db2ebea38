"""One commit: built from what memory knows, which follows only once it is on disk."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from service.core.errors import GuardError, OverloadedError
from service.core.event import Draft, Width
from service.log.base import Guard, Receipt, Statement
from service.log.sqlite.commit import INSERT_BYTES, Append, Commit
from service.log.sqlite.database import WriterConnection, connect_writer
from service.log.sqlite.drivers import driver
from service.log.sqlite.migrate import migrate
from service.log.sqlite.topics import Topic, TopicRegistry
from service.resources import resource
from tests.unit.log.rigs import add_notes, drafts

KEYED = Draft("a", "log", "1", "key")
TAKEN = Statement("INSERT INTO notes VALUES ('taken', 1)")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[WriterConnection]:
    path = tmp_path / "test.db"
    migrate(path, resource("migrations"))
    add_notes(path)
    connection = connect_writer(path)
    yield connection
    connection.close()


@pytest.fixture
def registry() -> TopicRegistry:
    return TopicRegistry()


async def ask(drafts: Sequence[Draft], also: Sequence[Statement] = (), guards: Sequence[Guard] = ()) -> Append:
    return Append(drafts, also, guards, asyncio.get_running_loop().create_future())


def stored(connection: WriterConnection) -> list[tuple[int, int, int]]:
    return connection.execute("SELECT offset, topic, prev FROM events").fetchall()


async def test_much_data_is_inserted_in_parts_of_one_transaction(
    connection: WriterConnection, registry: TopicRegistry
) -> None:
    for _ in range(2):  # on a new topic, and on one that is there
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        topic = registry.get("a")
        commit = Commit(registry, topic.head if topic is not None else 0, 1_000)
        commit.write(connection, [await ask(drafts("a", 50, data="1" * (INSERT_BYTES // 10)))])
        commit.take_over()
        connection.set_trace_callback(None)
        assert sum("INTO events" in text for text in statements) == 5
        assert (statements[0].split()[0], statements[-1].split()[0]) == ("BEGIN", "COMMIT")
    assert [row[0] for row in stored(connection)] == list(range(1, 101))


async def test_memory_follows_when_it_is_taken_over_and_not_before(
    connection: WriterConnection, registry: TopicRegistry
) -> None:
    commit = Commit(registry, 0, 1_000)
    commit.write(connection, [await ask(drafts("a", 2, data="12345")), await ask(drafts("b", 1))])
    assert stored(connection) == [(1, 1, 0), (2, 1, 1), (3, 2, 0)]
    assert commit.answers == [Receipt((1, 2), True), Receipt((3,), True)]
    assert len(registry) == 0
    commit.take_over()
    topic = registry.by_id(1)
    assert (topic.name, topic.head, topic.count, topic.bytes) == ("a", 2, 2, 10)
    assert registry.uncounted == set(registry)
    assert (commit.head, {event.time for event in commit.events}) == (3, {1_000})


async def test_one_that_fails_leaves_nothing_to_set_right(
    connection: WriterConnection, registry: TopicRegistry
) -> None:
    registry.add(Topic(1, "a"))
    connection.execute("INSERT INTO topics (id, name) VALUES (1, 'a')")
    appends = [await ask(drafts("a", 1)), await ask([KEYED, *drafts("new", 1)], [TAKEN, TAKEN])]
    with pytest.raises(driver.IntegrityError):
        Commit(registry, 0, 0).write(connection, appends)
    assert (stored(connection), connection.in_transaction) == ([], False)
    assert (registry.get("new"), registry.by_id(1).head) == (None, 0)
    again = Commit(registry, 0, 0)
    again.write(connection, appends[:1])
    assert again.answers == [Receipt((1,), True)]


async def test_a_guard_that_does_not_hold_takes_no_offset_key_or_topic(
    connection: WriterConnection, registry: TopicRegistry
) -> None:
    never = Guard("SELECT 1 WHERE :n > 1", {"n": 1}, (1,))
    commit = Commit(registry, 7, 0)
    rejected = await ask([KEYED, *drafts("new", 1)], [TAKEN], [never])
    commit.write(connection, [await ask(drafts("a", 1)), rejected, await ask([KEYED], [TAKEN])])
    assert isinstance(commit.answers[1], GuardError)
    assert commit.answers[1].row is None
    assert [commit.answers[0], commit.answers[2]] == [Receipt((8,), True), Receipt((9,), True)]
    assert stored(connection) == [(8, 1, 0), (9, 1, 8)]
    commit.take_over()
    assert [topic.name for topic in registry] == ["a"]


@pytest.mark.parametrize(
    ("also", "drafts", "is_plain"),
    [((), drafts("a", 3), True), ((), [KEYED], False), ((TAKEN,), drafts("a", 1), False), ((), (), True)],
)
async def test_plain_is_what_needs_its_events_alone(
    also: Sequence[Statement], drafts: Sequence[Draft], is_plain: bool
) -> None:
    assert (await ask(drafts, also)).is_plain is is_plain
    assert not (await ask(drafts, also, [Guard("SELECT 1")])).is_plain


# Topics have a bound


def answers_of(commit: Commit) -> list[tuple[int, ...] | str | None]:
    return [one.offsets if isinstance(one, Receipt) else one.field for one in commit.answers]


async def test_at_the_bound_topics_are_made_and_one_past_it_nothing_of_the_request(
    connection: WriterConnection, registry: TopicRegistry
) -> None:
    registry.max_topics = 2
    commit = Commit(registry, 0, 1_000)
    batch = [*drafts("b", 1), *drafts("a", 1), *drafts("c", 1)]
    commit.write(connection, [await ask(drafts("a", 3)), await ask(batch, (TAKEN,)), await ask(drafts("b", 1))])
    assert answers_of(commit) == [(1, 2, 3), "topic", (4,)], "a refused one takes no room from its neighbours"
    assert isinstance(commit.answers[1], OverloadedError)
    assert stored(connection) == [(1, 1, 0), (2, 1, 1), (3, 1, 2), (4, 2, 0)]
    assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    commit.take_over()
    assert len(registry) == 2


async def test_topics_that_are_there_go_on_when_there_is_no_room(
    connection: WriterConnection, registry: TopicRegistry
) -> None:
    first = Commit(registry, 0, 1_000)
    first.write(connection, [await ask([KEYED, *drafts("b", 1)])])
    first.take_over()
    for most in (2, 1):  # also if there are more already
        registry.max_topics = most
        commit = Commit(registry, first.head, 1_000)
        commit.write(connection, [await ask(drafts("a", 2)), await ask(drafts("new", 1)), await ask([KEYED])])
        assert answers_of(commit)[1:] == ["topic", (1,)]
        assert isinstance(commit.answers[0], Receipt)
        first = commit
        commit.take_over()
    assert [topic.name for topic in registry] == ["a", "b"]


@pytest.mark.parametrize("count", [8, 9, 300])
async def test_keys_are_found_however_many_there_are(
    connection: WriterConnection, registry: TopicRegistry, count: int
) -> None:
    """On two topics, of which one is new: stored before, twice in one publish, and never."""

    async def publish(*batch: Draft) -> tuple[tuple[int, ...], bool]:
        commit = Commit(registry, max((row[0] for row in stored(connection)), default=0), 1_000)
        commit.write(connection, [await ask(batch)])
        commit.take_over()
        (receipt,) = commit.answers
        assert isinstance(receipt, Receipt)
        return receipt.offsets, receipt.fresh

    half = count // 2
    first, fresh = await publish(*(Draft("a", "log", "1", f"é{n}") for n in range(half)))
    assert (first, fresh) == (tuple(range(1, half + 1)), True)
    batch = [Draft("a", "log", "2", f"é{n}") for n in range(count - 2)]
    batch += [Draft("b", "log", "2", "é0"), Draft("b", "log", "2", "é0")]
    again, fresh = await publish(*batch)
    new = count - 2 - half
    last = half + new + 1
    assert (again, fresh) == ((*first, *range(half + 1, half + new + 1), last, last), True)
    assert await publish(*batch) == (again, False)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    await publish(*batch)
    assert not any(text.startswith("SELECT offset FROM") for text in statements)
    assert sum("json_each" in text for text in statements) == 1


async def test_the_first_trace_is_marked_with_its_event_and_no_other(
    connection: WriterConnection, registry: TopicRegistry
) -> None:
    connection.execute("INSERT INTO log (id, epoch) VALUES (1, 'e')")
    seen: list[tuple[bool, int]] = []
    for traceparent in (None, "t", "t", None):
        append = await ask(drafts("a", 1))
        append.traceparent = traceparent
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        commit = Commit(registry, len(seen), 1_000)
        commit.write(connection, [append])
        connection.set_trace_callback(None)
        marked = any(text.startswith("UPDATE log") for text in statements)
        assert not marked or (statements[0].split()[0], statements[-1].split()[0]) == ("BEGIN", "COMMIT")
        assert not marked or registry.width is Width.PLAIN, "memory follows when it is taken over"
        commit.take_over()
        seen.append((marked, len(statements)))
    assert [marked for marked, _ in seen] == [False, True, False, False]
    assert seen[2:] == [(False, 1), (False, 1)], "one statement, as ever"
    assert registry.width is Width.TRACED
    assert connection.execute("SELECT traceparent FROM events").fetchall() == [(None,), ("t",), ("t",), (None,)]


async def test_the_first_subject_is_marked_likewise_and_plain_commits_stay_one_statement(
    connection: WriterConnection, registry: TopicRegistry
) -> None:
    connection.execute("INSERT INTO log (id, epoch) VALUES (1, 'e')")
    counts: list[int] = []
    for subject in (None, None, "s", "s", None):
        append = await ask([Draft("a", "log", "1", None, subject)])
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        commit = Commit(registry, len(counts), 1_000)
        commit.write(connection, [append])
        connection.set_trace_callback(None)
        commit.take_over()
        counts.append(len(statements))
    assert registry.width is Width.WHOLE
    assert connection.execute("SELECT traced, subjects FROM log").fetchone() == (1, 1)
    assert counts[1] == counts[4] == 1
    assert connection.execute("SELECT offset, gone FROM events WHERE subject = 's'").fetchall() == [(3, 4), (4, None)]
