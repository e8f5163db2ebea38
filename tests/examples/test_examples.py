"""Each example of docs/client.md runs in Chromium and Firefox, beside a real server, and does what it says.

An example is copied as it stands; what belongs to a page around it (what it calls, a first publish) is put before and
behind it. Those of frameworks and of TypeScript are bundled first, as an application of theirs is.
"""

import asyncio
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.browser.conftest import chromium
from tests.browser.own import Hosting
from tests.examples.visits import visited
from tests.proxies.rig import Proxy
from tests.support.creating import new_project
from tests.support.needs import node, program
from tests.support.server import ROOT, ServerProcess

HERE: Final = Path(__file__).parent
TIME_LIMIT: Final = 150.0
"""Seconds for all of them in one browser, with its start."""

BUNDLED: Final = ("esbuild", "react", "react-dom", "vue")
"""Packages of which applications of theirs are made."""

SAY: Final = "const say = (...words) => console.log(...words);\n"
POST: Final = """
const post = (topic, draft) => fetch("api/events", {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ topic, ...draft }),
});
const generate = () => fetch("api/projects/42/generate", { method: "POST" });
const whenLive = (stream, act) => stream.on(":state", ({ state }) => state === "live" && act());
"""
PAGE: Final = """<!doctype html><meta charset="utf-8" /><title>{name}</title><body><script type="module">
{script}</script></body>"""
HEARD: Final = """
let heard;
const hearing = new Promise((resolve) => (heard = resolve));
const ask = fetch;
globalThis.fetch = async (url, init) => {
  if (String(url).includes("order=desc")) await hearing;
  return ask(url, init);
};
"""
"""Before `append`: what asks for the newest waits until it was called, as `close` behind it would else come first."""
IMPORT: Final = 'import { connect } from "./client/index.js";\n'


@dataclass(frozen=True, slots=True)
class Example:
    """`has` tells it from the others; `said` is what its page says on the console, in any order."""

    name: str
    has: str
    said: tuple[str, ...]
    before: str = ""
    behind: str = ""
    bundle: str = ""
    """The suffix of the file that is bundled; "" for a page without a build."""


EXAMPLES: Final = (
    Example(
        "the first one",
        "(document.title = state));\n</script>",
        ("title live", "The brief names"),
        behind='whenLive(stream, () => (say("title", document.title), generate()));',
    ),
    Example(
        "a snapshot, then the stream",
        "render(project);",
        ("rendered Answer", "applied log"),
        before=f"{IMPORT}const render = ({{ name }}) => say('rendered', name);\n"
        "const apply = ({ type }) => say('applied', type);\n",
        behind="whenLive(stream, generate);",
    ),
    Example(
        "a loop",
        "for await (const message of",
        ("handled built",),
        before=IMPORT
        + 'const handle = ({ type }) => say("handled", type);\npost("builds/7", { type: "built", data: 1 });\n',
    ),
    Example(
        "one topic of several",
        'stream.topic("chat/7")',
        ("appended hi", "history true", "closed"),
        before=IMPORT + HEARD + 'const append = (text) => (say("appended", text), heard());\n',
        behind='say("history", events.some(({ data }) => data.text === "hi")); say("closed");',
    ),
    Example(
        "the latest of each thing",
        'stream.liveState("devices/*")',
        ("shown devices/hall lamp on", "listed lamp on", "lamp on", "shown devices/hall lamp off"),
        before=IMPORT
        + """
const show = (topic, subject, value) => say("shown", topic, subject, value);
const list = (subject, value) => say("listed", subject, value);
const note = (cursor) => say("noted", cursor);
const about = (data) => ({ type: "reading", subject: "lamp", data });
await post("devices/hall", about("on"));
""",
        behind='say("lamp", lamp); await post("devices/hall", about("off"));',
    ),
    Example(
        "who is here",
        'stream.place("projects/42"',
        ("shown true Ada", "shown true Ada app.py 12"),
        before=IMPORT
        + """
const show = (users, current) => {
  const own = users.find(({ self }) => self)?.data;
  if (own) say("shown", current, own.name, own.view?.file ?? "", own.view?.line);
};
const greet = (user) => say("greeted", user);
""",
    ),
    Example(
        "what is not kept",
        'stream.hear("cursor"',
        ("moved me 1 2",),
        before=IMPORT + 'const member = "me";\nconst move = (...words) => say("moved", ...words);\n',
        # Until this page's wish has reached the tab that holds the connection nothing comes.
        behind="""
setInterval(() => stream.ephemeral("projects/42", "cursor", { member, x: 1, y: 2 }, { echo: true }), 200);
""",
    ),
    Example(
        "React, of a place",
        "useEffect(() => place?.set(data)",
        ("react place Ada reads", "react place Ada writes"),
        behind="""
import { StrictMode, createElement } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "twinwire-client";
const stream = connect({ topics: "places/1" });
function App() {
  const [data, setData] = useState({ name: "Ada", does: "reads" });
  const users = usePlace(stream, "places/1", data);
  useEffect(() => {
    const own = users.find(({ self, data: { name } }) => self && name);
    if (own) say("react place", own.data.name, own.data.does);
    if (own?.data.does === "reads") setData({ name: "Ada", does: "writes" });
  }, [users]);
  return null;
}
const root = createRoot(document.body.appendChild(document.createElement("div")));
root.render(createElement(StrictMode, null, createElement(App)));
""",
        bundle=".jsx",
    ),
    Example(
        "Vue, of a place",
        "watch(data, (now) => place.set(now)",
        ("vue place reads", "vue place writes"),
        behind="""
import { createApp, ref } from "vue";
import { connect } from "twinwire-client";
const stream = connect({ topics: "places/2" });
createApp({
  setup() {
    const data = ref({ does: "reads" });
    const users = usePlace(stream, "places/2", data);
    watch(users, (now) => {
      const own = now.find(({ self }) => self);
      if (own) say("vue place", own.data.does);
      if (own?.data.does === "reads") data.value.does = "writes";
    });
    return () => null;
  },
}).mount(document.body.appendChild(document.createElement("div")));
""",
        bundle=".js",
    ),
    Example(
        "React, of a state",
        "export function useLiveState",
        ("react state door open", "react state door shut"),
        behind="""
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "twinwire-client";
const door = (data) => post("doors/1", { type: "reading", subject: "door", data });
const stream = connect({ topics: "doors/*" });
function App() {
  const entries = useLiveState(stream, "doors/*");
  useEffect(() => {
    for (const { subject, value } of entries) say("react state", subject, value);
    if (entries[0]?.value === "open") door("shut");
  }, [entries]);
  return null;
}
await door("open");
createRoot(document.body.appendChild(document.createElement("div"))).render(createElement(App));
""",
        bundle=".jsx",
    ),
    Example(
        "React",
        "export function useLog",
        ("react live", "react lines true"),  # several may come at once
        behind="""
import { StrictMode, createElement } from "react";
import { createRoot } from "react-dom/client";
function App() {
  const { state, lines } = useLog("42", "latest");
  useEffect(() => { say("react", state); if (state === "live") generate(); }, [state]);
  useEffect(() => say("react lines", lines.length > 0), [lines]);
  return null;
}
const root = createRoot(document.body.appendChild(document.createElement("div")));
root.render(createElement(StrictMode, null, createElement(App)));
""",
        bundle=".jsx",
    ),
    Example(
        "Vue",
        "export function useProject",
        ("vue live", "vue published true"),
        behind="""
import { createApp, watch } from "vue";
createApp({
  setup() {
    const { state, progress, publish } = useProject("42", "latest");
    watch(state, async (now) => {
      say("vue", now);
      const draft = { topic: "projects/42/own", type: "note" };
      if (now === "live") say("vue published", Boolean((await publish(draft)).id), progress.value);
    });
    return () => null;
  },
}).mount(document.body.appendChild(document.createElement("div")));
""",
        bundle=".js",
    ),
    Example(
        "the façade",
        "createFacade",
        ("indicator true live", "disconnected false", "note said before"),
        before='const indicator = { toggle: (on, state) => say("indicator", on, state) };\n',
        # What was sent is stored, but need not have come back before `disconnect`: a second connect hears it.
        behind='say("disconnected", live.isConnected());\n'
        'live.connect("42", ({ type, topic }) => say(type, topic && "said before"), undefined, undefined, '
        '{ after: "earliest" });',
    ),
    Example(
        "types",
        "interface Build",
        ("files 3",),
        before='import { connect } from "twinwire-client";\nconst report = (files: number) => say("files", files);\n',
        behind='whenLive(stream, () => post("builds/7", { type: "completion", data: { files: 3 } }));',
        bundle=".ts",
    ),
    Example(
        "publishing",
        'topic: "chat/7", type: "message", data',
        ("published true",),
        before=IMPORT + 'const stream = connect({ topics: "chat/7" });\n',
        behind='say("published", /^[a-z0-9]+-[0-9]+$/.test(id));',
    ),
    Example(
        "EventSource",
        "new EventSource(",
        ("control connection", " log "),
        before="generate();\n",
    ),
    Example(
        "WebSocket",
        "new WebSocket(",
        (" log ",),
        behind="setInterval(generate, 500);",  # the first run may be over before it is open
    ),
)
ELSEWHERE: Final = {"tokens": "getToken = async"}
"""Examples that other tests run: this one takes a server with keys (tests/browser/test_tokens.py)."""


def blocks() -> list[tuple[str, str]]:
    """The language and the text of each example of the document."""
    return re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "docs" / "client.md").read_text(), re.DOTALL | re.MULTILINE)


def test_every_example_of_the_document_is_run() -> None:
    left = [text for _, text in blocks()]
    for has in (*(one.has for one in EXAMPLES), *ELSEWHERE.values()):
        (found,) = [text for text in left if has in text]
        left.remove(found)
    assert left == []


def script(example: Example, project: str, folder: Path) -> str:
    """What the page runs: the example, with what is around it."""
    (text,) = [text for _, text in blocks() if example.has in text]
    text = re.sub(r"</?script[^>]*>\n", "", text)
    text = f"{SAY}{POST}{example.before}{text}\n{example.behind}"
    if example.bundle:
        entry, out = folder / f"entry{example.bundle}", folder / "out.js"
        entry.write_text(text)
        client = ROOT / "static" / "client" / "index.js"
        subprocess.run([node(*BUNDLED), HERE / "build.mjs", entry, out, client], check=True)
        text = out.read_text()
    text = text.replace("</script", r"<\/script")
    return text.replace("projects/42", f"projects/{project}").replace('"42"', f'"{project}"')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("examples")) as process:
        yield process


@pytest.fixture(scope="module")
def pages(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A page for each example, by its path."""
    project = asyncio.run(new_project(server.url, "Answer"))
    folder = tmp_path_factory.mktemp("scripts")
    return {
        f"/example-{number}.html": PAGE.format(name=example.name, script=script(example, project, folder))
        for number, example in enumerate(EXAMPLES)
    }


def executable(browser: str) -> str:
    return chromium() if browser == "chrome" else program("firefox-esr", "no Firefox: install Debian's firefox-esr")


async def said(browser: str, pages: Mapping[str, str], server: ServerProcess, folder: Path) -> dict[str, list[str]]:
    """What each page says."""
    async with Proxy(server.port, Hosting(pages)) as proxy:
        visits = [
            {"name": example.name, "url": f"{proxy.url}/example-{number}.html", "said": example.said}
            for number, example in enumerate(EXAMPLES)
        ]
        return await visited(browser, executable(browser), visits, folder, TIME_LIMIT)


@pytest.mark.browser
@pytest.mark.timeout(2 * TIME_LIMIT)
@pytest.mark.parametrize("browser", ["chrome", "firefox"])
def test_examples_do_what_they_say(browser: str, server: ServerProcess, pages: dict[str, str], tmp_path: Path) -> None:
    found = asyncio.run(said(browser, pages, server, tmp_path))
    for example in EXAMPLES:
        lines = found[example.name]
        missing = [one for one in example.said if not any(one in line for line in lines)]
        assert not missing, (example.name, missing, lines)
        assert not [line for line in lines if line.startswith("error: ")], (example.name, lines)
