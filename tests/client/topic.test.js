/** One topic of a stream, with listeners of its own. */

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "./support/world.js";

test("it hears its own topic and every gap, and what it adds the stream has", async () => {
  for (const make of ["open", "tab"]) {
    const world = new World();
    const tab = world[make]({ topics: "a" });
    const [a, b] = [tab.stream.topic("a"), tab.stream.topic("b/*")];
    const heard = [];
    a.on("log", ({ topic }) => heard.push(`a ${topic}`));
    b.on("*", ({ topic, type }) => heard.push(`b ${topic ?? type}`));
    await tab.live();
    assert.deepEqual(tab.stream.topics, ["a", "b/*"]);
    await b.ready;
    for (const topic of ["a", "b/1", "c"]) world.log.publish(topic, "log");
    await world.clock.advance(50);
    assert.deepEqual(heard, ["a a", "b b/1"], make);
    tab.stream.close();
  }
});

test("a gap is everybody's", async () => {
  const world = new World();
  world.log.many(20);
  world.log.trim(3);
  const { stream } = world.open({ after: "aaa-1" });
  const heard = [];
  stream.topic("a").once("gap", ({ reason }) => heard.push(reason));
  await world.clock.advance(50);
  assert.deepEqual(heard, ["trimmed"]);
});

test("the last handle of a topic takes it away, but not what the stream had", async () => {
  const world = new World();
  const tab = world.open({ topics: "a" });
  await tab.live();
  const [own, first, second] = ["a", "b", "b"].map((name) => tab.stream.topic(name));
  await first.ready;
  const heard = [];
  first.on("log", ({ topic }) => heard.push(topic));
  for (const handle of [own, first, first]) handle.close();
  assert.deepEqual(tab.stream.topics, ["a", "b"]);
  world.log.publish("b", "log");
  await world.clock.advance(50);
  assert.deepEqual(heard, []);
  second.close();
  assert.deepEqual(tab.stream.topics, ["a"]);
});

test("of a stream over everything it is a view", async () => {
  const world = new World();
  const tab = world.open({ topics: undefined });
  await tab.live();
  const heard = [];
  const handle = tab.stream.topic("b");
  handle.on("log", ({ topic }) => heard.push(topic));
  await handle.ready;
  for (const topic of ["a", "b"]) world.log.publish(topic, "log");
  handle.close();
  assert.deepEqual([heard, tab.stream.topics], [["b"], ["**"]]);
});

test("it publishes on its topic, and reads its history; a filter can't be published on", async () => {
  const world = new World();
  const { stream } = world.open();
  const [a, all] = [stream.topic("a"), stream.topic("a/**")];
  await world.clock.advance(50);
  const told = a.publish({ type: "log", data: 1 });
  await world.clock.advance(50);
  assert.deepEqual(await told, { id: "aaa-1" });
  const reading = a.history({ after: "earliest" });
  await world.clock.advance(50);
  assert.deepEqual(
    (await reading).events.map(({ topic }) => topic),
    ["a"],
  );
  await assert.rejects(all.publish({ type: "log" }), { name: "TwinwireError", status: 422 });
});

test("notices are the stream's; what is no topic is refused at once", () => {
  const { stream } = new World().open();
  assert.throws(() => stream.topic("a").on(":state", () => {}), { name: "TypeError", message: /stream\.on/ });
  for (const name of ["a b", ["a", "b"], undefined])
    assert.throws(() => stream.topic(name), { name: "TwinwireError", status: 422 });
  stream.close();
  stream.topic("b").close();
});

test("what one handle has brought goes with it, and takes no other's topic along", async () => {
  const world = new World();
  const tab = world.open({ topics: "x" });
  await tab.live();
  const [wide, one] = [tab.stream.topic("a/**"), tab.stream.topic("a/b")];
  const heard = [];
  one.on("log", ({ topic }) => heard.push(topic));
  await Promise.all([wide.ready, one.ready]);
  wide.close();
  world.log.publish("a/b", "log");
  await world.clock.advance(50);
  assert.deepEqual([heard, tab.stream.topics], [["a/b"], ["x", "a/b"]]);
});

test("a filter is there only as itself, and whoever waits for it waits for the server", async () => {
  const world = new World();
  const tab = world.open({ topics: "a/*" });
  const [deep, again] = [tab.stream.topic("a/**"), tab.stream.topic("a/**")];
  const order = [];
  again.ready.then(() => order.push(tab.stream.state));
  assert.equal(again.ready, deep.ready);
  await tab.live();
  await again.ready;
  assert.deepEqual(tab.stream.topics, ["a/*", "a/**"]);
  await assert.rejects(tab.stream.topic("forbidden").ready, { name: "TwinwireError" });
});
