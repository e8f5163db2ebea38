"""Archives: the same files give the same bytes, in an order and with rights that any tool takes."""

import io
import zipfile

import pytest

from service.apps.projects.archive import pack, slug

FILES = {"b/c.txt": "ü\n", "a.txt": "", ".gitignore": "x\n"}


def test_the_order_of_files_does_not_matter() -> None:
    assert pack(FILES, "p") == pack(dict(reversed(FILES.items())), "p")


def test_files_come_out_as_they_went_in() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(FILES, "my-app"))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"my-app/{name}" for name in sorted(FILES)]
        assert {name: archive.read(f"my-app/{name}").decode() for name in FILES} == FILES
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("My Project!", "my-project"), ("--a--b--", "a-b"), ("日本", "project"), ("<b>x</b>", "b-x-b")],
)
def test_slugs_are_names_everywhere(text: str, expected: str) -> None:
    assert slug(text) == expected
