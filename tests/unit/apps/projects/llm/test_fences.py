"""The format of a model's files: what is read of an answer, and what of it is refused."""

import pytest

from service.apps.projects.limits import PATH_MAX
from service.apps.projects.llm.fences import ANSWER_FILE, ANSWER_FILES, FormatError, read_files, show


def anything(path: str) -> bool:
    return path.startswith(("app/", "../", "/"))


def test_files_come_out_as_they_went_in() -> None:
    files = {"app/a.py": "print(1)\n", "app/b.md": "```\ncode\n```\n=== end: app/a.py ===\n", "app/empty": ""}
    answer = "Sure:\n\n" + "and\n".join(show(path, text) for path, text in files.items()) + "That is all."
    assert read_files(answer, anything) == files
    assert read_files(answer.replace("\n", "\r\n"), anything) == files


def test_a_last_line_without_its_end_gets_one() -> None:
    assert read_files(show("app/a.py", "x = 1"), anything) == {"app/a.py": "x = 1\n"}


def test_separators_of_lines_that_are_none_here_stay() -> None:
    text = "a = '\x0b\x0c\x1c\u2028\r'\n"
    assert read_files(show("app/a.py", text), anything) == {"app/a.py": text}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("I can't help with that.", "there is no file in it"),
        ("```python\n# app/a.py\n```", "there is no file in it"),
        (show("../x", ""), "line 1: '../x' is not a path"),
        (show("/etc/passwd", ""), "line 1: '/etc/passwd' is not a path"),
        (show("app/" + "x" * PATH_MAX, ""), "is not a path"),
        (show("app/a b", ""), "is not a path"),
        (show("docs/a.md", ""), "line 1: docs/a.md is not one of the files that were asked for"),
        (show("app/a.py", "") * 2, "line 3: app/a.py is there twice"),
        (show("app/a.py", "") + show("app/A.py", ""), "line 3: app/A.py and app/a.py are one file on some systems"),
        (show("app/Old.py", ""), "app/Old.py and app/old.py are one file"),
        (show("app/a", "") + show("app/a/b", ""), "line 3: app/a can't be a file and a folder"),
        (show("app/a/b", "") + show("app/a", ""), "line 3: app/a can't be a file and a folder"),
        (show("app/old.py/b", ""), "app/old.py can't be a file and a folder"),
        ("x\n=== file: app/a.py ===\ny\n", "line 2: app/a.py is not finished"),
        ("=== file: app/a.py ===\n=== file: app/b.py ===\n", "line 2: app/b.py begins before app/a.py (line 1) has"),
        ("=== end: app/a.py ===\n", "line 1: app/a.py ends, and was not begun"),
        (show("app/a.py", "```python\nx\n```\n"), "app/a.py begins with ```"),
        (show("app/a.py", "\0"), "U+0000"),
    ],
)
def test_what_is_not_in_the_format_is_refused_whole(answer: str, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_files(answer, anything, ["app/old.py"])
    assert problem in str(caught.value)


def test_what_is_there_already_may_be_written_anew() -> None:
    assert read_files(show("app/old.py", "x\n"), anything, ["app/old.py"]) == {"app/old.py": "x\n"}


def test_files_are_bounded_in_number_and_in_size() -> None:
    many = "".join(show(f"app/{number}", "") for number in range(ANSWER_FILES))
    assert len(read_files(many, anything)) == ANSWER_FILES
    with pytest.raises(FormatError, match=f"more than {ANSWER_FILES} files"):
        read_files(many + show("app/more", ""), anything)
    largest = "x" * (ANSWER_FILE - 1) + "\n"
    assert read_files(show("app/a", largest), anything) == {"app/a": largest}
    with pytest.raises(FormatError, match=f"at most {ANSWER_FILE:,}"):
        read_files(show("app/a", f"x{largest}"), anything)
