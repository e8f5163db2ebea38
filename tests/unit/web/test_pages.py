"""The pages are plain files behind strict headers, and nothing else of the disk is served."""

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from quart import Blueprint
from werkzeug.exceptions import HTTPException, NotFound

from service.apps.base import App
from service.apps.projects.app import ProjectsApp
from service.core.errors import NotFoundError, TwinwireError
from service.resources import resource
from service.settings import Settings
from service.web.app import TwinwireApp, create_app
from tests.support.wires import Exchange, call, http_scope

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


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/nothing", "/app/gone.js", "/a/b/c", "/client/"])
async def test_a_person_who_is_nowhere_sees_a_page(app: TwinwireApp, path: str) -> None:
    answer = await call(app, "GET", path, "", BROWSER)
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    text = answer.body.decode()
    assert "There is nothing at this address" in text
    names = [name for name in re.findall(r'href="([^"]*)"', text) if not name.startswith("#")]
    assert "" not in names, "that would be here"
    for name in names:
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        assert (await call(app, "GET", there)).status == 200, "whatever the depth, its styles and ways are found"


@pytest.mark.parametrize("raw", ["/a%2Fb", "/a%2fb%2Fc", "/a%2Fb/c"])
async def test_an_encoded_slash_is_no_folder_to_a_browser(app: TwinwireApp, raw: str) -> None:
    scope = {**http_scope("GET", unquote(raw), headers=BROWSER), "raw_path": raw.encode()}
    text = (await Exchange(app, scope).answer()).body.decode()
    (style, *_) = re.findall(r'<link rel="stylesheet" href="([^"]*)"', text)
    assert posixpath.normpath(posixpath.join(posixpath.dirname(raw), style)).startswith("/v/")


@pytest.mark.parametrize(
    ("method", "path", "accept"),
    [
        ("GET", "/nothing", "*/*"),
        ("GET", "/nothing", None),
        ("GET", "/nothing", "application/json, text/html;q=0.5"),
        ("POST", "/a/b/c", BROWSER["Accept"]),
        ("GET", "/api/nothing", BROWSER["Accept"]),
        ("GET", "/" + "a/" * 1_000, BROWSER["Accept"]),
    ],
)
async def test_a_program_that_is_nowhere_gets_a_problem(
    app: TwinwireApp, method: str, path: str, accept: str | None
) -> None:
    (await call(app, method, path, "", {} if accept is None else {"Accept": accept})).problem(404)


class Guest(App):
    """Answers for what it does not have, registered for one kind of error or all of them."""

    name = "guest"

    def __init__(self, kind: type[Exception] | int) -> None:
        self._kind = kind

    def routes(self) -> list[Blueprint]:
        blueprint = Blueprint("guest", __name__)

        @blueprint.get("/guest/<what>")
        async def show(what: str) -> str:
            raise NotFound if what == "quart" else NotFoundError("nobody here")

        @blueprint.errorhandler(self._kind)
        async def nobody(error: Exception) -> tuple[str, int]:
            return "not among the guests", 404

        return [blueprint]


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (404, "quart"),
        (NotFound, "quart"),
        (HTTPException, "quart"),
        (Exception, "quart"),
        (NotFoundError, "ours"),
        (TwinwireError, "ours"),
        (Exception, "ours"),
    ],
)
async def test_an_application_answers_for_what_it_does_not_have(
    kind: type[Exception] | int, what: str, tmp_path: Path
) -> None:
    app = create_app(Settings.read({"database": tmp_path / "test.db"}), [Guest(kind)])
    async with app.test_app():
        answer = await call(app, "GET", f"/guest/{what}", "", BROWSER)
        assert (answer.status, answer.body) == (404, b"not among the guests")
        elsewhere = await call(app, "GET", "/nothing", "", BROWSER)
        assert b"There is nothing at this address" in elsewhere.body


async def test_another_refusal_is_no_missing_page(app: TwinwireApp) -> None:
    (await call(app, "POST", "/lab.html", "", BROWSER)).problem(405)


async def test_there_is_a_favicon(app: TwinwireApp) -> None:
    answer = await call(app, "GET", "/favicon.ico")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
