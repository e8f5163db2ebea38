"""How far a command is: drawn anew on a terminal, and a few lines anywhere else."""

import io

from service.command.progress import Progress, line
from tests.support.clock import StillClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(terminal: io.StringIO) -> list[str]:
    """What a terminal shows in the end: a line that begins anew is written over."""
    return [text.rpartition("\r")[2].removesuffix("\x1b[K") for text in terminal.getvalue().split("\n")]


def test_a_terminal_has_one_line_for_each_thing_that_is_done() -> None:
    terminal, clock = Terminal(), StillClock()
    with Progress(terminal, clock) as told:  # type: ignore[arg-type]
        for done in range(0, 1_001, 100):
            told("copying", done, 1_000)
            clock.advance(0.2)
        told("checking", 0, 0)
    assert shown(terminal) == ["copying: 100 %, 1,000 of 1,000", "checking", ""]


def test_it_is_not_drawn_more_often_than_anybody_reads() -> None:
    terminal = Terminal()
    with Progress(terminal, StillClock()) as told:  # type: ignore[arg-type]
        for done in range(1_000):
            told("copying", done, 1_000)
        assert terminal.getvalue().count("\r") == 1
        told("copying", 1_000, 1_000)
        assert terminal.getvalue().count("\r") == 2, "the end is"


def test_a_file_has_a_line_for_each_tenth() -> None:
    file = io.StringIO()
    with Progress(file) as told:
        for done in range(1_001):
            told("copying", done, 1_000)
        told("checking", 0, 0)
        told("checking", 0, 0)
    lines = file.getvalue().splitlines()
    assert len(lines) == 12
    assert lines[0] == "twinwire: copying: 0 %, 0 of 1,000"
    assert lines[10:] == ["twinwire: copying: 100 %, 1,000 of 1,000", "twinwire: checking"]


def test_nobody_is_told_where_nobody_listens() -> None:
    told = Progress(io.StringIO())
    told._stream = None
    told("copying", 1, 2)


def test_no_figure_is_odd_and_no_word_steers() -> None:
    assert line("a\x1b[2J", 7, 0) == "a\\u001b[2J: 7"
    assert line("a", 0, -1) == "a"
    assert line("a", 30, 20) == "a: 100 %, 30 of 20", "more may be left than was thought"
