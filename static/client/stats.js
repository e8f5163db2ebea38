/** The figures of one stream, for the page's indicator and the wire lab. Units are in index.d.ts. */

export class Stats {
  received = 0;
  duplicates = 0;
  overlap = 0;
  replayed = 0;
  gaps = 0;
  anomalies = 0;
  latency = null;
  reconnects = 0;
  switches = 0;
  lastEventAt = null;

  /** An event was handed over at `now`; `live`: not from a replay. */
  event(event, now, live) {
    this.received += 1;
    this.lastEventAt = now;
    if (live) this.latency = Math.max(now - Date.parse(event.time), 0);
    else this.replayed += 1;
  }

  duplicate(overlap) {
    this.duplicates += 1;
    if (overlap) this.overlap += 1;
  }
}
