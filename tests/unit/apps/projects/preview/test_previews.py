"""What a page is told of an application, where it can't be opened above all."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.access.caller import Caller
from service.apps.projects.preview.previews import MOUNTED, Previews
from service.apps.projects.preview.releases import Releases
from service.apps.projects.sandbox.sandbox import Sandbox
from service.apps.projects.sandbox.values import Mode
from service.apps.projects.settings import ProjectsSettings
from service.core.errors import InvalidError, NotFoundError, UnsupportedError
from service.preview.names import Site
from tests.support.clock import ManualClock
from tests.support.projects import BRIEF, World

HERE = Site("http", "127.0.0.1:8000")
THERE = Site("https", "live.example.org")


class Setting:
    def __init__(self, world: World, service: Any) -> None:
        self.world = world
        self.service = service

    def previews(self, mode: Mode = Mode.UNCONFINED, *, has_hosts: bool = True, below: str = "") -> Previews:
        sandbox = Sandbox(mode)
        releases = Releases(self.service.store, sandbox, self.service.exists)
        settings = ProjectsSettings(preview_host=below)
        return Previews(settings, releases, sandbox, ManualClock(), is_guarded=False, has_hosts=has_hosts)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    async with World.open(tmp_path / "a.db") as world:
        yield Setting(world, await world.service())


async def test_where_none_is_opened_it_says_why(setting: Setting) -> None:
    project = await setting.service.create("Tools", BRIEF)
    for previews, page, why, error in (
        (setting.previews(Mode.OFF), HERE, "TWINWIRE_RUN_APPS=1", UnsupportedError),
        (setting.previews(has_hosts=False), HERE, MOUNTED, UnsupportedError),
        (setting.previews(), THERE, "TWINWIRE_PREVIEW_HOST", InvalidError),
    ):
        view = await previews.show(project.id, page)
        assert view.state == "off"
        assert why in view.message
        assert previews.frames(page.host) == ()
        with pytest.raises(error, match=why):
            await previews.open(project.id, page, Caller(), lambda caller: None)
        await previews.close()


async def test_without_a_completed_run_there_is_none(setting: Setting) -> None:
    project = await setting.service.create("Tools", BRIEF)
    previews = setting.previews(below="preview.example.net")
    assert (await previews.show(project.id, HERE)).state == "none"
    with pytest.raises(NotFoundError, match="a run has to be completed first"):
        await previews.open(project.id, HERE, Caller(), lambda caller: None)
    run = await setting.service.generate(project.id)
    await setting.world.completion(run.id)
    for page, url in (
        (HERE, f"http://app-{project.id}.localhost:8000/"),
        (THERE, f"https://app-{project.id}.preview.example.net/"),
    ):
        view = await previews.show(project.id, page)
        assert (view.state, view.url, view.ticket) == ("stopped", url, None)
    assert previews.frames(THERE.host) == ("*.preview.example.net",)
    assert previews.host(f"app-{project.id}.preview.example.net") is not None
    assert previews.host("live.example.org") is None
    await previews.close()
