"""What the command prints: others' data can't steer a terminal, and no terminal is asked for what it can't show.

Rule 1: for people and terminals, what could steer one is written as JSON escapes it, `\\u009b`: control characters, and
those that turn the direction of what follows (Unicode TR 36, 2.5; CVE-2021-42574).
Rule 2: JSON goes to files and pipes as the UTF-8 that it is (RFC 8259, 8.1), whatever the locale.
Rule 3: whoever stops reading has had enough, and that is no error.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

_STEERING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udfff]"
)


class UnreadError(Exception):
    """Whoever read it has had enough. It is no OSError, which the library that reads command lines takes for its own
    affair.
    """


class OutputError(Exception):
    """What is printed can't be: a full disk, a stream that is open for reading only."""


@contextmanager
def _told() -> Iterator[None]:
    """Raises OutputError, or UnreadError where somebody has had enough."""
    try:
        yield
    except BrokenPipeError as error:
        raise UnreadError from error
    except OSError as error:
        raise OutputError(error.strerror or str(error)) from error


def harmless(text: str) -> str:
    """Without anything that a terminal could take for an order."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def write_line(text: str, stream: Any = None) -> None:
    """One line for people; `text` is harmless, apart from colours of our own. What can't be shown is escaped.

    Raises OutputError, as `write_json`.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # closed before we began
        return
    _write(f"{text}\n", stream)


def _write(text: str, stream: Any) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with _told():
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def redraw_line(text: str, stream: Any) -> None:
    """In place of the line that a terminal shows, cut to its width; `text` is harmless."""
    width, _ = shutil.get_terminal_size()
    _write(f"\r{text[: width - 1]}\x1b[K", stream)


def redraw(lines: Sequence[str], *, first: bool) -> None:
    """In place of all that the terminal on standard output shows, cut to its size; the lines are harmless.

    What was there `first` is scrolled away, and not lost.
    """
    width, height = shutil.get_terminal_size()
    shown = "".join(f"{line[: width - 1]}\x1b[K\n" for line in lines[: height - 1])
    scrolled = "\n" * height if first else ""
    _write(f"{scrolled}\x1b[H{shown}\x1b[J", sys.stdout)


def plain(text: str) -> str:
    """In ASCII, each character as wide as any other: for columns."""
    return harmless(text).encode("ascii", "backslashreplace").decode()


def write_json(text: bytes) -> None:
    """One JSON text, as it is; harmless if it goes to a terminal."""
    stream = sys.stdout
    if stream is None:
        return
    if stream.isatty():
        write_line(harmless(text.decode("utf-8", "replace")))
        return
    with _told():
        stream.flush()
        stream.buffer.write(text + b"\n")
        stream.buffer.flush()


def is_coloured() -> bool:
    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def forget_stdout() -> None:
    """Nobody reads it any more: Python would complain when it flushes it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
