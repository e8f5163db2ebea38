"""The pages under a path prefix, behind a proxy that strips it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.desk import Desk
from tests.support.bearers import KEYS, ticket, token
from tests.support.server import HOST, ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PREFIX = "/live/wire"


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


def stripped(head: bytes) -> bytes:
    """The request head without the prefix; one request a connection, unless it is to become a WebSocket."""
    line, rest = head.split(b"\r\n", 1)
    method, path, version = line.split(b" ")
    assert path.startswith(PREFIX.encode()), f"{path!r} left the prefix"
    close = b"" if b"upgrade: websocket" in rest.lower() else b"Connection: close\r\n"
    kept = b"\r\n".join(
        field for field in rest.split(b"\r\n") if not (close and field.lower().startswith(b"connection:"))
    )
    return b" ".join((method, path[len(PREFIX) :], version)) + b"\r\n" + close + kept


@asynccontextmanager
async def proxy_of(server: ServerProcess) -> AsyncIterator[str]:
    """The root URL of the service as the proxy shows it, without a trailing slash."""
    escaped: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = stripped(await reader.readuntil(b"\r\n\r\n"))
            upstream, to_server = await asyncio.open_connection(HOST, server.port)
            to_server.write(head)
            await asyncio.gather(copy(reader, to_server), copy(upstream, writer))
        except AssertionError as error:
            escaped.append(str(error))
        except (OSError, asyncio.IncompleteReadError):
            pass  # a browser closes connections that it has no more use for
        finally:
            writer.close()

    proxy = await asyncio.start_server(serve, HOST, 0)
    port = proxy.sockets[0].getsockname()[1]
    yield f"http://{HOST}:{port}{PREFIX}"
    proxy.close()
    assert escaped == []


@pytest_asyncio.fixture(loop_scope="session")
async def prefixed(server: ServerProcess) -> AsyncIterator[str]:
    async with proxy_of(server) as url:
        yield url


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """The bus alone, with keys."""
    env = {"TWINWIRE_TOKEN_KEYS": KEYS, "TWINWIRE_APPS": "none"}
    with ServerProcess(tmp_path_factory.mktemp("guarded"), env=env) as process:
        yield process


async def test_everything_stays_under_the_prefix(page: Page, prefixed: str) -> None:
    desk = Desk(page, prefixed)
    await desk.create("Under a prefix")
    await desk.live("WebSocket")
    await desk.generate()
    await desk.status("completed")
    await page.get_by_role("link", name="All projects").click()
    await desk.live()
    assert page.url == f"{prefixed}/"
    await desk.lab()
    await page.get_by_label("Transport", exact=True).select_option("sse")
    await desk.live("SSE")


async def test_one_signs_in_under_the_prefix_and_stays_there(page: Page, guarded: ServerProcess) -> None:
    """`next` is a page of this service: another one of the same host, outside the prefix, is not."""
    async with proxy_of(guarded) as url:
        await page.goto(f"{url}/lab.html")
        await page.locator(".who").get_by_role("link", name="Sign in").click()
        await page.wait_for_url(f"{url}/login?next=lab.html")
        await page.get_by_label("Token, or the link that you were sent").fill(token("ada", subscribe=["lab/*"]))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{url}/lab.html")
        await expect(page.locator(".who__name")).to_have_text("ada")
        for outside in ("/", "/other/app", "../other"):
            login = await ticket(guarded.url, token("bob", subscribe=["lab/*"]), login=True)
            await page.context.clear_cookies()  # of whoever is signed in it would ask first
            await page.goto(f"{url}/login?next={outside}#ticket={login}")
            await expect(page.locator(".who__name")).to_have_text("bob")
            assert page.url == f"{url}/"
