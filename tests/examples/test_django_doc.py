"""The steps of docs/django.md, as they stand there, in an empty folder: the page is live, and later only for who is
signed in and may see it.
"""

import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.examples.sites import SEEN, await_page, browsing, opened, running, shell
from tests.support.server import ROOT, free_port

PROGRAMS: Final = ("service", "relay", "site")
WITH_KEYS: Final = "keys"

OWN: Final = ('"twinwire": "{% url \'twinwire:client\' %}"', "{% twinwire_client map=False %}")
"""Of a page with an import map of its own: what that has, and the tag beside it."""


class Walk:
    """The document's blocks with ports that are free, and the folder that they are for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self.live, self.site = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.site}"
        self.env = shell()
        self.errors: list[str] = []
        text = (ROOT / "docs" / "django.md").read_text()
        text = text.replace("8000", str(self.site)).replace("8001", str(self.live))
        text = text.replace("manage.py runserver", f"manage.py runserver {self.site}")
        blocks = re.findall(r"^```\w+ (\S+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        self.programs = {name: block for name, block in blocks if name in PROGRAMS}
        self.blocks = [(name, block) for name, block in blocks if name not in PROGRAMS]
        folder.mkdir()

    def follow(self, until: str) -> None:
        """Up to the block of that name, and without it: what is a file is written or added to, the rest is run."""
        while self.blocks and self.blocks[0][0] != until:
            name, block = self.blocks.pop(0)
            if "." in name:
                self._write(self.folder / name, block)
            else:
                self.run(block)

    def _write(self, path: Path, block: str) -> None:
        path.parent.mkdir(exist_ok=True)
        is_there = path.exists() and path.parent.name == "shop"
        path.write_text((path.read_text() + "\n" if is_there else "") + block)

    def run(self, script: str) -> None:
        command = ["bash", "-euc", script]
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, stack: ExitStack, *names: str) -> None:
        for name in names:
            stack.enter_context(running(self.programs[name], self.folder, self.env, self.log))

    async def page(self, browser: Browser, path: str = "/orders/1/") -> Page:
        return await opened(browser, self.url + path, self.errors)


async def shows(page: Page, state: str) -> None:
    await expect(page.locator("#state")).to_have_text(state, timeout=SEEN)


async def look(walk: Walk, browser: Browser) -> None:
    """Step 5: two windows, and a service that is away for a while."""
    with ExitStack() as service:
        walk.start(service, "service")
        await_page(f"http://127.0.0.1:{walk.live}/api/ready", walk.log)
        one, other = await walk.page(browser), await walk.page(browser)
        await one.click("text=Pay")
        await shows(other, "paid")
    await one.click("text=Send")
    await shows(one, "sent")
    with ExitStack() as service:
        walk.start(service, "service")
        await shows(other, "sent")


async def look_signed_in(walk: Walk, browser: Browser) -> None:
    """Step 7."""
    ada, nobody = await walk.page(browser, "/admin/login/?next=/orders/1/"), await walk.page(browser)
    await ada.fill("#id_username", "ada")
    await ada.fill("#id_password", "secret")
    await ada.click("input[type=submit]")
    await shows(ada, "sent")
    await nobody.click("text=Pay")
    await shows(nobody, "paid")
    await shows(ada, "paid")
    again = await ada.context.new_page()
    await again.goto(f"{walk.url}/orders/1/")
    await ada.click("text=Send")
    await shows(again, "sent")
    await shows(nobody, "paid")


def bring_a_map(walk: Walk) -> None:
    """As the document says it of templates: the page's own import map in place of the tag's."""
    text = (ROOT / "docs" / "django.md").read_text()
    assert all(f"`{part}`" in text for part in OWN)
    path = walk.folder / "orders" / "templates" / "order.html"
    page, mapped = path.read_text(), f'<script type="importmap">{{"imports": {{{OWN[0]}}}}}</script>{OWN[1]}'
    assert page.count("{% twinwire_client %}") == 1
    path.write_text(page.replace("{% twinwire_client %}", mapped))


@pytest.mark.browser
async def test_the_steps_lead_to_a_live_page(tmp_path: Path) -> None:
    walk = Walk(tmp_path / "empty")
    name, project = walk.blocks.pop(0)
    assert name == "project"
    venv, install, *rest = project.splitlines()
    assert (venv, install) == ("python3 -m venv .venv && . .venv/bin/activate", "pip install 'twinwire[server,django]'")
    walk.run("\n".join(rest))
    walk.follow(WITH_KEYS)
    async with browsing() as browser:
        with ExitStack() as stack:
            walk.start(stack, "relay", "site")
            await_page(f"{walk.url}/orders/1/", walk.log)
            await look(walk, browser)
        _, keys = walk.blocks.pop(0)
        walk.run(keys)
        walk.env["TWINWIRE_TOKEN_KEYS"] = "keys.json"
        walk.follow("")
        walk.env["DJANGO_SUPERUSER_PASSWORD"] = "secret"
        walk.run("python manage.py createsuperuser --noinput --username ada --email ada@example.org")
        for is_own in (False, True):
            if is_own:
                bring_a_map(walk)
            with ExitStack() as stack:
                walk.start(stack, *PROGRAMS)
                await_page(f"{walk.url}/orders/1/", walk.log)
                await_page(f"http://127.0.0.1:{walk.live}/api/ready", walk.log)
                await look_signed_in(walk, browser)
    assert walk.errors == []
    assert "Traceback" not in walk.log.read_text(), walk.log.read_text()
