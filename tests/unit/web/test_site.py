"""What pages need comes in few files, compressed, and a browser keeps it as long as it is the same."""

import gzip
import re
from pathlib import Path
from typing import Final

import brotli
import pytest

from service.resources import resource
from service.web.app import TwinwireApp
from service.web.files import File
from service.web.site import Site
from tests.support.wires import call

CODINGS = {"gzip": gzip.decompress, "br": brotli.decompress}


def named(page: str) -> list[str]:
    """The styles and scripts that a page names."""
    return re.findall(r'(?:href|src)="([^"]+\.(?:css|js))"', page)


@pytest.mark.parametrize("page", ["", "project.html", "lab.html", "admin.html", "login"])
async def test_a_page_names_one_style_and_one_script_that_are_kept(app: TwinwireApp, page: str) -> None:
    first = await call(app, "GET", f"/{page}")
    assert first.headers["cache-control"] == "no-cache"
    found = named(first.body.decode())
    assert [name.rpartition(".")[2] for name in found] == ["css", "js"]
    for name in found:
        assert name.startswith("v/"), "relative, so that a path before it works"
        answer = await call(app, "GET", f"/{name}", "", {"Accept-Encoding": "gzip"})
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "\nimport " not in gzip.decompress(answer.body).decode()
        old = await call(app, "GET", "/" + re.sub("/[0-9a-f]{16}/", f"/{'0' * 16}/", name))
        assert (old.status, old.headers["cache-control"]) == (200, "no-cache"), "a page from before a restart goes on"


async def test_the_styles_of_a_page_are_in_their_order(app: TwinwireApp) -> None:
    (style, _) = named((await call(app, "GET", "/lab.html")).body.decode())
    written = re.findall(r'rel="stylesheet" href="([^"]+)"', (resource("static") / "lab.html").read_text())
    expected = b"".join((resource("static") / name).read_bytes() for name in written)
    assert (await call(app, "GET", f"/{style}")).body == expected


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("*", "br"),
        ("identity", None),
        ("gzip;q=0, *;q=0", None),
        (None, None),
    ],
)
async def test_a_file_comes_in_the_best_coding_of_the_client(
    app: TwinwireApp, accepted: str | None, coding: str | None
) -> None:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    plain = await call(app, "GET", "/client/index.d.ts")
    answer = await call(app, "GET", "/client/index.d.ts", "", headers)
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding, Origin"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert (CODINGS[coding](answer.body) if coding else answer.body) == plain.body
    assert coding is None or len(answer.body) < len(plain.body) / 2
    again = await call(app, "GET", "/client/index.d.ts", "", {**headers, "If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", answer.headers["etag"])


async def test_small_files_and_pictures_are_sent_as_they_are(app: TwinwireApp) -> None:
    answer = await call(app, "GET", "/client/index.js", "", {"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert not File(b"x" * 5_000, ".png").varies
    assert not File(b"x" * (1 << 20), ".js").varies, "that would hold up the others"
    assert File(b"x" * 5_000, ".js").varies


def test_the_version_changes_with_any_file(tmp_path: Path) -> None:
    def site(**texts: str) -> Site:
        return Site({name.replace("_", "."): File(text.encode(), ".js") for name, text in texts.items()}, {})

    versions = [one.version for one in (site(a_js="1"), site(a_js="2"), site(b_js="1"), site(a_js="1", b_js="1"))]
    assert len(set(versions)) == 4
    assert site(a_js="1").version == versions[0]


async def test_modules_that_cant_be_linked_come_one_by_one() -> None:
    page = '<script type="module" src="app/main.js"></script>\n'
    files = {
        "app/main.js": File(b'import { a } from "./a.js";\n', ".js"),
        "app/a.js": File(b"export let a = 1;\n", ".js"),
    }
    site = Site(files, {"x.html": File(page.encode(), ".html")})
    found = site.find("x.html")
    assert found is not None
    assert f'src="v/{site.version}/app/main.js"' in found.body.decode()
    for name, file in files.items():
        assert await site.find_versioned(name) is file


def test_what_is_not_ours_to_name_is_left_alone() -> None:
    page = '<link rel="stylesheet" href="app/gone.css" />\n<script type="module" src="/other.js"></script>\n'
    found = Site({}, {"x.html": File(page.encode(), ".html")}).find("x.html")
    assert found is not None
    assert found.body.decode() == page


def page(*styles: str) -> File:
    links = "".join(f'    <link rel="stylesheet" href="{name}" />\n' for name in styles)
    return File(f"<head>\n{links}</head>\n".encode(), ".html")


async def test_a_style_has_a_name_that_pages_of_another_version_know() -> None:
    old, new = (Site({"app/a.css": File(text, ".css")}, {"x.html": page("app/a.css")}) for text in (b"1", b"2"))
    assert old.version != new.version
    (name,) = [name for name in old._versions if name.endswith(".css")]
    found = await new.find_versioned(name)
    assert found is not None
    assert found.body == b"2"


@pytest.mark.parametrize(
    ("styles", "texts"),
    [
        (("a/one.css", "b/two.css"), (b"1", b"2")),
        (("a/one.css", "a/two.css"), (b"1", b"p { background: url(x.png) }")),
        (("a/one.css", "a/two.css"), (b"1", b'@import "three.css";')),
    ],
)
def test_styles_that_depend_on_their_place_are_left_in_it(styles: tuple[str, ...], texts: tuple[bytes, ...]) -> None:
    files = {name: File(text, ".css") for name, text in zip(styles, texts, strict=True)}
    found = Site(files, {"x.html": page(*styles)}).find("x.html")
    assert found is not None
    assert found.body == page(*styles).body


async def test_a_style_at_the_top_is_found() -> None:
    site = Site({"chat.css": File(b"1", ".css")}, {"chat.html": page("chat.css")})
    found = site.find("chat.html")
    assert found is not None
    (name,) = named(found.body.decode())
    assert "//" not in name
    assert await site.find_versioned(name.removeprefix(f"v/{site.version}/")) is not None


def test_a_page_in_another_encoding_is_served_as_it_is() -> None:
    body = "<p>\u00e4</p>".encode("latin-1")
    found = Site({}, {"x.html": File(body, ".html")}).find("x.html")
    assert found is not None
    assert found.body == body


async def test_a_missing_page_has_no_conditions(app: TwinwireApp) -> None:
    answer = await call(app, "GET", "/nothing", "", {"Accept": "text/html", "If-None-Match": "*"})
    assert answer.status == 404
    assert b"nothing at this address" in answer.body
    assert "etag" not in answer.headers


ASKS: Final = '<link rel="preload" as="fetch" crossorigin href="%s" />\n'


@pytest.mark.parametrize(
    ("query", "link"),
    [
        ({"id": "42"}, "<api/projects/42>; rel=preload; as=fetch; crossorigin"),
        ({"id": "a/b>, <c"}, "<api/projects/a%2Fb%3E%2C%20%3Cc>; rel=preload; as=fetch; crossorigin"),
        ({"id": ""}, ""),
        ({"id": "x" * 101}, ""),
        ({}, ""),
    ],
)
def test_what_a_page_asks_for_by_its_query_is_a_link(query: dict[str, str], link: str) -> None:
    text = ASKS % "api/projects/{id}" + ASKS % "api/session"
    site = Site({}, {"x.html": File(text.encode(), ".html")})
    found = site.find("x.html")
    assert found is not None
    assert found.body.decode() == ASKS % "api/session", "the page is the same for all queries"
    assert site.links("x.html", query) == link
    assert site.links("y.html", query) == ""


def test_what_stands_in_the_page_is_of_html_and_ends_no_field() -> None:
    text = ASKS % "api/events?topic=projects/{id}&amp;order=desc&#x0D;&#x0A;X-Own: 1&gt;; \u00fc"
    site = Site({}, {"x.html": File(text.encode(), ".html")})
    address = "api/events?topic=projects/42&order=desc%0D%0AX-Own:%201%3E;%20%C3%BC"
    assert site.links("x.html", {"id": "42"}) == f"<{address}>; rel=preload; as=fetch; crossorigin"


async def test_a_project_is_asked_for_with_the_script_of_its_page(app: TwinwireApp) -> None:
    answer = await call(app, "GET", "/project.html", "id=42")
    asks = ("api/projects/42", "api/projects/42/runs?limit=30")
    assert answer.headers["link"] == ", ".join(f"<{one}>; rel=preload; as=fetch; crossorigin" for one in asks)
    assert "link" not in (await call(app, "GET", "/project.html")).headers
