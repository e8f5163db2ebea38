"""A stop of what sends a run counts whenever it comes; the rest needs a process, and is in test_program.py."""

import queue
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.reported import Reported
from tests.support.spools import new_spool
from twinwire.http import Http
from twinwire.running import reporting
from twinwire.running.reporting import Reporting
from twinwire.running.spool import End, Extent

DEADLINE = 20.0


def test_what_is_kept_is_brought_to_the_disk_now_and_then(
    tmp_path: Path, service: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody takes it; and not again as long as there is no more of it."""
    monkeypatch.setattr(reporting, "SYNC", 0.0)
    service.fault = lambda method, path: "before"
    spool, synced = new_spool(tmp_path, url=service.url), queue.SimpleQueue[Extent]()
    monkeypatch.setattr(spool, "sync", lambda: synced.put(spool.extent))
    sending = Reporting(spool, tmp_path, "", lambda: None, lambda: None)
    sending.start()
    assert synced.get(timeout=DEADLINE).output == 0
    service.wait(lambda: service.tried > 1)
    spool.append(b"one")
    assert synced.get(timeout=DEADLINE).output == 3
    sending.stop()
    assert synced.empty()
    spool.close()


def test_a_stop_while_the_client_loads_is_not_forgotten(
    tmp_path: Path, service: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_loading, may_load, is_done = threading.Event(), threading.Event(), threading.Event()

    class Slow(ModuleType):
        def __getattr__(self, name: str) -> object:
            if name != "Http":
                raise AttributeError(name)
            is_loading.set()
            may_load.wait(DEADLINE)
            return Http

    monkeypatch.setitem(sys.modules, "twinwire.http", Slow("twinwire.http"))
    monkeypatch.setattr(reporting, "STOP", 0.0)
    spool = new_spool(tmp_path, url=service.url)
    spool.append(b"one")
    spool.finish(End(0))
    sending = Reporting(spool, tmp_path, "", is_done.set, lambda: None)
    sending.start()
    assert is_loading.wait(DEADLINE)
    sending.stop()
    may_load.set()
    assert is_done.wait(DEADLINE)
    assert not sending.is_sent
    assert service.requests == []
    spool.close()
