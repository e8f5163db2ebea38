/** A list of topics, of which each answer may bring fewer than were asked for, and none at all. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { listTopics } from "../../static/app/shared/topics.js";

/** A service that answers with these pages in turn; `asked` has the parameters of each request. */
function service(...pages) {
  const asked = [];
  const ask = (method, path, { params }) => {
    assert.deepEqual([method, path], ["GET", "api/topics"]);
    asked.push(Object.fromEntries(params));
    const [names, more, cursor] = pages.shift();
    return Promise.resolve({ topics: names.map((topic) => ({ topic })), more, cursor });
  };
  return { ask, asked };
}

const names = (list) => list.topics.map(({ topic }) => topic);

test("an answer that has enough is all that is asked for", async () => {
  const { ask, asked } = service([["a", "b"], true, "b"]);
  const list = await listTopics(ask, { topic: null, limit: 2, after: null });
  assert.deepEqual([names(list), list.more, list.cursor], [["a", "b"], true, "b"]);
  assert.deepEqual(asked, [{ topic: null, limit: 2, after: null }]);
});

test("short and empty answers are gone on from, until there are enough", async () => {
  const { ask, asked } = service([[], true, "k"], [["m/x"], true, "p"], [["q/x", "r/x"], true, "r/x"]);
  const list = await listTopics(ask, { topic: "*/x", limit: 3, after: "c" });
  assert.deepEqual([names(list), list.more, list.cursor], [["m/x", "q/x", "r/x"], true, "r/x"]);
  assert.deepEqual(
    asked.map(({ limit, after }) => [limit, after]),
    [
      [3, "c"],
      [3, "k"],
      [2, "p"],
    ],
  );
});

test("or until that was all", async () => {
  const { ask } = service([[], true, "k"], [["m/x"], false, "m/x"]);
  const list = await listTopics(ask, { topic: "*/x", limit: 3, after: null });
  assert.deepEqual([names(list), list.more], [["m/x"], false]);
});

test("a list of a filter that matches none of very many ends, and says where", async () => {
  let number = 0;
  const ask = () => Promise.resolve({ topics: [], more: true, cursor: `k${(number += 1)}` });
  const list = await listTopics(ask, { topic: "*/x", limit: 3, after: null });
  assert.deepEqual([names(list), list.more, list.cursor], [[], true, `k${number}`]);
  assert.ok(number > 1 && number < 100);
});
