/** Who is at a place, frame by frame. */

import assert from "node:assert/strict";
import test from "node:test";

import { Roll, usersOf } from "../../static/client/roll.js";

const who = (member, user = member, more = {}) => ({
  ...{ user, member, data: {}, since: `2026-11-23T05:50:0${member.length}.000Z`, verified: user !== null },
  ...more,
});
const state = (version, ...members) => ({
  ...{ type: "presence", place: "a", version, state: members, truncated: false },
  ...{ users: members.length, members: members.length },
});
const diff = (version, { joins = [], updates = [], leaves = [], ...more }) => ({
  ...{ type: "presence", place: "a", version, joins, updates, leaves, users: 0, members: 0 },
  ...more,
});

const take = (roll, frame, subject = null) => roll.take(frame, "me", subject);
const ids = (roll) => roll.members.map(({ member }) => member);

test("a state is taken whole, a diff if its number is the next one, and a hole asks", () => {
  const roll = new Roll();
  assert.equal(take(roll, diff(1, { joins: [who("a")] })), undefined, "nobody has said who was there");
  take(roll, state(4, who("bb"), who("a")));
  assert.deepEqual(ids(roll), ["a", "bb"], "in the order in which they entered");
  take(roll, diff(5, { joins: [who("ccc")], leaves: [{ user: "a", member: "a", reason: "left" }] }));
  assert.deepEqual(ids(roll), ["bb", "ccc"]);
  for (const version of [5, 7, 1]) assert.equal(take(roll, diff(version, { joins: [who("x")] })), undefined);
  assert.deepEqual(ids(roll), ["bb", "ccc"]);
  take(roll, state(2, who("a")));
  assert.deepEqual([ids(roll), roll.counts], [["a"], { users: 1, members: 1 }], "another server counts anew");
  take(roll, diff(3, { joins: [who("bb")] }));
  assert.deepEqual(ids(roll), ["a", "bb"]);
});

test("one that was fetched may be overtaken, and may tell what comes again", () => {
  const roll = new Roll();
  take(roll, state(4, who("a")));
  assert.equal(take(roll, diff(6, { joins: [who("ccc")] })), undefined);
  take(roll, { ...state(6, who("a"), who("bb"), who("ccc")), fetched: true });
  assert.equal(take(roll, diff(5, { joins: [who("bb")] })), null);
  assert.equal(take(roll, diff(6, { joins: [who("ccc")] })), null);
  take(roll, diff(7, { leaves: [{ user: "a", member: "a", reason: "lost" }] }));
  assert.equal(take(roll, { ...state(6, who("a")), fetched: true }), null);
  assert.deepEqual(ids(roll), ["bb", "ccc"]);
  roll.cut();
  assert.equal(roll.isKnown, false);
  take(roll, { ...state(1, who("a")), fetched: true });
  assert.deepEqual([ids(roll), roll.isKnown], [["a", "bb", "ccc"], true]);
  roll.release("me", null);
  assert.deepEqual(ids(roll), ["a"]);
});

test("what has changed, and who has come and gone, also where a state tells it", () => {
  const roll = new Roll();
  const first = take(roll, state(1, who("a"), who("bb")));
  assert.deepEqual([first.change.joined.length, first.came], [2, []]);
  const next = take(
    roll,
    diff(2, {
      joins: [who("a2", "a"), who("ccc"), who("me", null), who("mine", "self"), who("anon", null)],
      updates: [who("a", "a", { data: { n: 1 } })],
      leaves: [{ user: "bb", member: "bb", reason: "lost" }],
    }),
    "self",
  );
  assert.deepEqual(
    [next.came.map(({ user }) => user), next.went.map(({ user }) => user)],
    [["ccc"], ["bb"]],
    "neither oneself, nor another tab, nor who has no name",
  );
  assert.deepEqual([next.change.left[0].reason, next.change.updated[0].data], ["lost", { n: 1 }]);
  roll.cut(() => false);
  const later = take(roll, state(9, who("a", "a", { data: { n: 2 } }), who("dddd")), "self");
  assert.deepEqual(
    [later.came.map(({ user }) => user), later.went.map(({ user }) => user)],
    [["dddd"], ["ccc"]],
  );
  assert.deepEqual(
    ["joined", "updated", "left"].map((list) => later.change[list].map(({ member }) => member)),
    [["dddd"], ["a"], ["a2", "ccc", "me", "mine", "anon"]],
  );
});

test("who is not in the first state after a cut is held until he is told of, or let go", () => {
  const told = (turn) =>
    ["joined", "updated", "left"].map((list) => turn.change[list].map((one) => one.member));
  const passed = ({ came, went }) => [came, went].map((users) => users.map(({ user }) => user));
  const roll = new Roll();
  const people = ["a", "bb", "ccc", "dddd", "eeeee"];
  take(roll, state(4, ...people.map((name) => who(name))));
  roll.cut();
  const back = take(roll, state(90, who("bb")));
  assert.deepEqual(
    [told(back), passed(back)],
    [
      [[], [], []],
      [[], []],
    ],
  );
  assert.deepEqual([ids(roll), roll.counts, roll.isHolding], [people, { users: 5, members: 5 }, true]);
  const later = "2026-11-23T06:00:00.000Z";
  const joins = [who("a", "a", { since: later }), who("ccc", "ccc", { data: { n: 1 }, since: later })];
  const leaves = [{ user: "dddd", member: "dddd", reason: "left" }];
  const next = take(roll, diff(91, { joins, leaves, users: 3, members: 3 }));
  assert.deepEqual(
    [told(next), passed(next)],
    [
      [[], ["ccc"], ["dddd"]],
      [[], ["dddd"]],
    ],
  );
  assert.deepEqual([ids(roll), roll.find("a").since], [["bb", "eeeee", "a", "ccc"], later]);
  assert.deepEqual(roll.counts, { users: 4, members: 4 });
  take(roll, state(92, who("bb"), ...joins), null);
  assert.deepEqual(ids(roll).toSorted(), ["a", "bb", "ccc", "eeeee"], "one that was asked for says no more");
  const end = roll.release("me", null);
  assert.deepEqual(
    [told(end), passed(end)],
    [
      [[], [], ["eeeee"]],
      [[], ["eeeee"]],
    ],
  );
  assert.deepEqual([ids(roll).length, roll.counts, roll.isHolding], [3, { users: 3, members: 3 }, false]);
  assert.equal(roll.release("me", null), null);
  take(roll, state(93, who("bb")));
  assert.deepEqual(ids(roll), ["bb"], "it is of this connection");
});

test("an id that is held and comes back as another user's is his", () => {
  const roll = new Roll();
  take(roll, state(1, who("x", "ada")));
  roll.cut();
  take(roll, state(8));
  const { came, went, change } = take(roll, diff(9, { joins: [who("x", "bob")], users: 1, members: 1 }));
  assert.deepEqual([came[0].user, went[0].user, roll.isHolding], ["bob", "ada", false]);
  assert.deepEqual([change.joined[0].user, change.left[0].user, roll.counts.members], ["bob", "ada", 1]);
});

test("nobody is held where there are counts alone", () => {
  const roll = new Roll();
  take(roll, state(1, who("a")));
  roll.cut();
  take(roll, { ...state(8), truncated: true, users: 501, members: 501 });
  assert.deepEqual([ids(roll), roll.isHolding, roll.counts.members], [[], false, 501]);
});

test("an id that goes from one user to another in one frame is both", () => {
  const roll = new Roll();
  take(roll, state(1, who("x", "ada")));
  const { came, went } = take(
    roll,
    diff(2, { joins: [who("x", "bob")], leaves: [{ user: "ada", member: "x", reason: "left" }] }),
  );
  assert.deepEqual([came[0].user, went[0].user, roll.find("x").user], ["bob", "ada", "bob"]);
  const turn = take(roll, state(3, who("x", "eve")));
  assert.deepEqual([turn.change.joined.length, turn.change.left[0].user], [1, "bob"]);
});

test("counts alone tell nobody's coming or going", () => {
  const roll = new Roll();
  take(roll, state(1, who("a")));
  const turn = take(roll, diff(2, { truncated: true, users: 501, members: 501 }));
  assert.deepEqual([turn.came, turn.went, roll.counts.members, roll.truncated], [[], [], 501, true]);
  assert.deepEqual([ids(roll), roll.find("a")], [[], null], "who was there is no list of who is");
  const back = take(roll, state(3, who("a"), who("bb")));
  assert.deepEqual([back.came, back.went, roll.truncated, ids(roll)], [[], [], false, ["a", "bb"]]);
});

test("users: oneself first, tabs together, what is shown is of the one that is looked at", () => {
  const away = { data: { away: true } };
  const users = usersOf(
    [
      who("a", "ada", { info: { team: 1 } }),
      who("b", null),
      who("c", "bob", away),
      who("d", "ada", away),
      who("e", "bob", { data: { n: 1 } }),
    ],
    "e",
    "bob",
  );
  assert.deepEqual(
    users.map(({ user, self, members, away: isAway }) => [user, self, members.length, isAway]),
    [
      ["bob", true, 2, false],
      ["ada", false, 2, false],
      [null, false, 1, false],
    ],
  );
  assert.deepEqual([users[0].data, users[1].data, users[1].info], [{ n: 1 }, {}, { team: 1 }]);
  assert.deepEqual(
    usersOf([who("z", null), who("y", null)], "y", null).map(({ self }) => self),
    [true, false],
  );
  const former = usersOf([who("x", "ada"), who("y", "bob")], "x", "bob");
  assert.deepEqual(
    former.map(({ user, self }) => [user, self]),
    [
      ["bob", true],
      ["ada", false],
    ],
    "whoever had the page's id before is not the page's own",
  );
});
