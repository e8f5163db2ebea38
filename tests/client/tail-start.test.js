import assert from "node:assert/strict";
import { test } from "node:test";

import { NOTHING, begin, filtersOf, hashOf, wishOf } from "../../static/app/admin/start.js";

/** A log of events `e-1` to `e-<size>` on topic `t`, every third of type `odd`; `grow` events come with each look. */
function log(size, { grow = 0, page = 100, floor = null } = {}) {
  const events = [];
  const add = () => {
    const offset = events.length + 1;
    events.push({ id: `e-${offset}`, topic: "t", type: offset % 3 === 0 ? "odd" : "note", time: "" });
  };
  for (let n = 0; n < size; n += 1) add();
  const asked = [];
  const history = async (query) => {
    asked.push(query);
    const offset = (cursor) => Number(cursor.split("-")[1]);
    const { after, before = "latest", type, order = "asc", limit } = query;
    const end = before === "latest" ? Infinity : offset(before);
    const from = after === "latest" ? events.length : after === "earliest" || !after ? 0 : offset(after);
    let found = events.filter(
      (one, index) => index >= from && index + 1 < end && (type === undefined || one.type === type),
    );
    if (order === "desc") found = found.reverse();
    const part = found.slice(0, Math.min(limit, page));
    const last = part.at(-1)?.id ?? `e-${order === "desc" ? 0 : events.length}`;
    for (let n = 0; n < grow; n += 1) add();
    return {
      events: part,
      cursor: last,
      head: `e-${events.length}`,
      floor,
      more: found.length > part.length,
      gap: null,
    };
  };
  return { history, asked, events };
}

const wish = (from, value = "", more = {}) => ({ ...NOTHING, topics: ["t"], from, value, ...more });
const ids = ({ past }) => past.map(({ id }) => id);

for (const one of [
  wish("latest"),
  wish("earliest"),
  wish("after", "k7-1"),
  wish("event", "k7-1", { type: "note" }),
  wish("last", "20", { topics: ["builds/**", "chats/*"] }),
  wish("since", "2026-01-01T00:00:00.000Z", { topics: [] }),
  wish("after", "no cursor & more=1#+%"),
]) {
  test(`${hashOf(one)} says what is wished`, () => assert.deepEqual(wishOf(hashOf(one)), one));
}

test("an address can be read by people, and others are none of ours", () => {
  assert.equal(hashOf(wish("last", "20", { topics: ["a/**", "b"] })), "#tail=a/**,b&last=20");
  assert.equal(wishOf("#tail"), null);
  assert.equal(wishOf("#topics"), null);
  assert.deepEqual(wishOf("#tail=&after=latest"), NOTHING);
});

test("filters stand between commas, blanks or both", () => {
  assert.deepEqual(filtersOf(" a/*, b  c,,\n"), ["a/*", "b", "c"]);
});

test("a cursor and a keyword are the stream's own affair", async () => {
  const { history, asked } = log(3);
  for (const [from, value, after] of [
    ["latest", "", "latest"],
    ["earliest", "", "earliest"],
    ["after", "not a cursor", "not a cursor"],
  ]) {
    assert.deepEqual(await begin(wish(from, value), history), { after, past: [], floor: null });
  }
  assert.equal(asked.length, 0);
});

test("an event begins after the one before it", async () => {
  const { history } = log(5, { floor: "e-0" });
  assert.deepEqual(await begin(wish("event", "e-4"), history), { after: "e-3", past: [], floor: null });
  assert.deepEqual(await begin(wish("event", "e-1"), history), { after: "earliest", past: [], floor: "e-0" });
});

test("an event of another log is left to the stream to tell", async () => {
  const history = async () => ({
    events: [{ id: "e-5" }],
    gap: { type: "gap", reason: "epoch" },
    floor: null,
  });
  assert.equal((await begin(wish("event", "x-4"), history)).after, "x-4");
});

test("the last ones come oldest first, and the stream goes on behind them", async () => {
  const { history } = log(10);
  const found = await begin(wish("last", "3"), history);
  assert.deepEqual([ids(found), found.after, found.floor], [["e-8", "e-9", "e-10"], "e-10", null]);
});

test("they are looked for in pages", async () => {
  const found = await begin(wish("last", "5"), log(10, { page: 2 }).history);
  assert.deepEqual(ids(found), ["e-6", "e-7", "e-8", "e-9", "e-10"]);
});

test("there may be fewer, and then what was removed is told", async () => {
  const found = await begin(wish("last", "5"), log(2, { floor: "e-0" }).history);
  assert.deepEqual([ids(found), found.after, found.floor], [["e-1", "e-2"], "e-2", "e-0"]);
  const none = await begin(wish("last", "5"), log(0).history);
  assert.deepEqual([ids(none), none.after], [[], "e-0"]);
});

test("of a type, the stream goes on where the log was looked at, and not where the last of them stands", async () => {
  const found = await begin(wish("last", "2", { type: "odd" }), log(10).history);
  assert.deepEqual([ids(found), found.after], [["e-6", "e-9"], "e-10"]);
});

for (const grow of [1, 2, 3, 7]) {
  test(`nothing is left out or comes twice while ${grow} come with each look`, async () => {
    for (const one of [wish("last", "4", { type: "odd" }), wish("last", "4")]) {
      const { history, events } = log(10, { grow, page: 3 });
      const { past, after } = await begin(one, history);
      const seen = past.map(({ id }) => Number(id.split("-")[1]));
      const wanted = events.map((_, index) => index + 1).filter((n) => !one.type || n % 3 === 0);
      const onward = wanted.filter((n) => n > Number(after.split("-")[1]));
      const whole = [...seen, ...onward];
      assert.deepEqual(whole, wanted.slice(-whole.length));
    }
  });
}

test("a moment begins with the first event since, and goes on behind it", async () => {
  const { history, asked } = log(3, { floor: "e-0" });
  const found = await begin(wish("since", "2026-01-01T00:00:00.000Z", { type: "odd" }), history);
  assert.deepEqual([ids(found), found.after, found.floor], [["e-3"], "e-3", "e-0"]);
  assert.deepEqual(asked[0], {
    topics: ["t"],
    type: "odd",
    after: "earliest",
    from: "2026-01-01T00:00:00.000Z",
    limit: 1,
  });
});
