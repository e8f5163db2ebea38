"""Markers are found wherever output is cut, and counted from where they end."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twinwire.running.markers import LINE_MAX, Found, Markers, Progress, Stage

parts = st.sampled_from(
    [
        *(b"::progress 40", b"::progress 7% 'x y'", b"::stage build", b"::stage ", b"::", b":", b"\n", b"\r\n", b"a"),
        *(b"\x1b]9;4;1;50\x07", b"\x1b]9;4;2;70\x1b\\", b"\x1b]9;4;0\x07", b"\x1b", b"]9;4;", b"1;30", b"\x07", b"\\"),
    ]
)


def plain(data: bytes) -> list[Found]:
    """The same for all of it at once."""
    found: list[Found] = []
    for line in re.finditer(rb"^::(progress|stage)[ \t]+([^\n]+)\n", data, re.MULTILINE):
        said = line[2].rstrip()
        if line[1] == b"stage" and (name := said.decode().strip(" '")):
            found.append((line.end(), Stage("".join(one for one in name if one.isprintable()))))
        number = re.match(rb"(\d+)%?(?=\s|\Z)(.*)", said, re.DOTALL)
        if line[1] == b"progress" and number:
            text = "".join(one for one in number[2].decode().strip() if one.isprintable()).strip("' ")
            found.append((line.end(), Progress(int(number[1]), text or None)))
    sequences = re.finditer(rb"\x1b\]9;4;([124]);(\d+)(?:\x07|\x1b\\)", data)
    found.extend((one.end(), Progress(int(one[2]))) for one in sequences)
    return sorted(found, key=lambda one: one[0])


@example(b"\x1b]9;4;1;50\x07\x1b]9;4;1;60\x07", [12])  # behind a whole one, in the middle of the next
@given(st.lists(parts, max_size=20).map(b"".join), st.lists(st.integers(0, 60), max_size=8))
def test_however_it_is_cut_the_same_is_found(data: bytes, cuts: list[int]) -> None:
    whole = Markers().feed(data)
    markers, found, at = Markers(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        piece = data[at : max(at, cut)]
        found += [(at + place, what) for place, what in markers.feed(piece)]
        at += len(piece)
    assert found == whole


@given(
    st.lists(
        st.sampled_from([b"::progress 40\n", b"::progress 7% 'x y'\r\n", b"::stage build\n", b"a::stage no\n", b"\n"])
        | st.sampled_from([b"\x1b]9;4;1;50\x07", b"\x1b]9;4;2;70\x1b\\", b"\x1b]9;4;3\x07", b"make\n"]),
        max_size=12,
    ).map(b"".join)
)
def test_what_is_found_is_what_a_plain_search_finds(data: bytes) -> None:
    assert Markers().feed(data) == plain(data)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'::progress 40 "compiling"', Progress(40, "compiling")),
        (b"::progress 100", Progress(100)),
        (b"::progress 12.5% half way", Progress(12, "half way")),
        (b"::progress 101", None),
        (b"::progress", None),
        (b"::progress fast", None),
        (b" ::progress 40", None),
        (b"::stage build", Stage("build")),
        (b"::stage  'unit tests' ", Stage("unit tests")),
        (b"::stage \x1b[1mbold\x1b[0m", Stage("bold")),
        (b"::stage \xff", Stage("\ufffd")),
        (b"::stage \x07", None),
        (b"::stages", None),
        (b"::stage " + b"n" * 300, Stage("n" * 100)),
        (b"::stage " + b"n" * LINE_MAX, None),
    ],
)
def test_lines(line: bytes, what: Progress | Stage | None) -> None:
    assert Markers().feed(line + b"\n") == ([(len(line) + 1, what)] if what else [])
    assert Markers().feed(line + b"\r\n") == ([(len(line) + 2, what)] if what else [])
    assert Markers().feed(line) == [], "a line counts once it has ended"


def test_little_is_kept_of_what_may_become_one() -> None:
    markers = Markers()
    for piece in (b"::stage " + b"x" * 500, b"x" * 400, b"x" * 100_000):
        assert markers.feed(piece) == []
    assert markers._lines._begun is None
    assert markers.feed(b"\n::stage b\n") == [(11, Stage("b"))]
