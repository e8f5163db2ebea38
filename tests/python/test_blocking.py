"""The client for programs without an event loop."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.api import unique
from tests.support.bearers import KEYS, token
from tests.support.server import ROOT, ServerProcess
from twinwire import ClosedError, Draft, Event, FileStore, Gap, InvalidError, Twinwire, TwinwireError


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name == "twinwire"}


def data_of(found: "Event | Gap") -> object:
    assert isinstance(found, Event)
    return found.data


def test_all_of_it(server: ServerProcess) -> None:
    topic = unique("blocking")
    with Twinwire(server.url) as live:
        first = live.publish(topic, "k", 0)
        assert len(live.publish_many(Draft(topic, "k", n) for n in range(1, 2_000))) == 1_999
        seen = []
        for event in live.subscribe(topic, after="earliest"):
            seen.append(data_of(event))
            if len(seen) == 2_000:
                break
        assert seen == list(range(2_000))
        assert live.history(topic, limit=1).events[0].id == first
        assert [event.data for event in live.latest(topic, count=2)] == [1_998, 1_999]
        live.publish(topic, "k", "v", subject="s")
        assert [event.data for event in live.state(topic).events] == ["v"]
    assert threads() == set()


def test_it_begins_before_what_follows(server: ServerProcess) -> None:
    topic = unique("begins")
    with Twinwire(server.url) as live, live.subscribe(topic) as events:
        live.publish(topic, "k", 1)
        assert data_of(next(events)) == 1
        assert events.transport == "websocket"


def test_a_batch(server: ServerProcess) -> None:
    topic = unique("batch")
    with Twinwire(server.url) as live:
        with live.batch() as batch:
            futures = [batch.add(topic, "k", n) for n in range(100)]
            assert batch.publish(topic, "k", 100)
        assert [event.id for event in live.history(topic).events][:100] == [future.result() for future in futures]
        with pytest.raises(TwinwireError) as raised, live.batch() as batch:
            bad = batch.add("a//b", "k")
        assert bad.exception() is raised.value
        with pytest.raises(ClosedError):
            live.batch().add("a", "k")


def test_a_store(server: ServerProcess, tmp_path: Path) -> None:
    topic = unique("store")
    with Twinwire(server.url) as live:
        live.publish_many(Draft(topic, "k", n) for n in range(4))
        for expected in ([0, 1], [1, 2], [2, 3]):
            events = live.subscribe(topic, after="earliest", store=FileStore(tmp_path / "cursor"))
            assert [data_of(next(events)), data_of(next(events))] == expected
            events.close()


def test_without_with_the_thread_ends_with_close(server: ServerProcess) -> None:
    live = Twinwire(server.url)
    assert threads() == set(), "nothing begins before it is used"
    live.publish(unique("close"), "k")
    assert threads() == {"twinwire"}
    live.close()
    live.close()
    assert threads() == set()
    with pytest.raises(ClosedError):
        live.publish("a", "k")
    with pytest.raises(ClosedError):
        live.subscribe("a")


def test_a_subscription_that_outlives_its_client(server: ServerProcess) -> None:
    with Twinwire(server.url) as live:
        events = live.subscribe(unique("outlives"))
        with events:
            pass
    with pytest.raises(ClosedError):
        next(events)
    events.close()


def test_several_threads(server: ServerProcess) -> None:
    topic = unique("threads")
    with Twinwire(server.url) as live:
        publishing = [threading.Thread(target=live.publish, args=(topic, "k", n)) for n in range(20)]
        for one in publishing:
            one.start()
        for one in publishing:
            one.join()
        assert sorted(event.data for event in live.history(topic).events) == list(range(20))


def test_a_function_for_tokens_may_not_use_the_client_that_it_is_for(server: ServerProcess) -> None:
    def ask() -> str:
        return live.publish("a", "k")

    with Twinwire(server.url, token=ask) as live, pytest.raises(InvalidError, match="that it is for"):
        live.publish("a", "k")


def test_a_function_for_tokens_may_wait(tmp_path: Path) -> None:
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none"}
    with (
        ServerProcess(tmp_path, env=env) as server,
        Twinwire(server.url, token=lambda: token("pat", publish=["a"])) as live,
    ):
        assert live.publish("a", "k")


def test_closing_it_ends_what_other_threads_wait_for(server: ServerProcess) -> None:
    live = Twinwire(server.url)
    came_to: list[object] = []
    begun = threading.Semaphore(0)

    def read() -> None:
        try:
            with live.subscribe("never") as events:
                begun.release()
                came_to.append(list(events))
        except ClosedError as error:
            came_to.append(error)

    def add() -> None:
        try:
            with live.batch(linger_ms=60_000) as batch:
                future = batch.add("never", "k")
                begun.release()
                future.result()
        except ClosedError as error:
            came_to.append(error)

    workers = [threading.Thread(target=work) for work in (read, add)]
    for worker in workers:
        worker.start()
    for _ in workers:
        begun.acquire()
    live.close()
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()
    assert len(came_to) == 2
    assert threads() == set()


FORKING = """
import os, sys
from twinwire import ForkedError, Twinwire

live, unused = Twinwire(), Twinwire()
for n in range(3):
    live.publish("fork", "k", n)
events = live.subscribe("fork", after="earliest")
next(events)
child = os.fork()
if child == 0:
    for use in (lambda: live.publish("fork", "k"), lambda: next(events), lambda: live.latest("fork")):
        try:
            use()
        except ForkedError as error:
            print("told:", error, flush=True)
    events.close()
    live.close()
    print("own:", unused.publish("fork", "k", "child"), flush=True)
    unused.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent:", next(events).data, live.publish("fork", "k", 3), flush=True)
live.close()
"""


def test_a_fork_is_told(server: ServerProcess) -> None:
    """In a process of its own: one with threads of others is not forked."""
    run = subprocess.run(
        [sys.executable, "-c", FORKING],
        cwd=ROOT,
        env={**os.environ, "TWINWIRE_URL": server.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["told"] * 3 + ["own", "parent"]
    assert all("is a fork: its thread and its connections are there" in line for line in lines[:3])
    assert lines[-1].startswith("parent: 1 ")


def test_an_interrupt_ends_a_loop_that_waits(server: ServerProcess) -> None:
    program = (
        # A program in the background of a shell, as those of a CI may be, is born with interrupts ignored.
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from twinwire import Twinwire\n"
        f"with Twinwire({server.url!r}) as live, live.subscribe('never') as events:\n"
        "    print('begun', flush=True)\n    next(events)\n"
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT


def test_what_is_no_service_is_told(server: ServerProcess) -> None:
    with pytest.raises(InvalidError):
        Twinwire("ftp://x")
    with pytest.raises(InvalidError):
        Twinwire(server.url, transports=["smoke"])  # type: ignore[list-item]
