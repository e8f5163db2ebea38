import assert from "node:assert/strict";
import { test } from "node:test";

import { hasShape } from "../../static/app/projects/shape.js";

const GOOD = {
  project_created: { id: "a", name: "A" },
  project_deleted: { id: "a", name: "A" },
  status_update: { status: "running", progress: 10, run: null },
  agent_update: { agent: "api", stage: 1, stages: 12, status: "started", duration: null },
  log: { message: "hello" },
  file_update: { path: "a.txt", size: 1, action: "created", preview: "" },
  completion: { status: "completed", duration: 1.5, files: 3 },
};

for (const [type, data] of Object.entries(GOOD)) {
  test(`${type} is taken as it is published, and in no other shape`, () => {
    assert.equal(hasShape({ type, data }), true);
    assert.equal(hasShape({ type, data: { ...data, more: 1 } }), true);
    for (const broken of [null, undefined, 1, "text", [], [data], {}]) {
      assert.equal(hasShape({ type, data: broken }), false, JSON.stringify(broken));
    }
    for (const name of Object.keys(data)) {
      assert.equal(hasShape({ type, data: { ...data, [name]: { an: "object" } } }), false, name);
    }
  });
}

test("other types are not the pages' and pass", () => {
  assert.equal(hasShape({ type: "note", data: null }), true);
  assert.equal(hasShape({ type: "toString", data: null }), true);
});
