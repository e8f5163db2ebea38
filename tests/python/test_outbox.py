"""The outbox on each database, with a real service: what is committed is published once and in order, whatever dies,
and nothing else is.
"""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.python.conftest import QUICK
from tests.support.api import unique
from tests.support.bearers import KEYS, token
from tests.support.outbox_fixtures import database, sql_servers
from tests.support.outbox_writer import add_topics, write
from tests.support.outbox_writer import application as application_of
from tests.support.server import ServerProcess, environment
from tests.support.sqlservers import Database
from twinwire import Event, Twinwire, outbox
from twinwire.outbox.drivers import connect

__all__ = ["database", "sql_servers"]

DEADLINE: Final = 60.0
ROUNDS: Final = {"twinwire": 6, "sqlalchemy": 6, "django": 5}
"""Of kills, of one or two at a time, on each database: each of the five at least once."""

HOW: Final = {
    "twinwire": (["twinwire", "relay"], ["tests.support.outbox_writer"]),
    "sqlalchemy": (["twinwire", "relay"], ["tests.support.alchemy_writer"]),
    "django": (["tests.support.django_shop", "twinwire_relay"], ["tests.support.django_writer"]),
}
"""The relay and the application, by what they are made with."""

ALL: Final = ("writer-1", "writer-2", "relay-1", "relay-2", "server")
"""Whoever may die."""


def become(what: Callable[[], object]) -> None:
    """Until it is true."""
    deadline = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def waiting(database: Database) -> int:
    return int(database.run("SELECT count(*) FROM twinwire_outbox WHERE refused_at IS NULL")[0][0])


def values(live: Twinwire, topic: str) -> list[Any]:
    """All that is on it, from its first on."""
    found: list[Any] = []
    after = "earliest"
    while True:
        page = live.history(topic, after=after, limit=1_000)
        found += [event.data for event in page.events]
        if not page.more:
            return found
        after = page.cursor


@pytest.fixture
def connection(database: Database) -> Iterator[Any]:
    """The application's, with the table."""
    made = database.connect()
    outbox.create_table(made)
    made.commit()
    yield made
    made.close()


@pytest.fixture
def live(server: ServerProcess) -> Iterator[Twinwire]:
    with Twinwire(server.url, timing=QUICK, retry_for=0.0) as made:
        yield made


def test_a_commit_is_published_and_a_rollback_is_not(connection: Any, database: Database, live: Twinwire) -> None:
    topic = unique("outbox")
    outbox.publish(connection, topic, "k", "before the relay")
    connection.commit()
    with outbox.Relay(database.dsn, live), live.subscribe(topic, after="earliest") as events:
        outbox.publish(connection, topic, "k", "no")
        connection.rollback()
        key = outbox.publish(connection, topic, "paid", {"total": 12}, subject="s", append=True, final=True)
        connection.commit()
        first, second = next(events), next(events)
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert [first.data, second.data] == ["before the relay", {"total": 12}]
    assert (second.type, second.subject, second.append, second.final) == ("paid", "s", True, True)
    assert waiting(database) == 0
    again = live.publish(topic, "paid", "the same key", key=key)
    assert again == second.id, "a row's key is its event's"


def test_topics_are_in_the_order_of_their_commits(database: Database, connection: Any, live: Twinwire) -> None:
    topics = [unique(f"outbox/{n}") for n in range(3)]
    admin = connect(database.dsn)
    add_topics(admin, topics)
    admin.close()
    failed: list[Exception] = []

    def application(seed: int) -> None:
        own = application_of(database.dsn)
        try:
            draw = random.Random(seed)
            for _ in range(60):
                write(own, draw, topics)
        except Exception as error:
            failed.append(error)
        finally:
            own.close()

    with outbox.Relay(database.dsn, live, poll=0.02):
        threads = [threading.Thread(target=application, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        become(lambda: waiting(database) == 0)
    assert failed == []
    counted = dict(database.run("SELECT topic, n FROM counters"))
    assert sum(counted.values()) > 200
    assert {topic: values(live, topic) for topic in topics} == {t: [*range(1, n + 1)] for t, n in counted.items()}


def test_what_the_service_refuses_is_set_aside(database: Database, connection: Any, live: Twinwire) -> None:
    """Too large, a type that is reserved, and what is appended to what is closed: none stops the others."""
    topic = unique("outbox")
    outbox.publish(connection, topic, "k", 1, subject="s", final=True)
    outbox.publish(connection, topic, "k", "x" * 70_000)
    outbox.publish(connection, topic, "k", 2)
    outbox.publish(connection, topic, "k", 3, subject="s", append=True)
    outbox.publish(connection, topic, "k", 4)
    connection.commit()
    database.run("UPDATE twinwire_outbox SET type = 'gap' WHERE data = '2'")  # as another program may insert it
    told: list[outbox.Refusal] = []
    with outbox.Relay(database.dsn, live, on_refused=told.append) as relay:
        become(lambda: relay.published + relay.refused == 5)
    assert values(live, topic) == [1, 4]
    assert [refusal.status for refusal in told] == [413, 422, 409]
    kept = database.run("SELECT type, refused FROM twinwire_outbox ORDER BY id")
    assert [row[0] for row in kept] == ["k", "gap", "k"]
    assert all(row[1] for row in kept)
    database.run("UPDATE twinwire_outbox SET refused_at = NULL, refused = NULL, type = 'k' WHERE type = 'gap'")
    with outbox.Relay(database.dsn, live) as relay:
        become(lambda: relay.published == 1)
    assert values(live, topic) == [1, 4, 2]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_a_token_is_not_for_waits_for_a_better_one(database: Database, connection: Any, tmp_path: Path) -> None:
    """It is not the rows' fault: none is set aside, and other topics go on."""
    for topic in ("theirs/1", "ours/1", "theirs/1", "ours/2"):
        outbox.publish(connection, topic, "k", topic)
    connection.commit()
    env = {"TWINWIRE_APPS": "none", "TWINWIRE_TOKEN_KEYS": KEYS}
    with ServerProcess(tmp_path / "server", env=env) as server:
        ours, both = token("ada", publish=["ours/*"]), token("pat", publish=["**"], subscribe=["**"])
        with Twinwire(server.url, token=ours, timing=QUICK) as live, outbox.Relay(database.dsn, live) as relay:
            become(lambda: relay.published == 2)
            become(lambda: str(relay.trouble).startswith("1 topics wait: 403 "))
            assert (relay.refused, waiting(database)) == (0, 2)
        with Twinwire(server.url, token=both, timing=QUICK) as live, outbox.Relay(database.dsn, live) as relay:
            become(lambda: relay.published == 2)
            assert values(live, "theirs/1") == ["theirs/1", "theirs/1"]


class World:
    """An application, two relays and a service, each a process of its own."""

    def __init__(self, how: str, database: Database, server: ServerProcess, topics: list[str], folder: Path) -> None:
        self.how = how
        self.database = database
        self.server = server
        self.topics = topics
        self.folder = folder
        self.writers = 0
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        relay, writer = HOW[self.how]
        if name.startswith("relay"):
            command = [*relay, "--poll", "0.02"]
        else:
            self.writers += 1
            command = [*writer, self.database.dsn, str(self.writers), *self.topics]
        env = environment({"DATABASE_URL": self.database.dsn, "TWINWIRE_URL": self.server.url})
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command], env=env, stdout=log, stderr=log, cwd=self.folder
            )

    def kill(self, name: str) -> None:
        if name == "server":
            self.server.kill9()
            return
        process = self.processes.pop(name)
        assert process.poll() is None, (self.folder / f"{name}.log").read_text()[-2_000:]
        process.kill()
        process.wait()

    def kill_and_start(self, name: str) -> None:
        self.kill(name)
        if name == "server":
            self.server.start()
        else:
            self.start(name)

    def committed(self) -> int:
        return int(self.database.run("SELECT sum(n) FROM counters")[0][0])

    def published(self) -> int:
        return self.committed() - waiting(self.database)

    def _end(self) -> None:
        """Also of what has ended by itself, which the test has told of by then."""
        for process in self.processes.values():
            process.kill()
            process.wait()

    @contextmanager
    def running(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.callback(self._end)
            for name in ALL[:-1]:
                self.start(name)
            yield


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", HOW)
def test_each_committed_row_once_and_in_order_whatever_is_killed(
    how: str, database: Database, connection: Any, tmp_path: Path
) -> None:
    draw = random.Random(f"outbox of {how} on {database.kind}")
    topics = [f"kills/{n}" for n in range(4)]
    admin = connect(database.dsn)
    add_topics(admin, topics)
    admin.close()
    with ServerProcess(tmp_path / "server", env={"TWINWIRE_APPS": "none"}) as server:
        world = World(how, database, server, topics, tmp_path)
        with world.running():
            become(lambda: world.published() > 0)
            order = draw.sample(ALL, len(ALL))  # so that each dies at least once
            for number in range(ROUNDS[how]):
                for name in {order[number % len(ALL)]: None, draw.choice(ALL): None}:
                    world.kill_and_start(name)
                committed, published = world.committed(), world.published()
                more = draw.randrange(1, 40)
                become(lambda c=committed, n=more: world.committed() >= c + n)  # type: ignore[misc]
                if draw.random() < 0.5:  # else it is killed while much waits
                    become(lambda p=published, n=more: world.published() >= p + n)  # type: ignore[misc]
            for name in ("writer-1", "writer-2"):
                world.kill(name)
            become(lambda: waiting(database) == 0)
        counted = dict(database.run("SELECT topic, n FROM counters"))
        with Twinwire(server.url) as live:
            assert {topic: values(live, topic) for topic in topics} == {
                t: [*range(1, n + 1)] for t, n in counted.items()
            }
            assert {event.type for topic in topics for event in live.history(topic).events} == {"n"}
        assert sum(counted.values()) > ROUNDS[how]
        assert server.faults() == []
