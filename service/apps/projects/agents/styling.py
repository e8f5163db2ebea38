"""The ninth agent: how the pages look."""

from typing import Final
from zlib import crc32

from service.apps.projects.agents.base import Agent, Workspace
from service.apps.projects.agents.render import render

_DEGREES: Final = 360


class Styling(Agent):
    name = "styling"
    needs = ("app/pages.py",)
    writes = ("app/static/style.css", "app/static/favicon.svg")

    async def run(self, work: Workspace) -> None:
        hue = str(crc32(work.title.encode()) % _DEGREES)
        await work.log(f"Hue {hue} of {_DEGREES}, drawn from the project's name; light and dark")
        await work.write("app/static/style.css", render("app/static/style.css", {"hue": hue}))
        await work.write("app/static/favicon.svg", render("app/static/favicon.svg", {"hue": hue}))
        await work.log("Tables become cards below 40 rem, so that they fit a telephone")
