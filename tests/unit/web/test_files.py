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
    etag = file.best(lambda coding: 1.0).etag
    assert file.is_known(etag)
    assert file.is_known(f'"other", W/{etag}')
    assert file.is_known("*")
    assert not file.is_known(None)
    assert not file.is_known('"other"')
    (folder / "app" / "a.js").write_text("other")
    assert not File.read(folder / "app" / "a.js").is_known(etag)


def test_it_is_known_in_whatever_coding_the_client_has_it() -> None:
    file = File(b"x" * 5_000, ".js")
    etags = {file.best(lambda coding, one=one: float(coding == one)).etag for one in ("", "gzip", "br")}
    assert len(etags) == 3
    assert all(file.is_known(etag) for etag in etags)
