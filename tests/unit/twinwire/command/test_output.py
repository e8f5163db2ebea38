"""What is printed can't steer a terminal, and nothing that is printed fails."""

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.server import ROOT
from twinwire.command.output import harmless, plain, redraw, redraw_line, write_json, write_line

STEERING = ["\x1b[31m", "\x9b31m", "\x07", "\x7f", "\x85", "\u202e", "\u2066", "\u2028", "\ufeff", "\u200b", "\ud800"]


@pytest.mark.parametrize("text", STEERING)
def test_what_could_steer_a_terminal_is_escaped_as_json_does(text: str) -> None:
    shown = harmless(f"a{text}b")
    assert shown.isprintable()
    assert json.loads(f'"{shown}"') == f"a{text}b", "and is the same text to whoever decodes it"


def test_text_in_any_script_is_shown() -> None:
    text = "é 漢字 😀 עברית"
    assert harmless(text) == text


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_what_an_encoding_does_not_have_is_escaped(encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    write_line("é 😀", stream)
    text = stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert text in ("é 😀\n", "é \\U0001f600\n", "\\xe9 \\U0001f600\n")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_json_is_utf_8_in_a_pipe_and_harmless_on_a_terminal(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    text = '{"data":"😀\x9b31m"}'.encode()
    pipe = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", pipe)
    write_json(text)
    assert pipe.buffer.getvalue() == text + b"\n"  # type: ignore[attr-defined]
    terminal = Terminal(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    write_json(text)
    assert b"\\u009b31m" in terminal.buffer.getvalue()  # type: ignore[attr-defined]


def test_what_is_drawn_anew_is_cut_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "3")
    stream = io.StringIO()
    redraw_line("a" * 20, stream)
    assert stream.getvalue() == f"\r{'a' * 9}\x1b[K"
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    redraw(["b" * 20, "c", "d", "e"], first=True)
    redraw(["f"], first=False)
    drawn = f"\x1b[H{'b' * 9}\x1b[K\nc\x1b[K\n\x1b[J"
    assert stream.getvalue() == f"\n\n\n{drawn}\x1b[Hf\x1b[K\n\x1b[J"


def test_plain_text_has_a_place_for_each_character() -> None:
    assert plain("a\x1b漢é") == "a\\u001b\\u6f22\\xe9"


def test_a_stream_that_was_never_open_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    write_line("a")
    write_json(b"1")


def in_shell(line: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    command = f"{sys.executable} -m service"
    return subprocess.run(
        ["bash", "-c", line.replace("twinwire", command)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "line",
    [
        "printf '\\xe9' | twinwire publish a x -",
        "twinwire publish a x $'\\xe9'",
        "twinwire publish $'\\xe9' x 1",
        "twinwire tail $'\\xe9' --once",
        "twinwire tail --after $'\\xe9' --once",
        "twinwire tail --url $'http://\\xe9' --once",
        "twinwire who $'\\xe9'",
        "twinwire who --follow $'\\xe9'",
        "twinwire $'\\xe9'",
        "twinwire serve --port x",
        "twinwire serve --database ''",
        "twinwire serve --database :memory:",
        "twinwire serve --database /",
        "TWINWIRE_PORT=$'\\xe9' twinwire check",
        "TWINWIRE_DATABASE=$'a\\x01b' twinwire check",
        "TWINWIRE_RETENTION=[[[ twinwire check",
    ],
)
def test_no_bytes_are_a_traceback(line: str, tmp_path: Any) -> None:
    """One line that says what is wrong, and a status that is not 0."""
    done = in_shell(f"cd {tmp_path}; {line}", TWINWIRE_URL="http://127.0.0.1:9")
    assert done.returncode in (1, 2), done
    assert b"Traceback" not in done.stderr
    assert done.stderr.startswith(b"twinwire: ")
    assert done.stdout == b""
    assert list(tmp_path.iterdir()) == []
