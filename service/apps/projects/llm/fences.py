"""Files in what a model answers: the format, and a reader that guesses nothing.

    === file: app/server.py ===
    ...its text, whatever it is...
    === end: app/server.py ===

Both lines stand at the beginning of a line and hold nothing else. A file ends with the line that names it again, so
that its text may hold Markdown's fences; a line that would begin another file before that is an error, since a model
that forgets an end would otherwise lose a file in another one. What stands between files is talk, and passed over.

An answer is taken whole or not at all: nothing is written of one with a file that can't be.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from service.apps.projects.agents.base import AgentError, check_path
from service.apps.projects.limits import PATH_MAX
from service.apps.projects.texts import cut

ANSWER_FILES: Final = 100
"""Files in one answer."""

ANSWER_FILE: Final = 200_000
"""Characters of one file in an answer: nobody reads longer ones."""

ANSWER_MAX: Final = 500_000
"""Characters of a whole answer."""

_FENCE: Final = re.compile(r"=== (file|end): (.+) ===\s*\Z")
_TICKS: Final = "```"


class FormatError(Exception):
    """An answer that is not in the format; its text is for people, and is what the model is told."""


def show(path: str, text: str) -> str:
    """A file as it stands in an answer, or in a question."""
    return f"=== file: {path} ===\n{text}{'' if text.endswith(chr(10)) or not text else chr(10)}=== end: {path} ===\n"


def read_files(answer: str, may_write: Callable[[str], bool], there: Iterable[str] = ()) -> dict[str, str]:
    """Path to text of the files in `answer`. `there` are paths that exist already, and may be written anew.

    Raises FormatError: it names the line, the first is 1.
    """
    found: dict[str, str] = {}
    folders = _folders(there)
    names = {path.lower(): path for path in there}
    path, begun, lines = "", 0, list[str]()
    for number, line in enumerate(answer.replace("\r\n", "\n").split("\n"), 1):
        fence = _FENCE.match(line) if line.startswith("===") else None
        if fence is None:
            if path:
                lines.append(line)
            continue
        kind, named = fence[1], fence[2].strip()
        if kind == "file":
            if path:
                raise FormatError(
                    f"line {number}: {cut(named, PATH_MAX)} begins before {path} (line {begun}) has ended"
                )
            _check(named, number, may_write, found, folders, names)
            path, begun, lines = named, number, []
        elif not path:
            raise FormatError(f"line {number}: {cut(named, PATH_MAX)} ends, and was not begun")
        elif named != path:
            lines.append(line)  # of a file that shows this format
        else:
            found[path] = _text(path, lines)
            folders |= _folders([path])
            names[path.lower()] = path
            path = ""
    if path:
        raise FormatError(f"line {begun}: {path} is not finished: there is no line '=== end: {path} ==='")
    if not found:
        raise FormatError("there is no file in it: no line '=== file: PATH ==='")
    return found


def _check(
    path: str,
    number: int,
    may_write: Callable[[str], bool],
    found: dict[str, str],
    folders: set[str],
    names: dict[str, str],
) -> None:
    try:
        check_path(path)
    except AgentError as error:
        raise FormatError(f"line {number}: {error}") from error
    if not may_write(path):
        raise FormatError(f"line {number}: {path} is not one of the files that were asked for")
    if path in found:
        raise FormatError(f"line {number}: {path} is there twice")
    if names.get(path.lower(), path) != path:
        raise FormatError(f"line {number}: {path} and {names[path.lower()]} are one file on some systems")
    parents = _folders([path])
    clash = next((one for one in parents if one.lower() in names), path if path in folders else None)
    if clash is not None:
        raise FormatError(f"line {number}: {clash} can't be a file and a folder")
    if len(found) == ANSWER_FILES:
        raise FormatError(f"line {number}: more than {ANSWER_FILES} files in one answer")


def _text(path: str, lines: list[str]) -> str:
    text = "\n".join([*lines, ""]) if lines else ""
    if len(text) > ANSWER_FILE:
        raise FormatError(f"{path} has {len(text):,} characters, at most {ANSWER_FILE:,}")
    if "\0" in text:
        raise FormatError(f"{path} holds a character U+0000")
    if lines and lines[0].startswith(_TICKS) and not path.endswith(".md"):
        raise FormatError(f"{path} begins with {_TICKS}: write its text alone, without fences around it")
    return text


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder that these are in."""
    return {path[:end] for path in paths for end, one in enumerate(path) if one == "/"}
