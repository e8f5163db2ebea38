"""Bearer: a page of ours on a guarded server, with a stream whose token the test makes, and all that it asks for."""

from dataclasses import dataclass, field
from typing import Any, Final

from playwright.async_api import BrowserContext, Page

from tests.support.api import unique
from tests.support.bearers import LIFETIME, ask, token
from tests.support.server import ServerProcess

DEADLINE: Final = 45_000
"""Milliseconds in which something must be seen, on a loaded machine."""

PATH: Final = "/api/health"
"""An answer of the server, to be on its origin: pages of ours have streams, one made up is in another address space."""

CONNECT: Final = """async ({ asks, ...options }) => {
    const { connect } = await import("/client/index.js");
    const getToken = asks ? () => window.mint() : undefined;
    window.events = [];
    window.notices = [];
    const stream = window.stream = connect({ ...options, getToken });
    stream.on("*", ({ id }) => window.events.push(id));
    for (const name of [":state", ":auth", ":attempt", ":fault", ":anomaly", ":role", ":transport"])
      stream.on(name, (detail) => window.notices.push({ name, ...detail }));
}"""


@dataclass(slots=True)
class Bearer:
    """`sub` and `topic` are this page's alone. `minted`: how often it has asked for a token; `ttl`, `claims` of the
    next one. `urls`: all that it has asked for; `said`: all that its console shows.
    """

    page: Page
    server: ServerProcess
    sub: str
    topic: str
    ttl: float
    claims: dict[str, Any]
    tokens: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    minted: int = 0

    @classmethod
    async def open(
        cls, context: BrowserContext, server: ServerProcess, sub: str = "", ttl: float = LIFETIME, **claims: Any
    ) -> "Bearer":
        page = await context.new_page()
        topic = unique("a")
        bearer = cls(
            page, server, sub or unique("ada"), topic, ttl, {"subscribe": ["a/**"], "publish": ["a/**"], **claims}
        )
        page.on("request", lambda request: bearer.urls.append(request.url))
        page.on("websocket", lambda socket: bearer.urls.append(socket.url))
        page.on("console", lambda message: bearer.said.append(message.text))
        page.on("pageerror", lambda error: bearer.said.append(str(error)))
        await page.expose_function("mint", lambda: bearer.asked())

        await page.goto(f"{server.url}{PATH}")
        return bearer

    def mint(self, **claims: Any) -> str:
        made = token(self.sub, **{"ttl": self.ttl, **self.claims, **claims})
        self.tokens.append(made)
        return made

    def asked(self) -> str:
        self.minted += 1
        return self.mint()

    async def connect(self, **options: Any) -> None:
        await self.page.evaluate(CONNECT, {"topics": self.topic, **options})

    async def until(self, condition: str, arg: Any = None) -> None:
        """`condition` is an expression of the page in which `arg` may stand."""
        await self.page.wait_for_function(f"(arg) => {condition}", arg=arg, timeout=DEADLINE)

    async def state(self, state: str) -> None:
        await self.until("window.stream.state === arg", state)

    async def seen(self, expression: str) -> Any:
        return await self.page.evaluate(expression)

    async def auth(self) -> list[tuple[str, str | None]]:
        """What `:auth` has told, and why."""
        told = await self.seen("window.notices.filter(({ name }) => name === ':auth')")
        return [(one["state"], one["reason"]) for one in told]

    async def attempts(self) -> int:
        return int(await self.seen("window.notices.filter(({ name }) => name === ':attempt').length"))

    async def events(self) -> list[str]:
        return list(await self.seen("window.events"))

    async def publish(self) -> str:
        return await publish(self.server.url, self.topic)

    async def assert_exact(self) -> None:
        """The page has had all events of its topic, in order, once its stream has reached the last one."""
        kept = await history(self.server.url, self.topic)
        await self.until("window.events.includes(arg)", kept[-1])
        assert await self.events() == kept
        assert await self.seen("window.stream.stats.anomalies + window.stream.stats.gaps") == 0

    def assert_discreet(self) -> None:
        """No token in a URL, a word of the console, or the server's log."""
        assert self.tokens
        assert self.urls
        log = self.server.log.read_text()
        for text in self.tokens:
            signature = text.rpartition(".")[2]
            assert not [url for url in self.urls if signature in url or "access_token" in url]
            assert not [one for one in self.said if signature in one]
            assert signature not in log


ROOT: Final = token("root", admin=True)


async def publish(url: str, topic: str) -> str:
    """As an operator, past every page."""
    answer = await ask(url, "POST", "/api/events", ROOT, {"topic": topic, "type": "log", "data": None})
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


async def history(url: str, topic: str) -> list[str]:
    """The ids of all that a topic holds."""
    ids: list[str] = []
    after, more = "earliest", True
    while more:
        answer = await ask(url, "GET", f"/api/events?topic={topic}&after={after}&limit=1000", ROOT)
        assert answer.status == 200, answer.body
        page = answer.json()
        ids += [event["id"] for event in page["events"]]
        after, more = page["cursor"], page["more"]
    return ids
