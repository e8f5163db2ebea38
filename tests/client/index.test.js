/** index.d.ts says what the module exports: names here, their types in types/exports.ts. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import * as client from "../../static/client/index.js";

const declarations = readFileSync(new URL("../../static/client/index.d.ts", import.meta.url), "utf8");

test("every export is declared, and every declared value is exported", () => {
  const values = declarations.matchAll(/^export (?:declare )?(?:function|class|const|let|var|enum) (\w+)/gm);
  const declared = new Set([...values].map(([, name]) => name));
  assert.deepEqual(new Set(Object.keys(client)), declared);
});

test("there is no default export: every name says what it is", () => {
  assert.doesNotMatch(declarations, /^export (?:default|=)/m);
  assert.equal("default" in client, false);
});
