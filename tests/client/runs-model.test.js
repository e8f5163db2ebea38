import assert from "node:assert/strict";
import { test } from "node:test";

import { ofLine, ofRun, placeOf } from "../../static/app/projects/project/place.js";
import { quoted, reportLine } from "../../static/app/projects/project/report-line.js";
import { byWhom, outcomeOf, sayingOf } from "../../static/app/projects/project/run-words.js";
import { RunsModel, stateOf, together } from "../../static/app/projects/project/runs-model.js";

const run = (number, status = "running", more = {}) => ({
  number,
  kind: "command",
  status,
  progress: 0,
  message: "",
  stage: null,
  command: "make test",
  author: null,
  host: null,
  exit: null,
  signal: null,
  changed: 0,
  silent: false,
  ...more,
});
const told = (number, data, subject = `runs/${number}`) => ({
  id: `log-${number}`,
  topic: "projects/p",
  type: data === null ? "removed" : "run_update",
  data,
  subject,
});

async function model(runs, more = false) {
  const changes = [];
  const runsModel = new RunsModel((before, after) =>
    changes.push([before?.status ?? null, after?.status ?? null]),
  );
  await runsModel.load(async () => ({ runs, more, cursor: "log-10" }));
  return { model: runsModel, changes, numbers: () => runsModel.runs.map(({ number }) => number) };
}

test("runs come, change and go, newest first; what the list has already is left out", async () => {
  const { model: runs, changes, numbers } = await model([run(5), run(3)]);
  runs.receive(told(9, run(3, "failed"), "runs/3")); // before the list was made
  runs.receive(told(11, run(5, "completed"), "runs/5"));
  runs.receive(told(12, run(7)));
  runs.receive(told(13, run(4)));
  runs.receive(told(14, null, "runs/3"));
  runs.receive(told(15, null, "files/a"));
  assert.deepEqual(numbers(), [7, 5, 4]);
  assert.deepEqual(changes, [
    ["running", "completed"],
    [null, "running"],
    [null, "running"],
    ["running", null],
  ]);
});

test("a run older than what is listed makes no hole in the list", async () => {
  const { model: runs, numbers } = await model([run(9), run(8)], true);
  runs.put(run(2));
  assert.deepEqual(numbers(), [9, 8]);
  runs.append({ runs: [run(8), run(7)], more: false });
  assert.deepEqual(numbers(), [9, 8, 7]);
  runs.put(run(2));
  assert.deepEqual(numbers(), [9, 8, 7, 2]);
});

test("a project and its runs are followed from the earlier of the positions of both", () => {
  for (const [one, other] of [
    ["log-12", "log-9"],
    ["log-9", "log-12"],
  ]) {
    const { cursor, runs } = together({ cursor: one }, { runs: [], more: false, cursor: other });
    assert.deepEqual([cursor, runs.cursor], ["log-9", "log-9"]);
  }
});

test("the newest generation is known also when newer commands have filled the list", async () => {
  const generation = (number, status) => run(number, status, { kind: "generation" });
  const changes = [];
  const runs = new RunsModel((before, after) => changes.push([before?.status, after?.status]));
  const listed = [run(9, "completed"), run(8, "completed")];
  const snapshot = { cursor: "log-10", run: generation(2, "running") };
  await runs.load(async () => together(snapshot, { runs: listed, more: true, cursor: "log-10" }).runs);
  assert.deepEqual([runs.generation.number, runs.active], [2, 1]);
  runs.receive(told(11, generation(2, "completed"), "runs/2"));
  assert.deepEqual([runs.generation.status, runs.active], ["completed", 0]);
  assert.deepEqual(changes, [["running", "completed"]]);
  runs.append({ runs: [run(7), generation(2, "running")], more: false });
  assert.equal(
    runs.get(2).status,
    "completed",
    "what an event has told is newer than the page of older ones",
  );
  runs.receive(told(12, generation(10, "queued"), "runs/10"));
  assert.equal(runs.generation.number, 10);
  runs.receive(told(13, null, "runs/10"));
  assert.equal(runs.generation.number, 2);
});

test("what is shown: what was chosen, what runs, what the project is for", async () => {
  const generation = { kind: "generation" };
  const { model: runs } = await model([
    run(4, "completed"),
    run(3, "completed", generation),
    run(2, "failed"),
  ]);
  assert.equal(runs.shown(true).number, 3);
  assert.equal(runs.shown(false).number, 3, "what one looks at stays");
  runs.put(run(5));
  runs.put(run(6));
  assert.equal(runs.shown(true).number, 6);
  runs.put(run(7));
  assert.equal(runs.shown(true).number, 6, "as long as it runs");
  runs.prefer(run(8));
  assert.equal(runs.shown(true).number, 8);
  runs.chosen = 2;
  assert.equal(runs.shown(true).number, 2);
  const { model: none } = await model([]);
  assert.equal(none.shown(true), null);
});

test("addresses of runs and lines", () => {
  assert.deepEqual(placeOf(ofRun(3)), { run: 3, line: null });
  assert.deepEqual(placeOf(ofLine(3, 120)), { run: 3, line: 120 });
  for (const other of ["", "#", "#logs-panel", "#run-0", "#run-3-L0", "#run-3-L1x", "#run-99999999999"])
    assert.equal(placeOf(other), null, other);
});

test("a run in words: cancelled is not failed, and a sentence stands before the details", () => {
  const agents = { kind: "generation", command: null };
  const stages = [
    { number: 1, name: "storage" },
    { number: 2, name: "api-design" },
  ];
  const says = (...made) => sayingOf(run(...made), stages);
  assert.deepEqual(says(1, "failed", { ...agents, stage: "api-design", message: "OSError: /srv/x" }), {
    sentence: "Stopped in API design, stage 2 of 2",
    details: "OSError: /srv/x",
  });
  assert.equal(
    says(1, "cancelled", { ...agents, stage: "storage", message: "Cancelled" }).sentence,
    "Cancelled at Storage, stage 1 of 2",
  );
  assert.equal(
    says(1, "cancelled", { message: "Cancelled by ada at stage 4" }).sentence,
    "Cancelled by ada at stage 4",
  );
  assert.equal(says(1, "cancelled", agents).sentence, "Cancelled before it began");
  assert.equal(says(1, "queued", { ...agents, message: "Queued" }).sentence, "Waits for its turn");
  assert.equal(
    says(1, "failed", { exit: 2, message: "Ended with exit code 2" }).sentence,
    "Ended with exit code 2",
  );
  assert.equal(
    says(1, "failed", { exit: 137, signal: "SIGKILL", stage: "build" }).sentence,
    "Ended by SIGKILL, in build",
  );
  assert.equal(outcomeOf(run(1, "failed", { exit: 2 })), "exit code 2");
  assert.equal(outcomeOf(run(1, "running", { silent: true })), "not heard of for a minute");
  assert.equal(stateOf("running", true), "silent");
  assert.equal(stateOf("failed", true), "failed");
  assert.equal(outcomeOf(run(1, "completed", { ...agents, changed: 3 })), "3 files changed");
  assert.equal(byWhom(run(1, "failed", { author: "ada", host: "build-7" })), "by ada on build-7");
});

test("the line that reports a run can be pasted into a shell", () => {
  assert.equal(
    reportLine("http://a.example/x/", "p1"),
    "twinwire run --url http://a.example/x --project p1 -- make test",
  );
  assert.equal(quoted("it's $(here)"), `'it'\\''s $(here)'`);
});
