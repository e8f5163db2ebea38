"""Modules linked into one script do what they did one by one, and what can't be linked is refused."""

import json
import subprocess

import pytest

from service.resources import resource
from service.web.linking import LinkError, graph, imports, link
from tests.support.needs import program

MODULES = {
    "app/main.js": 'import { a as first, Thing } from "./a.js";\nimport * as all from "../lib/b.js";\n'
    'import "./side.js";\nawait 0;\nconsole.log(JSON.stringify([first, new Thing().name, all.twice(2), all.star,'
    " globalThis.side, all.where]));\n",
    "app/a.js": 'export { b as a } from "../lib/b.js";\nexport class Thing {\n  name = "thing";\n}\n',
    "app/side.js": "globalThis.side = true;\n",
    "lib/b.js": 'export * from "./c.js";\n/** What\n * export const it = 1;\n */\nexport const b = 1;\n'
    "/** @type {number} */ (globalThis).x = 1;\nfunction double(n) {\n  return 2 * n;\n}\n"
    "export {\n  double as twice,\n};\nexport const where = import.meta.url;\n",
    "lib/c.js": "export async function* star() {}\nexport const star2 = 2;\n",
}


def run(text: str) -> list[object]:
    node = program("node")
    done = subprocess.run([node, "--input-type=module", "-e", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_all_kinds_of_imports_and_exports() -> None:
    text = link("app/main.js", MODULES).replace("import.meta.url", '"https://x.test/v/1/app/main.js"')
    assert run(text) == [1, "thing", 4, None, True, "https://x.test/v/1/lib/b.js"]
    assert "What" not in text, "comments that tell what something is are left out"
    assert "(globalThis).x = 1" in text, "a cast is none"


def test_each_stands_behind_those_it_imports() -> None:
    names = graph("app/main.js", MODULES.__getitem__)
    assert names[-1] == "app/main.js"
    assert sorted(names) == sorted(MODULES)
    for place, name in enumerate(names):
        assert set(imports(name, MODULES[name])) <= set(names[:place])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("export default 1;\n", "export default"),
        ("export let a = 1;\n", "export let"),
        ('import a from "./b.js";\n', "import a"),
        ('import { a } from "./a.js";\n', "import each other"),
        ('import { a } from "./gone.js";\n', "no module gone.js"),
        ('import { a } from "../../etc/passwd";\n', "no module"),
        ("export const { a } = b;\n", "export const"),
        ("export const a = 1,\n  b = 2;\n", "export const a"),
        ("let a = 1;\nexport { a };\n", "let a"),
        ("export const a = await b();\n", "await b"),
        ("await b();\nexport const a = 1;\n", "await b"),
        ('export const a = () => import("./b.js");\n', "import"),
    ],
)
def test_what_it_does_not_know_it_refuses(text: str, reason: str) -> None:
    with pytest.raises(LinkError, match=reason):
        link("main.js", {"main.js": 'import { a } from "./a.js";\n', "a.js": text})


def test_a_chain_of_any_length() -> None:
    chain = {f"{n}.js": f'export {{ a }} from "./{n + 1}.js";\n' for n in range(3_000)}
    chain["3000.js"] = "export const a = 1;\n"
    assert len(graph("0.js", chain.__getitem__)) == 3_001


def test_every_module_of_ours_can_be_linked() -> None:
    static = resource("static")
    modules = {path.relative_to(static).as_posix(): path.read_text() for path in static.rglob("*.js")}
    entries = [name for name in modules if name.endswith("/main.js")]
    assert len(entries) >= 5
    for entry in entries:
        text = link(entry, modules)
        subprocess.run([program("node"), "--input-type=module", "--check"], input=text, text=True, check=True)
