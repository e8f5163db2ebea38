"""Every program of docs/mounting.md, as it stands there, on uvicorn."""

from pathlib import Path

import pytest

from tests.support.documents import blocks
from tests.support.http import request
from tests.support.uvicorns import on_uvicorn

PROGRAMS = blocks("docs/mounting.md")


def test_there_is_one_for_each_way() -> None:
    assert [word for word in ("fastapi", "quart", "litestar") if f"from {word} import" in "".join(PROGRAMS)] == [
        "fastapi",
        "quart",
        "litestar",
    ]
    assert len(PROGRAMS) == 3


@pytest.mark.parametrize("program", PROGRAMS, ids=["fastapi", "quart", "litestar"])
async def test_each_serves_below_its_path(program: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(program)
    with on_uvicorn(tmp_path, ["uvicorn", "program:app"], {}) as url:
        assert (await request(url, "GET", "/live/api/ready")).status == 200
        reading = await request(url, "GET", "/live/api/events", query={"topic": "orders/17"})
        if "caller=" not in program:
            assert reading.status == 200
            return
        reading.problem(401)
        assert (await request(url, "POST", "/orders/17/paid")).json()["id"].endswith("-1")
    assert (tmp_path / "live.db").exists()
