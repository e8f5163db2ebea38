"""Own: a page of somebody's own beside the service, which says what its browser refuses and what its stream tells."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from playwright.async_api import Frame, Page

from tests.proxies.http1 import Head, html
from tests.proxies.rig import Mode

TOPIC: Final = "own/1"
PAGE: Final = """<!doctype html><title>own</title><script type="module">
  window.seen = { refused: {}, notices: [], events: [], failed: null, stream: null };
  const ask = async (name, use) => {
    try { await use(); } catch (error) { seen.refused[name] = error.name; }
  };
  await ask("localStorage", () => localStorage.length);
  await ask("sessionStorage", () => sessionStorage.length);
  await ask("cookie", () => document.cookie);
  await ask("locks", () => navigator.locks.request("own", () => {}));
  try {
    const { connect } = await import("%CLIENT%/client/index.js");
    const stream = connect(%OPTIONS%);
    for (const name of [":state", ":transport", ":fault", ":retry", ":role"])
      stream.on(name, (detail) => seen.notices.push({ name, ...detail }));
    stream.on(":close", ({ error }) => seen.notices.push({ name: ":close", error: error?.message ?? error?.detail }));
    stream.on("*", ({ id }) => seen.events.push(id));
    seen.stream = stream;
  } catch (error) {
    seen.failed = String(error);
  }
</script>"""
SEEN: Final = """(() => {
    const { stream, ...rest } = seen;
    return { ...rest, state: stream?.state, role: stream?.role, transport: stream?.transport };
})()"""
PUBLISH: Final = "seen.stream.publish({ topic: '%TOPIC%', type: 'note' }).then(({ id }) => id, String)"


def own(client: str = ".", **options: object) -> str:
    """The page; `client` is the root that it loads the client from, `options` are those of `connect`."""
    asked = json.dumps({"topics": TOPIC, **options})
    return PAGE.replace("%CLIENT%", client).replace("%OPTIONS%", asked)


class Hosting(Mode):
    """Serves pages beside the service, as a site's own web server does; `shared`: with modules that all may load."""

    def __init__(self, pages: Mapping[str, str], shared: bool = False) -> None:
        """`pages` by path."""
        self._pages = pages
        self._shared = shared

    async def refuse(self, request: Head) -> bytes | None:
        text = self._pages.get(request.target.split("?")[0])
        return None if text is None else html("200 OK", text)

    def reply(self, answer: Head) -> Head:
        shared = self._shared and "javascript" in answer.get("content-type")
        return answer.having("Access-Control-Allow-Origin", "*") if shared else answer


@dataclass(frozen=True, slots=True)
class Own:
    """The page in its window, or in a frame."""

    at: Page | Frame

    async def reaches(self, goal: str) -> dict[str, Any]:
        """Wait until `goal`, an expression over `seen`, holds; what the page has seen then."""
        await self.at.wait_for_function(f"() => window.seen?.stream && ({goal})", timeout=20_000)
        return await self.seen()

    async def live(self) -> dict[str, Any]:
        return await self.reaches("seen.stream.state === 'live'")

    async def has(self, count: int) -> dict[str, Any]:
        """Wait until so many events have come."""
        return await self.reaches(f"seen.events.length >= {count}")

    async def seen(self) -> dict[str, Any]:
        seen: dict[str, Any] = await self.at.evaluate(SEEN)
        return seen

    async def publish(self) -> str:
        """The id of an event that the page publishes, or the error's words."""
        return str(await self.at.evaluate(PUBLISH.replace("%TOPIC%", TOPIC)))

    async def works(self) -> dict[str, Any]:
        """Live, and an event that it publishes comes back; what it has seen by then."""
        await self.live()
        id = await self.publish()
        seen = await self.reaches(f"seen.events.includes({json.dumps(id)})")
        assert seen["failed"] is None
        return seen


def noticed(seen: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [notice for notice in seen["notices"] if notice["name"] == name]
