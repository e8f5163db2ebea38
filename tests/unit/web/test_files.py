"""The table of static files."""

from pathlib import Path

import pytest

from service.web.files import File, read_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.js").write_text("1")
    (tmp_path / "b.unknown").write_bytes(b"2")
    (tmp_path / ".hidden").write_text("3")
    return tmp_path


def test_every_file_is_in_it_but_hidden_ones(folder: Path) -> None:
    table = read_folder(folder)
    assert set(table) == {"app/a.js", "b.unknown"}
    assert (table["app/a.js"].body, table["app/a.js"].media_type) == (b"1", "text/javascript; charset=utf-8")
    assert table["b.unknown"].media_type == "application/octet-stream"


def test_a_client_that_has_the_bytes_is_told_so(folder: Path) -> None:
    file = File.read(folder / "app" / "a.js")
    assert file.is_known(file.etag)
    assert file.is_known(f'"other", W/{file.etag}')
    assert file.is_known("*")
    assert not file.is_known(None)
    assert not file.is_known('"other"')
    (folder / "app" / "a.js").write_text("other")
    assert not File.read(folder / "app" / "a.js").is_known(file.etag)
