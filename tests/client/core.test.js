/** The client without tabs. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import * as core from "../../static/client/core.js";
import { World } from "./support/world.js";

const CLIENT = new URL("../../static/client/", import.meta.url);

/** All modules that a module loads. */
function loaded(url, found = new Set()) {
  if (found.has(url.href)) return found;
  found.add(url.href);
  const text = readFileSync(url, "utf8");
  for (const [, name] of text.matchAll(/^(?:import|export) [^;]*?from "(\.[^"]+)";/gms))
    loaded(new URL(name, url), found);
  return found;
}

test("it has what index.js has, but the façade, and loads no tabs", () => {
  assert.deepEqual(Object.keys(core).sort(), ["OverrunError", "TwinwireError", "compareCursors", "connect"]);
  const [small, whole] = ["core.js", "index.js"].map((name) => [...loaded(new URL(name, CLIENT))]);
  assert.deepEqual(
    small.filter((href) => href.includes("/tabs/")),
    [],
  );
  assert.ok(
    whole.some((href) => href.includes("/tabs/tabs.js")),
    "the search finds what there is",
  );
});

test("its stream has a connection of its own", async () => {
  const world = new World();
  const stream = core.connect({ ...world.platform(), topics: "a" });
  const heard = [];
  stream.on("log", ({ id }) => heard.push(id));
  await world.clock.until(() => stream.state === "live");
  world.log.publish("a", "log");
  assert.deepEqual([heard, stream.role], [["aaa-1"], null]);
  stream.close();
});

test("tabs are refused, since it has none", () => {
  assert.throws(() => core.connect({ tabs: true }), { name: "TypeError", message: /index\.js/ });
  assert.throws(() => core.connect("a"), { name: "TypeError", message: /topics/ });
});
