"""What people see of a model's endpoint that does not do as it should: a run for each of its ways, failed, in pictures.

What each says is held by tests/unit/apps/projects/llm/test_misbehaviour.py; the pictures are in screenshots/, as those
of test_states.py.
"""

import re
from collections.abc import AsyncIterator
from typing import Final, Literal

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.desk import Desk
from tests.browser.looks import FITS, assert_accessible, picture_of
from tests.support.creating import new_project
from tests.support.http import request
from tests.support.server import ServerProcess
from tests.support.standin import KEY, MISBEHAVIOURS, StandIn

pytestmark = [pytest.mark.browser, pytest.mark.pictures, pytest.mark.asyncio(loop_scope="session")]

WIDTHS: Final = (360, 1280)
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
BUDGET: Final = {"TWINWIRE_LLM_SILENCE": "0.5", "TWINWIRE_LLM_SECONDS_MAX": "12", "TWINWIRE_LLM_TOKENS_MAX": "20000"}
"""Little, so that a run ends soon; room for the pauses between four tries."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standin() -> AsyncIterator[StandIn]:
    async with StandIn.open() as standin:
        yield standin


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    env = {"TWINWIRE_GENERATION_PACE": "0", **standin.env(**BUDGET)}
    process = ServerProcess(tmp_path_factory.mktemp("model"), env=env)
    await process.astart()
    yield process
    process.discard()
    assert KEY not in process.log.read_text()


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_a_run_that_its_model_has_failed(page: Page, standin: StandIn, service: ServerProcess, name: str) -> None:
    standin.then(MISBEHAVIOURS[name])
    desk = Desk(page, service.url)
    project = await new_project(desk.url, f"A model that {name.replace('-', ' ')}")
    await desk.open(project)
    await desk.live()
    await desk.generate()
    await desk.status("failed")
    told = (await request(desk.url, "GET", f"/api/projects/{project}")).json()["run"]["message"]
    await expect(page.get_by_text(re.compile(re.escape(told[:60]))).first).to_be_visible()
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            await page.screenshot(path=picture_of(f"model-{name}-{scheme}-{width}"), full_page=True)
            assert await page.evaluate(FITS), (scheme, width)
    await assert_accessible(page)
