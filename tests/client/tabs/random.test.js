/**
 * Whatever four tabs of one user do, at random: who never left a place is never seen to leave it, all see all four there
 * with what each said last, and one tab leads.
 */

import assert from "node:assert/strict";
import test from "node:test";

import { roles, World } from "../support/world.js";

const TABS = 4;
const STEPS = 14;
const SEEDS = Number(process.env.TABS_SEEDS ?? 20); // of each transport

/** Mulberry32: the same numbers for the same seed. */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Crowd {
  world = new World();
  tabs = [];
  /** Those who have left by themselves. */
  left = new Set();

  constructor(random, transport) {
    this.random = random;
    this.transports = [transport];
  }

  pause = (most) => this.world.clock.advance(this.random() * most);

  open(name, topics) {
    const tab = this.world.tab({ transports: this.transports, topics });
    return Object.assign(tab, { name, topics, said: 0 }, { place: this.enter(tab, name, 0) });
  }

  enter = ({ stream }, name, said) => stream.place("a", { member: name, data: { said } });

  async come(isTogether) {
    for (let n = 0; n < TABS; n += 1) {
      this.tabs.push(this.open(`m${n}`, ["a", `t${n}`]));
      if (!isTogether) await this.pause(600);
    }
    await this.world.clock.advance(3_000);
  }

  async step() {
    const n = Math.floor(this.random() * TABS);
    const tab = this.tabs[n];
    const acts = { speak: 0.35, rest: 0.15, reload: 0.2, subscribe: 0.1, leave: 0.1, publish: 0.1 };
    let left = this.random();
    const act = Object.keys(acts).find((name) => (left -= acts[name]) < 0) ?? "publish";
    await this[act](tab, n);
    await this.pause(this.random() < 0.3 ? 15_000 : 1_500);
  }

  async speak(tab) {
    for (let n = 0; n < 4; n += 1) {
      tab.said += 1;
      tab.place.set({ said: tab.said });
      await this.pause(120);
    }
  }

  async rest(tab) {
    tab.page.fire("pagehide");
    await this.pause(this.random() < 0.5 ? 0 : 900);
    tab.page.fire("pageshow");
  }

  async reload(tab, n) {
    tab.page.fire("pagehide");
    tab.crash();
    await this.pause(900);
    this.tabs[n] = this.open(tab.name, tab.topics);
  }

  async subscribe(tab) {
    const topic = `x${Math.floor(this.random() * 1_000)}`;
    tab.topics = [...tab.topics, topic];
    tab.stream.subscribe(topic).catch(() => {}); // its page may go before it is answered
  }

  async leave(tab) {
    this.left.add(tab.name);
    tab.place.leave();
    await this.pause(300);
    tab.place = this.enter(tab, tab.name, tab.said);
  }

  async publish() {
    this.world.log.many(3);
  }
}

for (const [n, transport] of ["websocket", "sse", "poll", "eventsource"].entries()) {
  test(`${transport}: nobody who stays is seen to leave`, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const crowd = new Crowd(numbers(1_000 * n + seed), transport);
      await crowd.come(seed % 2 === 0);
      for (let step = 0; step < STEPS; step += 1) await crowd.step();
      await crowd.world.clock.advance(25_000);
      const { tabs, world, left } = crowd;
      const names = tabs.map(({ name }) => name);
      assert.equal(roles(tabs).filter((role) => role === "leader").length, 1, `seed ${seed}`);
      for (const { name, stream, place, said } of tabs) {
        const who = `${name}, seed ${seed}`;
        assert.deepEqual([stream.state, place.current], ["live", true], who);
        assert.deepEqual(place.members.map(({ member }) => member).toSorted(), names, who);
        assert.deepEqual(place.self.data, { said }, who);
        if (!left.has(name)) assert.equal(world.network.crowd.seen(name).leaves, 0, who);
      }
      for (const tab of tabs) tab.crash();
    }
  });
}
