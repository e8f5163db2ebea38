/** The figures of one stream, for the page's indicator and the wire lab. Units are in index.d.ts. */

/** @import { WireEvent } from "./index.js" */

export class Stats {
  received = 0;
  duplicates = 0;
  overlap = 0;
  replayed = 0;
  gaps = 0;
  anomalies = 0;
  /** @type {number | null} */
  latency = null;
  reconnects = 0;
  switches = 0;
  /** @type {number | null} */
  lastEventAt = null;
  /** @type {number | null} */
  heardAt = null;

  /**
   * An event was handed over at `now`; `live`: not from a replay.
   *
   * @param {WireEvent} event
   * @param {number} now
   * @param {boolean} live
   */
  event(event, now, live) {
    this.received += 1;
    this.lastEventAt = now;
    if (live) this.latency = Math.max(now - Date.parse(event.time), 0);
    else this.replayed += 1;
  }

  /** @param {boolean} overlap */
  duplicate(overlap) {
    this.duplicates += 1;
    if (overlap) this.overlap += 1;
  }
}
