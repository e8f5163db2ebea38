"""The pages are plain files behind strict headers, and nothing else of the disk is served."""

import re
from pathlib import Path

import pytest

from service.apps.projects.app import ProjectsApp
from service.resources import resource
from service.web.app import TwinwireApp
from tests.support.wires import call

STATIC = resource("static")
FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())


async def test_every_file_is_served_with_strict_headers(app: TwinwireApp) -> None:
    assert len(FILES) > 10
    served = {f"/{name}": STATIC / name for name in FILES}
    served |= {f"/{name}": file for name, file in ProjectsApp().pages().items()}
    for path, file in served.items():
        answer = await call(app, "GET", path)
        assert (path, answer.status) == (path, 200)
        if file.suffix != ".html":
            assert answer.body == file.read_bytes()
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-cache"


async def test_scripts_are_javascript(app: TwinwireApp) -> None:
    answer = await call(app, "GET", "/client/index.js")
    assert answer.headers["content-type"].partition(";")[0] in ("text/javascript", "application/javascript")


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/app/../../pyproject.toml",
        "/client/../../service/__init__.py",
        "/client/..%2f..%2fpyproject.toml",
        "/app//etc/passwd",
        "/..",
        "/client/",
        "/app",
        "/app/css",
        "/other/index.html",
        "/.gitignore",
        "/client/%00",
        "/client/\x00",
        "/" + "a" * 300,
        "/client/" + "a" * 31_000,
        "/app/" + "a/" * 10_000,
        "/app/con",
    ],
)
async def test_nothing_else_is_served(app: TwinwireApp, path: str) -> None:
    answer = await call(app, "GET", path)
    answer.problem(404)
    assert not any(name in answer.body for name in (b"[project]", b"root:", b"__version__"))


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith((".html", ".js", ".css"))])
def test_no_page_names_another_host(path: str) -> None:
    text = (STATIC / path).read_text()
    harmless = ("http://www.w3.org/2000/svg", "http://127.0.0.1", "http://localhost")
    for found in re.findall(r"(?:https?:)//[^\s\"'`)]+", text):
        assert found.startswith(harmless), found


def test_pages_hold_no_inline_script() -> None:
    for page in Path(STATIC).rglob("*.html"):
        text = page.read_text()
        assert text.count("<script") == text.count('<script type="module" src='), page.name
        assert " onclick=" not in text
        assert "<style" not in text


async def test_a_file_that_the_browser_has_is_not_sent_again(app: TwinwireApp) -> None:
    first = await call(app, "GET", "/client/index.js")
    again = await call(app, "GET", "/client/index.js", "", {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache"
