/** The service in memory: one log, subscriptions and pages by the rules of docs/protocol.md, sections 1 to 4. */

import { topicMatcher } from "../../../static/client/topics.js";

const CURSOR = /^([a-z0-9]+)-(\d+)$/;

export class FakeLog {
  epoch = "aaa";
  heartbeat = 20;
  events = [];
  head = 0;
  #floors = new Map();
  #last = new Map();
  #keys = new Map();
  #subscribers = new Set();
  #trims = 0;
  /** Events of one page of a state. */
  statePage = 2;
  /** Characters of a text that is told as one event. */
  joinedMax = 1_000;

  constructor(clock) {
    this.clock = clock;
  }

  cursor(offset = this.head) {
    return `${this.epoch}-${offset}`;
  }

  /** `about`: its `subject`, `append`, `final`. */
  publish(topic, type = "log", data = {}, key = undefined, about = {}) {
    const known = key && this.#keys.get(`${topic} ${key}`);
    if (known) return known;
    this.head += 1;
    const before = this.#last.get(topic);
    const event = {
      id: this.cursor(),
      topic,
      type,
      time: new Date(this.clock.now()).toISOString(),
      prev: before === undefined ? null : this.cursor(before),
      ...about,
      data,
    };
    this.#last.set(topic, this.head);
    if (key) this.#keys.set(`${topic} ${key}`, event);
    this.events.push(event);
    for (const subscriber of [...this.#subscribers]) subscriber.event(event);
    return event;
  }

  many(count, topic = "a") {
    return Array.from({ length: count }, (_, n) => this.publish(topic, "log", { n }));
  }

  /** Keeps the newest `keep` events. */
  trim(keep = 0) {
    this.#trims += 1;
    const gone = this.events.splice(0, this.events.length - keep);
    for (const { topic, id } of gone) this.#floors.set(topic, offsetOf(id));
  }

  /** Another log in its place: other epoch, no events. */
  replace(epoch) {
    Object.assign(this, { epoch, events: [], head: 0 });
    for (const map of [this.#floors, this.#last, this.#keys]) map.clear();
  }

  /** Where a request starts: `{offset, gap, resumed}`. */
  start(after, matches) {
    if (after === null || after === undefined || after === "latest")
      return { offset: this.head, gap: null, resumed: false };
    if (after === "earliest") return { offset: 0, gap: null, resumed: false };
    const [, epoch, digits] = CURSOR.exec(after) ?? [];
    const offset = Number(digits);
    const floor = this.#floorOf(matches);
    const gap = (reason, at) => ({
      offset: at,
      resumed: false,
      gap: {
        type: "gap",
        reason,
        requested: after,
        id: this.cursor(at),
        floor: floor ? this.cursor(floor) : null,
      },
    });
    if (epoch === undefined) return gap("malformed", this.head);
    if (epoch !== this.epoch) return gap("epoch", this.#beforeKept(0, matches));
    if (offset > this.head) return gap("ahead", this.head);
    if (offset < floor) return gap("trimmed", this.#beforeKept(offset, matches));
    return { offset, gap: null, resumed: true };
  }

  #floorOf(matches) {
    return Math.max(0, ...[...this.#floors].filter(([topic]) => matches(topic)).map(([, floor]) => floor));
  }

  #floor(matches) {
    const floor = this.#floorOf(matches);
    return floor ? this.cursor(floor) : null;
  }

  #beforeKept(offset, matches) {
    const first = this.events.find((event) => offsetOf(event.id) > offset && matches(event.topic));
    return first ? offsetOf(first.id) - 1 : this.head;
  }

  after(offset, matches) {
    return this.events.filter((event) => offsetOf(event.id) > offset && matches(event.topic));
  }

  /**
   * A stream: `send(frame)` for each frame, from the connection frame on, which says `more`. Returns the
   * subscription.
   */
  subscribe({ topics, after }, transport, send, more = {}) {
    const subscription = new FakeSubscription(this, topics, send);
    const { offset, gap, resumed } = this.start(after, subscription.matches);
    const shared = {
      transport,
      topics,
      head: this.cursor(),
      resumed,
      heartbeat: this.heartbeat,
      retry: 2000,
    };
    send({ type: "connection", id: this.cursor(offset), connection: "c", ...shared, ...more });
    if (gap) send(gap);
    const missed = this.after(offset, subscription.matches);
    for (const event of missed) send(event);
    send({ type: "caught_up", id: this.cursor(), replayed: missed.length });
    this.#subscribers.add(subscription);
    subscription.beat();
    return subscription;
  }

  leave(subscription) {
    this.#subscribers.delete(subscription);
  }

  get subscribers() {
    return this.#subscribers.size;
  }

  /** Sends one frame to every stream, whatever its topics. */
  tell(frame) {
    for (const subscriber of [...this.#subscribers]) subscriber.send(frame);
  }

  goodbye(reason, retry, code) {
    this.tell({ type: "goodbye", reason, retry, code });
  }

  /** An answer of GET /api/events. */
  page({ topics, after, limit }) {
    const matches = topicMatcher(topics.length ? topics : null);
    const { offset, gap } = this.start(after, matches);
    const all = this.after(offset, matches);
    const events = all.slice(0, limit);
    const more = all.length > events.length;
    const cursor = more ? events.at(-1).id : this.cursor();
    return { events, cursor, head: this.cursor(), floor: this.#floor(matches), more, gap };
  }

  /** An answer of GET /api/state: a page, or a status. */
  state(topics, join, next, subject = null) {
    const [at, skip, trims] = next ? next.split(".").map(Number) : [this.head, 0, this.#trims];
    if (trims !== this.#trims) return 410;
    const matches = topicMatcher(topics.length ? topics : null);
    const values = new Map();
    for (const event of this.events) {
      if (!event.subject || !matches(event.topic) || offsetOf(event.id) > at) continue;
      if (subject !== null && event.subject !== subject) continue;
      const key = `${event.topic} ${event.subject}`;
      if (event.append) values.set(key, [...(values.get(key) ?? []), event]);
      else if (event.data === null) values.delete(key);
      else values.set(key, [event]);
    }
    const told = [...values.values()].map((value) => (join ? asText(value) : value));
    const all = told.flat().toSorted((a, b) => offsetOf(a.id) - offsetOf(b.id));
    if (join && all.some(({ data }) => data.length > this.joinedMax)) return 413;
    const events = all.slice(skip, skip + this.statePage);
    const more = skip + events.length < all.length;
    const place = more ? `${at}.${skip + events.length}.${trims}` : null;
    return { events, cursor: this.cursor(at), more, next: place };
  }

  /** Calls `fn` once, at the next event that `topics` match. */
  onNext(topics, fn) {
    const matches = topicMatcher(topics.length ? topics : null);
    const waiter = {
      event: (event) => {
        if (!matches(event.topic)) return;
        this.#subscribers.delete(waiter);
        fn();
      },
      send: () => {},
    };
    this.#subscribers.add(waiter);
    return () => this.#subscribers.delete(waiter);
  }
}

class FakeSubscription {
  #timer = null;

  constructor(log, topics, send) {
    Object.assign(this, { log, topics, send });
    this.#match();
  }

  #match() {
    this.matches = topicMatcher(this.topics.length ? this.topics : null);
  }

  event(event) {
    if (this.matches(event.topic)) this.send(event);
  }

  change(topics) {
    this.topics = topics;
    this.#match();
    return { id: this.log.cursor() };
  }

  beat() {
    this.#timer = this.log.clock.setTimeout(() => {
      this.send({ type: "heartbeat", id: this.log.cursor(), time: "" });
      this.beat();
    }, this.log.heartbeat * 1000);
  }

  close() {
    this.log.clock.clearTimeout(this.#timer);
    this.log.leave(this);
  }
}

function asText(value) {
  if (!value.every(({ data }) => typeof data === "string")) return value;
  const { append: _, ...last } = value.at(-1);
  return [{ ...last, data: value.map(({ data }) => data).join("") }];
}

export function offsetOf(cursor) {
  return Number(cursor.split("-")[1]);
}
