/**
 * The last minute as a picture: one lane for what was published, one for each transport, faults as shaded
 * time.
 */

import { contextOf, fitCanvas, palette } from "../shared/strip.js";

const SPAN = 60_000; // milliseconds shown
const BIN = 100; // milliseconds of one tick
const FULL = 60; // events in a tick of full height
const EVERY = 100; // milliseconds between two pictures
const EVERY_STILL = 1_000; // the same, for people who want no motion
const LABELS = 92; // pixels left of the lanes
const LANES = [
  ["published", "Published"],
  ["websocket", "WebSocket"],
  ["sse", "SSE"],
  ["poll", "Long poll"],
];
const MARKS_MAX = 200;

const still = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @typedef {{ kind: "link" | "fault", lane: string | null, from: number, to: number | null }} Span of time;
 *   null: goes on
 * @typedef {object} View what is drawn now
 * @property {number} width
 * @property {number} height
 * @property {number} lane height of one
 * @property {(time: number) => number} x
 * @property {number} now
 * @property {number} start the first moment that is shown
 */

export class Timeline {
  #canvas;
  #context;
  #colours = palette();
  /** By "lane kind time": how many, oldest first. @type {Map<string, number>} */
  #bins = new Map();
  /** @type {Span[]} */
  #spans = [];
  /** @type {{ time: number, text: string }[]} */
  #marks = [];

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = contextOf(canvas);
    new ResizeObserver(() => this.#size()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#colours = palette();
    });
    let drawn = 0;
    setInterval(() => {
      if (document.hidden || (still.matches && Date.now() - drawn < EVERY_STILL)) return;
      drawn = Date.now();
      this.#draw(drawn);
    }, EVERY);
  }

  /**
   * `n` events now; `kind` is "live", "replayed" or "published".
   *
   * @param {string} lane
   * @param {"live" | "replayed" | "published"} kind
   * @param {number} n
   */
  events(lane, kind, n = 1) {
    const key = `${lane} ${kind} ${Math.floor(Date.now() / BIN)}`;
    this.#bins.set(key, (this.#bins.get(key) ?? 0) + n);
  }

  /**
   * A connection or a fault begins; returns the function that ends it.
   *
   * @param {Span["kind"]} kind
   * @param {string | null} lane
   */
  begin(kind, lane = null) {
    /** @type {Span} */
    const span = { kind, lane, from: Date.now(), to: null };
    this.#spans.push(span);
    return () => {
      span.to ??= Date.now();
    };
  }

  /** A moment worth a line through all lanes: a gap, a repair. @param {string} text */
  mark(text) {
    this.#marks.push({ time: Date.now(), text });
    if (this.#marks.length > MARKS_MAX) this.#marks.shift();
  }

  #size() {
    fitCanvas(this.#canvas, this.#context);
    this.#draw(Date.now());
  }

  /** @param {number} now */
  #draw(now) {
    const width = this.#canvas.clientWidth;
    const height = this.#canvas.clientHeight;
    const lane = (height - 22) / LANES.length;
    /** @param {number} time */
    const x = (time) => LABELS + (1 - (now - time) / SPAN) * (width - LABELS - 8);
    const view = { width, height, lane, x, now, start: now - SPAN };
    this.#context.clearRect(0, 0, width, height);
    this.#forget(view.start);
    this.#drawSpans(view, "fault");
    this.#drawLanes(view);
    this.#drawSpans(view, "link");
    this.#drawBins(view);
    this.#drawMarks(view);
    this.#drawScale(view);
  }

  /** @param {number} start */
  #forget(start) {
    for (const key of this.#bins.keys()) {
      if (Number(key.split(" ")[2]) * BIN >= start) break;
      this.#bins.delete(key);
    }
    this.#spans = this.#spans.filter((span) => span.to === null || span.to > start);
    this.#marks = this.#marks.filter((mark) => mark.time > start);
  }

  /** @param {View} view */
  #drawLanes({ width, lane }) {
    const c = this.#context;
    c.font = `12px ${getComputedStyle(this.#canvas).fontFamily}`;
    c.textBaseline = "middle";
    c.textAlign = "left";
    LANES.forEach(([, label], index) => {
      const y = (index + 1) * lane;
      c.fillStyle = this.#colours.ink;
      c.fillText(label, 8, y - lane / 2);
      c.fillStyle = this.#colours.rule;
      c.fillRect(LABELS, y - 1, width - LABELS, 1);
    });
  }

  /**
   * @param {View} view
   * @param {Span["kind"]} kind
   */
  #drawSpans({ lane, height, x, now, start }, kind) {
    for (const span of this.#spans) {
      if (span.kind !== kind) continue;
      const from = x(Math.max(span.from, start));
      const length = Math.max(2, x(span.to ?? now) - from);
      if (kind === "fault") this.#hatch(from, length, height - 22);
      else {
        this.#context.fillStyle = this.#laneColour(span.lane);
        this.#context.fillRect(from, (laneIndex(span.lane) + 1) * lane - 4, length, 4);
      }
    }
  }

  /**
   * @param {number} from
   * @param {number} length
   * @param {number} height
   */
  #hatch(from, length, height) {
    const c = this.#context;
    c.save();
    c.globalAlpha = 0.16;
    c.fillStyle = this.#colours.red;
    c.fillRect(from, 0, length, height);
    c.restore();
  }

  /** @param {View} view */
  #drawBins({ lane, x, start }) {
    const c = this.#context;
    const tick = Math.max(2.5, x(BIN) - x(0) - 0.5);
    for (const [key, n] of this.#bins) {
      const [name, kind, bin] = key.split(" ");
      const time = Number(bin) * BIN;
      if (time < start) continue;
      const tall = (lane - 14) * Math.min(1, 0.25 + (0.75 * n) / FULL);
      c.fillStyle = kind === "replayed" ? this.#colours.green : this.#laneColour(name);
      c.fillRect(x(time), (laneIndex(name) + 1) * lane - 5 - tall, tick, tall);
    }
  }

  /** @param {View} view */
  #drawMarks({ height, x, width }) {
    const c = this.#context;
    for (const { time, text } of this.#marks) {
      const at = x(time);
      c.fillStyle = this.#colours.red;
      c.fillRect(at, 0, 1.5, height - 22);
      c.textAlign = at > width - 90 ? "right" : "left";
      c.fillText(text, at + (at > width - 90 ? -5 : 5), 9);
    }
  }

  /** @param {View} view */
  #drawScale({ width, height, x, now }) {
    const c = this.#context;
    c.fillStyle = this.#colours["ink-3"];
    const step = width < 520 ? 30 : 15;
    for (let seconds = 0; seconds <= 60; seconds += step) {
      c.textAlign = seconds === 0 ? "right" : seconds === 60 ? "left" : "center";
      c.fillText(seconds === 0 ? "now" : `−${seconds} s`, x(now - seconds * 1_000), height - 9);
    }
  }

  /** @param {string | null} lane */
  #laneColour(lane) {
    if (lane === "published") return this.#colours["ink-3"];
    return lane === "websocket" ? this.#colours.blue : this.#colours.orange;
  }
}

/** @param {string | null} lane */
const laneIndex = (lane) =>
  Math.max(
    0,
    LANES.findIndex(([name]) => name === lane),
  );
