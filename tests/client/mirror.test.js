/** tests/client mirrors static/client: a module with logic has a test file of its name, or stands here. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "node:test";

const CLIENT = fileURLToPath(new URL("../../static/client/", import.meta.url));
const TESTS = fileURLToPath(new URL("./", import.meta.url));

/** Modules whose work shows only together with others: the files that show it. */
const ELSEWHERE = {
  "aside.js": ["place", "ephemeral"],
  "condition.js": ["stream", "reconnect", "demotion"],
  "connect.js": ["stream", "core"],
  "connection.js": ["start", "reconnect", "demotion", "exact", "auth"],
  "members.js": ["attendance", "tabs/wants"],
  "nowhere.js": ["stream"],
  "open.js": ["core"],
  "seat.js": ["place"],
  "speaker.js": ["attendance", "stream"],
  "states.js": ["index"], // constants; types/exports.ts holds them equal to the declarations
  "tabs/follower.js": ["tabs/tabs"],
  "tabs/leader.js": ["tabs/tabs"],
  "tabs/roster.js": ["tabs/tabs", "tabs/refused"],
  "tabs/share.js": ["tabs/tabs", "tabs/group"],
  "tabs/voice.js": ["tabs/wants"],
};

const modules = readdirSync(CLIENT, { recursive: true }).filter((name) => name.endsWith(".js"));
const testOf = (name) => `${TESTS}${name.replace(/\.js$/, "")}.test.js`;

test("each module has a test of its name, or says where it is tested", () => {
  assert.ok(modules.length > 30, "the modules were found");
  const bare = modules.filter((name) => !existsSync(testOf(name)) && !(name in ELSEWHERE));
  assert.deepEqual(bare, []);
});

test("no exception is older than its reason", () => {
  for (const [name, files] of Object.entries(ELSEWHERE)) {
    assert.ok(modules.includes(name), `there is no ${name}`);
    assert.ok(!existsSync(testOf(name)), `${name} has a test of its own`);
    for (const file of files) assert.ok(existsSync(testOf(file)), `there is no test ${file}`);
  }
});
