"""Projects on a real server, created without a page."""

from tests.support.bearers import ask
from tests.support.projects import BRIEF


async def new_project(url: str, name: str, brief: str | None = BRIEF, *, token: str | None = None) -> str:
    """Its id; `brief` is None where its runs are commands, `token` is that of who creates it."""
    answer = await ask(url, "POST", "/api/projects", token, {"name": name, "brief": brief})
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])
