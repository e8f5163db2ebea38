/** Live charts of what `GET /api/figures` says. */

import { request } from "../shared/api.js";
import { byId, setText } from "../shared/dom.js";
import { bytes, clock, count, plural, rate } from "../shared/format.js";
import { createChart } from "./charts.js";
import { watch } from "./panel.js";

/**
 * Of sorted values: half of them, and all but one in a hundred, are not beyond.
 *
 * @typedef {{ p50: number, p99: number, max: number }} Spread
 */

/**
 * What the charts need of it (docs/protocol.md, section 7).
 *
 * @typedef {object} Figures
 * @property {string} time
 * @property {string} head a cursor
 * @property {number} published
 * @property {number} delivered
 * @property {number} replayed
 * @property {Spread | null} latency_ms
 * @property {Spread | null} lag
 * @property {number} loop_delay_ms
 * @property {number | null} memory_bytes
 * @property {number} wal_bytes
 * @property {number} streams
 * @property {Policy[]} retention
 */

/**
 * What is kept of the topics that match; null where nothing binds.
 *
 * @typedef {{ topics: string, max_age: number | null, max_count: number | null, max_bytes: number | null, keep: "state" | null }} Policy
 */

/** Milliseconds between two looks. */
const EVERY = 2_000;

/** @param {number} value */
const ms = (value) => `${value < 10 ? value.toFixed(1) : count(Math.round(value))} ms`;

/**
 * How much a sum has grown a second; null if the service has begun anew meanwhile.
 *
 * @param {Figures | null} before
 * @param {Figures} now
 * @param {"published" | "delivered" | "replayed"} name
 */
function growth(before, now, name) {
  if (before === null) return null;
  const seconds = (Date.parse(now.time) - Date.parse(before.time)) / 1_000;
  const more = now[name] - before[name];
  return seconds > 0 && more >= 0 ? more / seconds : null;
}

/**
 * Draw figures while somebody looks; `told(figures)` is called with each.
 *
 * @param {(figures: Figures) => void} told
 */
export function watchFigures(told) {
  const place = byId("charts");
  const charts = {
    rates: createChart(place, {
      title: "Events",
      series: ["published", "delivered", "replayed"],
      format: rate,
    }),
    latency: createChart(place, { title: "Latency", series: ["half", "99 in 100"], format: ms }),
    lag: createChart(place, {
      title: "Lag of streams, in events",
      series: ["99 in 100", "most"],
      format: count,
    }),
    delay: createChart(place, { title: "Event-loop delay", series: ["worst in 5 s"], format: ms }),
    memory: createChart(place, { title: "Memory", series: ["resident"], format: bytes }),
    wal: createChart(place, { title: "Write-ahead log", series: ["size"], format: bytes }),
  };
  const note = byId("figures-note");
  const fresh = byId("indicator");
  /** @type {Figures | null} */
  let before = null;
  const load = async () => {
    /** @type {Figures} */
    const now = await request("GET", "api/figures").catch((error) => {
      if (before === null) setText(fresh, "No figures");
      throw error;
    });
    charts.rates.add([
      growth(before, now, "published"),
      growth(before, now, "delivered"),
      growth(before, now, "replayed"),
    ]);
    charts.latency.add([now.latency_ms?.p50 ?? null, now.latency_ms?.p99 ?? null]);
    charts.lag.add([now.lag?.p99 ?? null, now.lag?.max ?? null]);
    charts.delay.add([now.loop_delay_ms]);
    charts.memory.add([now.memory_bytes]);
    charts.wal.add([now.wal_bytes]);
    before = now;
    setText(fresh, `As of ${clock(now.time)}`);
    setText(note, `${plural(now.streams, "open stream")}, every two seconds`);
    told(now);
  };
  return watch(load, EVERY, note, "Loading the figures");
}
