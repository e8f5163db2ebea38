"""What a model is told: the texts of `prompts/`, filled in."""

import re
from collections.abc import Callable, Iterable
from importlib import resources
from string import Template
from typing import Final

from service.apps.projects.llm.exchange import Message
from service.apps.projects.llm.fences import show

FILES_MAX: Final = 120_000
"""Characters of files that go with a question; of the others it is told which there are."""

OUTPUT_MAX: Final = 6_000
"""Characters of a program's output that go with a question: its end, where the failures are."""

_CUT_LINE: Final = re.compile(r"\A[^\n]{0,400}\n")
"""What is left of the line in which an output is cut."""


def prompt(name: str, **values: str) -> str:
    """The text of `prompts/NAME.txt`, with its `$` filled in; what they are filled with stays as it is."""
    file = resources.files("service.apps.projects.llm").joinpath("prompts", f"{name}.txt")
    return Template(file.read_text("utf-8")).substitute(values)


def opening(writes: Iterable[str], task: str) -> list[Message]:
    """How a talk begins in which these files are written."""
    system = prompt("system", format=prompt("format", writes=", ".join(writes)))
    return [{"role": "system", "content": system}, {"role": "user", "content": task}]


def handed_back(answer: str, problem: str) -> list[Message]:
    """An answer, and why it can't be used."""
    return [
        {"role": "assistant", "content": answer or "(nothing)"},
        {"role": "user", "content": prompt("again", problem=problem)},
    ]


def shown_files(paths: Iterable[str], read: Callable[[str], str], first: str = "") -> str:
    """Files for a question, as many as fit: those that are named in `first` before the others."""
    ordered = sorted(paths, key=lambda path: (path not in first, path))
    shown: list[str] = []
    left, room = [], FILES_MAX
    for path in ordered:
        text = show(path, read(path))
        if len(text) <= room:
            shown.append(text)
            room -= len(text)
        else:
            left.append(path)
    if left:
        shown.append(f"(There are also, too long to be shown: {', '.join(left)})\n")
    return "\n".join(shown)


def end_of(output: str) -> str:
    """The end of a program's output, in whole lines where it can be."""
    if len(output) <= OUTPUT_MAX:
        return output
    end = output[-OUTPUT_MAX:]
    return "[...]\n" + _CUT_LINE.sub("", end)
