/** A server, a network, a browser and a clock; and a page that collects what its stream delivers. */

import { connect } from "../../../static/client/index.js";
import { ChannelHub, LockTable, MemoryStorage, Page } from "./browser.js";
import { Clock } from "./clock.js";
import { FakeLog, offsetOf } from "./log.js";
import { Network } from "./network.js";

export class World {
  clock = new Clock();
  log = new FakeLog(this.clock);
  network = new Network(this.clock, this.log);
  memory = new MemoryStorage();
  locks = new LockTable();
  channels = new ChannelHub();

  /** Everything that a stream takes from its platform. */
  platform(page = new Page()) {
    return {
      baseUrl: "http://live.test/tw/",
      fetch: this.network.fetch,
      WebSocket: this.network.WebSocket,
      EventSource: this.network.EventSource,
      sendBeacon: this.network.sendBeacon,
      BroadcastChannel: null,
      locks: null,
      setTimeout: this.clock.setTimeout,
      clearTimeout: this.clock.clearTimeout,
      now: this.clock.now,
      random: () => 0.5,
      storage: new MemoryStorage(),
      memory: this.memory,
      ...page,
    };
  }

  /** A page with one stream on topic `a`, unless `options` say otherwise. */
  open(options = {}, page = new Page()) {
    return new Tab(this, page, { ...this.platform(page), topics: "a", ...options });
  }

  /** One of several tabs of an origin, with Web Locks and a channel. */
  tab(options = {}) {
    const page = new Page();
    const locks = this.locks.tab();
    const random = Math.random; // tabs tell each other apart by it
    const tab = this.open({ locks, BroadcastChannel: this.channels.tab(page), random, ...options }, page);
    tab.crash = () => {
      this.channels.crash(page);
      tab.stream.close();
      locks.crash();
    };
    return tab;
  }

  /** So many, one after the other, each when the one before is live; `options(n)` of each. */
  async tabs(count, options = () => ({})) {
    const tabs = [];
    for (let n = 0; n < count; n += 1) {
      tabs.push(this.tab(options(n)));
      await tabs[n].live();
    }
    return tabs;
  }
}

export class Tab {
  events = [];
  gaps = [];
  notices = [];

  constructor(world, page, options) {
    this.world = world;
    this.page = page;
    this.stream = connect(options);
    this.stream.on("*", (message) => (message.topic === undefined ? this.gaps : this.events).push(message));
    for (const name of [
      ":state",
      ":transport",
      ":stale",
      ":fault",
      ":retry",
      ":anomaly",
      ":close",
      ":attempt",
      ":role",
      ":auth",
    ]) {
      this.stream.on(name, (detail) => this.notices.push({ name, at: world.clock.now(), ...detail }));
    }
  }

  get offsets() {
    return this.events.map(({ id }) => offsetOf(id));
  }

  noticed(name) {
    return this.notices.filter((notice) => notice.name === name);
  }

  faults() {
    return this.noticed(":fault").map(({ kind }) => kind);
  }

  /** Time until the stream is live, in milliseconds. */
  live(limit) {
    return this.world.clock.until(() => this.stream.state === "live", limit);
  }
}

/** Whether each of these tabs leads. */
export const roles = (tabs) => tabs.map(({ stream }) => stream.role);

/** 1..n, or from..to. */
export function range(from, to) {
  return Array.from({ length: to - from + 1 }, (_, n) => from + n);
}
