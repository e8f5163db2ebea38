/** The name of a group: the same for tabs that may share, another one for all others, and no secret in it. */

import assert from "node:assert/strict";
import test from "node:test";

import { digest, groupName } from "../../../static/client/tabs/group.js";

const ENV = { locks: {}, BroadcastChannel: class {}, fetch: () => {} };
const name = (options = {}, env = ENV, base = "http://a/", transports = ["sse"]) =>
  groupName(env, new URL(base), transports, options);

test("tabs share by service, transports and credential", () => {
  assert.equal(name({ token: "t1" }), name({ token: "t1" }));
  const names = [
    name(),
    name({ token: "t1" }),
    name({ token: "t2" }),
    name({ tabs: { group: "t1" } }),
    name({ auth: "required" }),
    name({}, ENV, "http://b/"),
    name({}, ENV, "http://a/", ["poll"]),
  ];
  assert.equal(new Set(names).size, names.length);
});

test("a token is not in the name, and a token that rotates makes none", () => {
  assert.equal(name({ token: "secret" }).includes("secret"), false);
  assert.notEqual(digest("secret"), digest("secreu"));
  assert.equal(name({ getToken: () => "t" }), null);
  assert.equal(name({ getToken: () => "1", tabs: { group: "7" } }), name({ tabs: { group: "7" } }));
});

test("without the means, or when told so, there is no group", () => {
  assert.equal(name({ tabs: false }), null);
  for (const missing of ["locks", "BroadcastChannel", "fetch"]) {
    assert.equal(name({}, { ...ENV, [missing]: null }), null);
  }
});
