import assert from "node:assert/strict";
import { test } from "node:test";

import {
  COLOURS,
  colourOf,
  countOf,
  doing,
  initialsOf,
  newsOf,
  peopleOf,
  shortOf,
  told,
  viewOf,
} from "../../static/app/projects/project/people.js";

let clock = 0;

const member = (user, id, data = {}, more = {}) => {
  clock += 1;
  const since = new Date(Date.UTC(2026, 0, 1) + clock * 1_000).toISOString();
  return { user, member: id, data, since, verified: user !== null, ...more };
};
const group = (...members) => ({ user: members[0].user, self: false, data: members.at(-1).data, members });
/** As a page sees it whose own member this is. */
const own = (groups, self) =>
  groups.map((one) => (self && one.members.includes(self) ? { ...one, self: true, data: self.data } : one));
const sentences = (groups, self = null) => peopleOf(own(groups, self)).map(({ sentence }) => sentence);

test("who is here is said with what he looks at", () => {
  const ada = group(member("ada", "t-1", { view: { file: "app.py", line: 12, run: 2 } }));
  const bob = group(member("bob", "t-2", { view: { log: "error", run: 3 } }));
  const eve = group(member("eve", "t-3", { view: { log: "", run: 3 } }));
  const joe = group(member("joe", "t-4"));
  const kim = group(member("kim", "t-5", { away: true, view: { file: "app.py", line: 1 } }));
  assert.deepEqual(sentences([ada, bob, eve, joe, kim]), [
    "ada looks at app.py, line 12",
    "bob searches the log of run 3 for “error”",
    "eve looks at the log of run 3",
    "joe is here",
    "kim is away",
  ]);
  assert.equal(peopleOf([kim])[0].view, null);
  assert.deepEqual(peopleOf([ada])[0].view, { run: 2, file: "app.py", line: 12 });
});

test("oneself comes first and is you, then people, commands and agents, by how long they are here", () => {
  const agent = group(member("agent:api-design", ":stage-7-3", { agent: "api-design", run: 7, stage: 3 }));
  const run = group(member("run:4", ":run-4", { run: 4, title: "make test" }));
  const ada = group(member("ada", "t-1"));
  const bob = group(member("bob", "t-2", { view: { log: "" } }));
  const people = peopleOf(own([agent, run, ada, bob], bob.members[0]));
  assert.deepEqual(
    people.map(({ kind, isSelf, sentence }) => [kind, isSelf, sentence]),
    [
      ["person", true, "You look at the log"],
      ["person", false, "ada is here"],
      ["command", false, "Run 4 is under way: make test"],
      ["agent", false, "API design works on stage 3 of run 7"],
    ],
  );
  assert.deepEqual(
    people.map(({ initials }) => initials),
    ["BO", "AD", "", ""],
  );
});

test("what says of itself that it is an agent or a command is a person", () => {
  const data = { agent: "testing", run: 1, stage: 2 };
  const [one, two] = [group(member("agent:testing", "t-1", data)), group(member("run:4", "t-2", data))];
  const three = group(member("ada", ":stage-1-2", data));
  for (const found of peopleOf([one, two, three])) assert.equal(found.kind, "person");
  assert.deepEqual(sentences([one]), ["agent:testing is here"]);
});

test("agents and commands of whom nothing can be read are still what they are", () => {
  for (const data of [null, 3, "x", [], { agent: 3, run: -1, stage: {} }, { title: {}, run: 1e99 }]) {
    const agent = group(member("agent:testing", ":stage-x", data));
    const run = group(member("run:4", ":run-x", data));
    assert.deepEqual(sentences([agent, run]), ["A command is under way", "Testing is at work"]);
  }
  const named = group(member("agent:testing", ":stage-x", { run: 2, stage: "review" }));
  assert.deepEqual(sentences([named]), ["Testing works on stage review of run 2"]);
});

test("nobody is taken for another one by a name that he gives himself", () => {
  const ada = group(member("ada", "t-1"));
  const other = group(member("bob", "t-2", { name: "ada" }));
  const guest = group(member(null, "t-3", { name: "ada" }));
  const nobody = group(member(null, "t-4"));
  const named = group(member("u-8327", "t-5", {}, { info: { name: "Grace Hopper" } }));
  assert.deepEqual(sentences([ada, other, guest, nobody, named]), [
    "ada is here",
    "bob is here",
    "ada (not signed in) is here",
    "Somebody is here",
    "Grace Hopper is here",
  ]);
  const known = peopleOf([ada, other, guest, nobody, named]).map(({ isKnown }) => isKnown);
  assert.deepEqual(known, [true, true, false, false, true]);
});

test("names turn nothing, are one line, and have an end", () => {
  const turned = group(member(null, "t-1", { name: "\u202eeve\n\u0007 x" }));
  assert.deepEqual(sentences([turned]), ["eve x (not signed in) is here"]);
  const [long] = peopleOf([group(member(null, "t-2", { name: "👩‍👩‍👧".repeat(9_999) }))]);
  assert.ok(long.name.length < 400 && long.name.endsWith("…"));
  const [combining] = peopleOf([group(member(null, "t-3", { name: `a${"\u0301".repeat(99_999)}` }))]);
  assert.ok(combining.sentence.length < 400);
  assert.deepEqual(sentences([group(member("\u202e", "t-4"))]), ["Somebody is here"]);
});

test("a user with several tabs is one, at the tab that he sees", () => {
  const hidden = member("ada", "t-1", { away: true, view: { file: "old.py" } });
  const seen = member("ada", "t-2", { view: { file: "new.py", line: 3 } });
  const idle = member("ada", "t-3");
  const [ada] = peopleOf([group(hidden, seen, idle)]);
  assert.equal(ada.sentence, "ada looks at new.py, line 3 (here 3 times)");
  assert.deepEqual(ada.members, ["t-1", "t-2", "t-3"]);
  assert.deepEqual(sentences([group(hidden, member("ada", "t-4", { away: true }))]), [
    "ada is away (here twice)",
  ]);
  assert.deepEqual(sentences([group(hidden, idle, seen)], idle), ["You are here (here 3 times)"]);
});

test("initials are of words, in any script", () => {
  const found = [
    "Ada Lovelace",
    "ada",
    "ada.lovelace@example.org",
    "u-8327",
    "Åsa",
    "山田 太郎",
    "",
    "🦊",
    "Ada B C",
    "ß",
  ];
  assert.deepEqual(found.map(initialsOf), ["AL", "AD", "AL", "U8", "ÅS", "山", "?", "?", "AB", "SS"]);
});

test("a colour is of the user, the same everywhere, and all of them are used", () => {
  assert.equal(colourOf("user ada"), colourOf("user ada"));
  const found = new Set(Array.from({ length: 200 }, (_, n) => colourOf(`user u-${n}`)));
  assert.deepEqual(
    [...found].sort(),
    Array.from({ length: COLOURS }, (_, n) => n),
  );
  const [one] = peopleOf([group(member("ada", "t-1"))]);
  const [again] = peopleOf([group(member("ada", "t-9"))]);
  assert.equal(one.colour, again.colour);
});

test("what cannot be understood is nothing that anybody looks at", () => {
  const odd = [
    null,
    3,
    "x",
    {},
    { view: null },
    { view: 7 },
    { view: [] },
    { view: { file: "" } },
    { view: { log: 3 } },
  ];
  for (const data of odd) assert.equal(viewOf(data), null);
  assert.deepEqual(viewOf({ view: { file: "a", line: -3, run: 1.5 } }), { run: 0, file: "a", line: 0 });
  assert.equal(doing(viewOf({ view: { file: "a", line: 1e12 } })), "looks at a");
});

test("what is told of oneself has a bound: a path whole or not at all", () => {
  assert.deepEqual(told({ run: 1, file: "a.py", line: 2 }), { run: 1, file: "a.py", line: 2 });
  assert.equal(told({ run: 1, file: "a".repeat(398), line: 2 })?.file.length, 398);
  assert.equal(told({ run: 1, file: "a".repeat(399), line: 2 }), null);
  assert.equal(told({ run: 1, file: "\u0001".repeat(100), line: 2 }), null); // as JSON spells it
  const longest = JSON.stringify({ away: true, view: told({ run: 999_999_999, log: "山".repeat(500) }) });
  assert.ok(new TextEncoder().encode(longest).length < 1_024);
  const searched = told({ run: 1, log: "x".repeat(100) });
  assert.equal(searched.log, `${"x".repeat(59)}…`);
});

test("how many are here, of each kind", () => {
  const [ada, bob] = [group(member("ada", "t-1")), group(member(null, "t-2"))];
  const agents = [1, 2].map((n) => group(member(`agent:a${n}`, `:stage-1-${n}`)));
  const run = group(member("run:4", ":run-4"));
  const count = (groups, self = ada.members[0]) => countOf(peopleOf(own(groups, self)));
  assert.equal(count([ada]), "Only you here");
  assert.equal(count([ada], null), "1 person here");
  assert.equal(count([ada, bob]), "2 people here");
  assert.equal(count([ada, run, ...agents]), "You, 1 command, 2 agents here");
  assert.equal(count([ada, bob, agents[0]]), "2 people, 1 agent here");
  assert.equal(count([run], null), "1 command here");
  assert.equal(count([]), "Nobody is here");
  assert.equal(shortOf(8), "8 here");
  assert.equal(shortOf(1_234), `${new Intl.NumberFormat().format(1_234)} here`);
});

test("who came and who left is said, not what they do, nor who nobody knows", () => {
  const self = group(member("me", "t-0"));
  const [ada, bob, eve, joe] = ["ada", "bob", "eve", "joe"].map((name) => group(member(name, `t-${name}`)));
  const others = [
    group(member(null, "t-9")),
    group(member("agent:a", ":stage-1-1")),
    group(member("run:1", ":run-1")),
  ];
  const people = (...groups) => peopleOf(own(groups, self.members[0]));
  assert.equal(newsOf(people(self), people(self, ada)), "ada is here now.");
  assert.equal(newsOf(people(self, ada), people(self, bob, eve)), "bob and eve are here now. ada has left.");
  assert.equal(newsOf(people(ada, bob, eve, joe), people()), "4 people have left.");
  assert.equal(newsOf(people(), people(self, ...others)), "");
  assert.equal(newsOf(people(ada), people(group(member("ada", "t-x", { view: { log: "x" } })))), "");
});
