/** The page reads a brief as the service does: tests/unit/apps/projects/test_brief.py reads the same table. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { BriefError, parse, write } from "../../static/app/projects/brief/grammar.js";

const CASES = JSON.parse(readFileSync(new URL("../support/briefs.json", import.meta.url), "utf-8"));

/** What the page makes of a text: the brief in one line, or why there is none. */
function told(text) {
  try {
    return { text, brief: write(parse(text)).replaceAll("\n", " ") };
  } catch (error) {
    if (!(error instanceof BriefError)) throw error;
    return { text, error: error.message };
  }
}

test("every text of the table is read or refused in the service's words", () => {
  assert.ok(CASES.length > 60);
  for (const one of CASES) assert.deepEqual(told(one.text), one);
});

test("a refusal knows where in the text it is, and a description is none of the parser's errors", () => {
  const place = (text) => {
    try {
      return parse(text);
    } catch (error) {
      return [error.start, error.isProse];
    }
  };
  assert.deepEqual(place("a: \u{1f600} int"), [3, false]);
  assert.deepEqual(place("Build me a shop with customers"), [null, true]);
});
