import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.server import ROOT, environment
from tests.unit.twinwire.outbox.taking import made
from twinwire import InvalidError, outbox
from twinwire.outbox.command import main


def test_the_statements_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sql", "postgresql"]) == 0
    assert capsys.readouterr().out == outbox.schema("postgresql")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no database: --dsn, or DATABASE_URL\n"),
        (["--dsn", "oracle://u:secret@h/d"], "'oracle' is none of sqlite, postgresql, mysql\n"),
        (["--dsn", "sqlite:///x.db", "--url", "ftp://x"], "ftp"),
        (["--dsn", "sqlite:///x.db", "--poll", "0"], "poll is a number of seconds above 0\n"),
    ],
)
def test_what_it_cant_begin_with(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "secret" not in err


def test_the_variable_of_most_applications_counts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "oracle://x")
    assert main([]) == 2
    assert "oracle" in capsys.readouterr().err


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
    command = [sys.executable, "-m", "twinwire.outbox", "--dsn", "sqlite:///shop.db", "--url", "http://127.0.0.1:9"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "this relay publishes now" in process.stderr.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert (ROOT / "twinwire" / "outbox" / "__main__.py").exists()
