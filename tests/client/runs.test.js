import assert from "node:assert/strict";
import { test } from "node:test";

import { readPast } from "../../static/app/projects/home/past.js";
import { shownStatus } from "../../static/app/projects/home/projects.js";
import { Activity, ALL_STEPS_MAX, ENTRIES_MAX, Run, STEPS_MAX } from "../../static/app/projects/home/runs.js";

const AGENTS = 3;

/** Events with ids that go up, from `after` on. */
function numbered(events, after = 0) {
  return events.map((event, index) => ({
    id: `log-${after + index + 1}`,
    time: "2026-01-01T00:00:00Z",
    ...event,
  }));
}

/** What a run publishes, up to its end: "completed", "failed" in its second agent, or null for none. */
function run(project, id, end = "completed", files = 2) {
  const topic = `projects/${project}`;
  const now = (status) => ({
    topic,
    type: "status_update",
    data: { status, progress: 0, run: id, message: status },
  });
  const agent = (stage, status) => ({
    topic,
    type: "agent_update",
    data: { agent: "a", stage, stages: AGENTS, status, message: `${stage} ${status}` },
  });
  const file = (path) => ({ topic, type: "file_update", data: { path, size: 1, action: "created" } });
  const log = { topic, type: "log", data: { level: "info", message: "a line" } };
  const done = end === "failed" ? 1 : AGENTS;
  const stages = [...Array(done).keys()]
    .map((index) => [
      agent(index + 1, "started"),
      log,
      ...Array.from({ length: index === 0 ? files : 0 }, (_, n) => file(`f${n}`)),
      agent(index + 1, "completed"),
    ])
    .flat();
  const completion = {
    topic,
    type: "completion",
    data: {
      run: id,
      status: end,
      duration: 6.2,
      files,
      message: end === "failed" ? "no such table" : "done",
    },
  };
  const last = end === "failed" ? [agent(2, "started"), agent(2, "failed")] : [];
  const ending = end === null ? [] : [now(end), completion];
  return [now("queued"), now("running"), ...stages, ...last, ...ending];
}

function told(activity) {
  return activity.entries.map((one) =>
    one instanceof Run ? [one.told.text, one.isWhole, one.steps.map(({ text }) => text)] : one.text,
  );
}

function live(events, withLogs = false) {
  const activity = new Activity();
  for (const event of events) activity.add(event, withLogs);
  return activity;
}

/** The API's history over these events. */
function history(events) {
  return async ({ type, limit }) => {
    const newest = events.filter((event) => !type || event.type === type).reverse();
    const page = newest.slice(0, limit);
    const head = events.at(-1)?.id ?? "log-0";
    return { events: page, cursor: page.at(-1)?.id ?? head, head, more: newest.length > limit };
  };
}

const loaded = async (events, withLogs = false) =>
  live(await readPast(history(events), ["projects/**"], withLogs), withLogs);

test("a run that is over is a line, with how it ended", () => {
  const [done] = live(numbered(run("p", "r"))).entries;
  assert.deepEqual(done.told, { tone: "green", text: "Completed: 2 files, 3 agents, 6.2 s" });
  const [failed] = live(numbered(run("p", "r", "failed"))).entries;
  assert.deepEqual(failed.told, { tone: "red", text: "Failed after 6.2 s, at agent 2 of 3: no such table" });
  const [cancelled] = live(numbered(run("p", "r", "cancelled"))).entries;
  assert.deepEqual(cancelled.told, { tone: "ink", text: "Cancelled after 6.2 s, at agent 3 of 3" });
});

test("one figure alone is none too many, and what is not known is left out", () => {
  const events = numbered(run("p", "r", "completed", 1)).filter(({ type }) => type !== "agent_update");
  Object.assign(events.at(-1).data, { duration: null });
  assert.equal(live(events).entries[0].told.text, "Completed: 1 file");
  Object.assign(events.at(-1).data, { files: undefined });
  assert.equal(live(events).entries[0].told.text, "Completed");
});

test("a run under way is one group that grows", () => {
  const events = numbered(run("p", "r", null));
  const activity = new Activity();
  const seen = [];
  for (const event of events) {
    activity.add(event, false);
    assert.equal(activity.entries.length, 1);
    seen.push(activity.entries[0].told.text);
  }
  assert.deepEqual(
    [...new Set(seen)],
    ["Queued", "Running", "Running: agent 1 of 3", "Running: agent 2 of 3", "Running: agent 3 of 3"],
  );
  assert.equal(activity.entries[0].isWhole, true);
});

test("runs of several projects are grouped each by itself, and what is of none stays a line", () => {
  const [first, second] = [run("p", "r"), run("q", "s", null)];
  const mixed = first.flatMap((event, index) => (second[index] ? [event, second[index]] : [event]));
  const note = { topic: "projects/p/own", type: "shout", data: {} };
  const lone = { topic: "projects/p", type: "log", data: { message: "of nobody" } };
  const events = numbered([lone, ...mixed, note, lone]);
  const whole = told(live(events, true));
  assert.deepEqual(
    whole.map((one) => (Array.isArray(one) ? one[0] : one)),
    ["of nobody", "shout", "Completed: 2 files, 3 agents, 6.2 s", "Running: agent 3 of 3", "of nobody"],
  );
  assert.deepEqual(whole[2][2].at(-1), "done");
  assert.equal(whole[2][2].filter((text) => text === "a line").length, AGENTS);
});

for (const withLogs of [false, true])
  test(`a feed that was open and one that is loaded say the same, log lines ${withLogs}`, async () => {
    const runs = [
      ...run("p", "r1"),
      ...run("q", "s", "failed"),
      { topic: "projects", type: "project_created", data: { id: "n", name: "N" } },
      ...run("p", "r2", "cancelled"),
      ...run("q", "t", null),
    ];
    for (let cut = 1; cut <= runs.length; cut += 1) {
      const events = numbered(runs.slice(0, cut));
      assert.deepEqual(told(await loaded(events, withLogs)), told(live(events, withLogs)));
    }
  });

test("of a run that began before what was loaded, nothing is told that is not so", async () => {
  const events = numbered([...run("p", "r1", "completed", 400), ...run("q", "s", "completed", 400)]);
  const [second, first, ...more] = told(await loaded(events));
  assert.deepEqual(more, []);
  assert.equal(second[0], "Completed: 400 files, 3 agents, 6.2 s");
  assert.equal(second[1], false);
  assert.deepEqual(first, ["Completed: 400 files, 6.2 s", false, ["done"]]);
});

test("no step of a run is missing between two that are told", async () => {
  const events = numbered(Array.from({ length: 40 }, (_, n) => run(`p${n}`, `r${n}`, "completed", 9)).flat());
  const all = told(live(events));
  for (const [index, [text, isWhole, steps]] of told(await loaded(events)).entries()) {
    assert.deepEqual(all[index][2].slice(-steps.length), steps);
    assert.equal(isWhole, steps.length === all[index][2].length);
    assert.match(text, /^Completed: 9 files,/);
  }
});

test("another run of a project ends what was told of the one before", () => {
  const [before, ...after] = [run("p", "r1", null), run("p", "r2")];
  const texts = live(numbered([...before, ...after.flat()])).entries.map((one) => one.told.text);
  assert.deepEqual(texts, ["Completed: 2 files, 3 agents, 6.2 s", "A run whose end is not shown here"]);
});

test("a run that goes on after a restart is the same group", () => {
  const resumed = {
    topic: "projects/p",
    type: "status_update",
    data: { status: "running", progress: 30, run: "r", message: "Resumed after an interruption" },
  };
  const events = run("p", "r");
  const activity = live(numbered([...events.slice(0, 6), resumed, ...events.slice(6)]));
  assert.deepEqual(
    told(activity).map(([text, isWhole]) => [text, isWhole]),
    [["Completed: 2 files, 3 agents, 6.2 s", true]],
  );
});

test("a feed holds a bounded number of lines, groups and steps", () => {
  const shout = { topic: "projects/p/own", type: "shout", data: {} };
  assert.equal(live(numbered([...Array(ENTRIES_MAX + 1)].map(() => shout))).entries.length, ENTRIES_MAX);
  const [long] = live(numbered(run("p", "r", "completed", STEPS_MAX))).entries;
  assert.deepEqual([long.steps.length, long.isWhole], [STEPS_MAX, false]);
  const many = live(numbered(Array.from({ length: 20 }, (_, n) => run(`p${n}`, `r${n}`, null, 290)).flat()));
  const steps = many.entries.reduce((sum, one) => sum + one.steps.length, 0);
  assert.ok(steps <= ALL_STEPS_MAX && steps > ALL_STEPS_MAX - STEPS_MAX, String(steps));
  const [late] = numbered([run("p0", "r0", null).at(-1)], 1_000_000);
  many.add(late, false);
  assert.equal(many.entries[0].isWhole, false, "whose group was let go of begins anew, and says so");
});

test("what a project's state is made of is no news, and what others call so is", () => {
  const activity = new Activity();
  const events = numbered([
    { topic: "projects/p", type: "removed", subject: "files/a", data: null },
    { topic: "projects/p", type: "output", subject: "output/1", data: "some text" },
    { topic: "projects/p/own", type: "output", data: 1 },
  ]);
  for (const event of events) activity.add(event, true);
  assert.deepEqual(
    activity.entries.map(({ event }) => event.topic),
    ["projects/p/own"],
  );
});

test("a project whose command is not heard of does not say that it runs", () => {
  assert.equal(shownStatus({ status: "running", run: { silent: true } }), "silent");
  assert.equal(shownStatus({ status: "running", run: { silent: false } }), "running");
  assert.equal(shownStatus({ status: "failed", run: { silent: true } }), "failed");
  assert.equal(shownStatus({ status: "idle" }), "idle");
});

test("a command that somebody reports is told when it begins and when it ends, and not once more as a status", () => {
  const made = (status, more) => ({
    topic: "projects/p",
    type: "run_update",
    data: {
      id: "c",
      number: 3,
      kind: "command",
      command: "make test",
      status,
      author: "ada",
      exit: null,
      ...more,
    },
  });
  const status = (now) => ({
    topic: "projects/p",
    type: "status_update",
    data: { status: now, progress: 0, run: "c", message: now },
  });
  const activity = new Activity();
  const events = [
    made("running"),
    status("running"),
    { topic: "projects/p", type: "run_output", data: { run: 3, line: 1, text: "noise" } },
    made("running", { progress: 40 }),
    status("running"),
    made("failed", { exit: 2, signal: null, duration: 12 }),
    status("failed"),
  ];
  for (const event of numbered(events)) activity.add(event, true);
  assert.deepEqual(
    activity.entries.map(({ text, tone }) => [text, tone]),
    [
      ["Run 3, make test: exit code 2 after 12.0 s", "red"],
      ["Run 3, make test: began by ada", "blue"],
    ],
  );
});
