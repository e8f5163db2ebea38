import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.server import environment
from tests.unit.twinwire.outbox.taking import made
from twinwire import InvalidError, outbox


def test_handlers_of_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(InvalidError):
        outbox.run_relay("oracle://x")
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_a_thread_it_leaves_signals_alone() -> None:
    failed: list[Exception] = []

    def run() -> None:
        try:
            outbox.run_relay("oracle://x")
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [type(error) for error in failed] == [InvalidError]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(tmp_path: Path, number: signal.Signals) -> None:
    made(tmp_path)
    command = [sys.executable, "-m", "twinwire", "relay", "--dsn", "sqlite:///shop.db", "--url", "http://127.0.0.1:9"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "this relay publishes now" in process.stderr.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
