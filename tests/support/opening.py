"""Projects whose application can be opened, on a real server, and requests to it under its own host name."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from tests.support.bearers import ask
from tests.support.creating import new_project
from tests.support.http import Connection, Response
from tests.support.server import ServerProcess

MODULE: Final = "tests.support.open_apps"
UNCONFINED: Final = {"TWINWIRE_RUN_APPS": "unconfined"}
"""On every kernel. What the walls hold is tested with the sandbox."""


async def completed(url: str, text: str | None = None, name: str = "Tool") -> str:
    """The id of a new project with a completed run; `text` is the token of who makes it."""
    id = await new_project(url, name, token=text)
    await again(url, id, text)
    return id


async def again(url: str, id: str, text: str | None = None) -> str:
    """One more run, completed; its id."""
    before = (await ask(url, "GET", f"/api/events?topic=projects/{id}&order=desc&limit=1", text)).json()["head"]
    run = await ask(url, "POST", f"/api/projects/{id}/generate", text)
    assert run.status == 202, run.body
    after = before
    while True:
        path = f"/api/events?topic=projects/{id}&after={after}&wait=30&type=completion"
        page = (await ask(url, "GET", path, text)).json()
        after = page["cursor"]
        if page["events"]:
            assert page["events"][0]["data"]["status"] == "completed", page
            return str(run.json()["id"])


def host_of(server: ServerProcess, id: str) -> str:
    return f"app-{id}.localhost:{server.port}"


class Guest:
    """Who comes to an application's host; with a cookie once he has entered."""

    def __init__(self, server: ServerProcess, id: str, cookie: str = "") -> None:
        self.server = server
        self.host = host_of(server, id)
        self.cookie = cookie

    def fields(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        return {"Host": self.host, **cookie, **(more or {})}

    async def get(self, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = await Connection.open(self.server.url)
        try:
            return await connection.request(method, path, headers=self.fields(named), body=body)
        finally:
            await connection.close()


async def opened(server: ServerProcess, id: str, text: str | None = None) -> dict[str, Any]:
    """The answer to who presses the button on the service's page."""
    fields = {"Origin": server.url, "Host": f"127.0.0.1:{server.port}"}
    answer = await ask(server.url, "POST", f"/api/projects/{id}/app", text, **fields)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def entered(server: ServerProcess, id: str, text: str) -> Guest:
    """Who has a token, and has used its ticket."""
    view = await opened(server, id, text)
    path = urlsplit(view["url"])
    answer = await Guest(server, id).get(f"{path.path}?{path.query}")
    assert answer.status == 303, answer.body
    cookie = (answer.header("set-cookie") or "").partition(";")[0]
    return Guest(server, id, cookie)
