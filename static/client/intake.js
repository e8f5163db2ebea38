/**
 * What a connection does with each frame that carries events or a position: the reader judges, the listener
 * hears. `listener` hears: event(event, before), duplicate(event, overlap), gap(frame), moved(before,
 * cursor), anomaly(detail).
 */

import { isCursor } from "./cursor.js";
import { Reader } from "./reader.js";
import { Verdict } from "./states.js";

/** @import { GapFrame, WireEvent } from "./index.js" */
/** @import { IntakeListener } from "./source.js" */

export class Intake {
  #reader;
  #listener;
  /** What the newest broken chain was. @type {"prev" | "epoch"} */
  #kind = "prev";

  /**
   * @param {string | null} after
   * @param {IntakeListener} listener
   */
  constructor(after, listener) {
    this.#reader = new Reader(after);
    this.#listener = listener;
  }

  get cursor() {
    return this.#reader.cursor;
  }

  /**
   * A connection that asked for `after` has begun.
   *
   * @param {string | null} after
   * @param {{ id?: string | null, head?: unknown, floor?: unknown }} frame
   */
  begin(after, frame) {
    const before = this.cursor;
    this.#reader.begin(after, frame);
    if (!isCursor(after)) this.#listener.moved(before, this.cursor);
  }

  /**
   * Delivers an event, or drops it. False if the chain is broken: read again from the cursor. `spare`: a
   * second connection, which is simply given up then. `overlap`: two connections are open.
   *
   * @param {WireEvent} event
   * @param {{ spare: boolean, overlap: boolean }} connections
   */
  event(event, { spare, overlap }) {
    const before = this.cursor;
    const verdict = this.#reader.event(event);
    if (verdict === Verdict.DELIVER) this.#listener.event(event, before);
    else if (verdict === Verdict.DUPLICATE) this.#listener.duplicate(event, overlap);
    else if (verdict === Verdict.IGNORED) return true;
    else if (verdict === Verdict.LOST || verdict === Verdict.FOREIGN)
      return this.#suspect(event, verdict, spare);
    else {
      this.#listener.anomaly({
        kind: this.#kind,
        event,
        cursor: before,
        repaired: verdict === Verdict.REPAIRED,
      });
      this.#listener.event(event, before);
    }
    return true;
  }

  /**
   * @param {WireEvent} event
   * @param {string} verdict
   * @param {boolean} spare
   */
  #suspect(event, verdict, spare) {
    this.#kind = verdict === Verdict.FOREIGN ? "epoch" : "prev";
    if (!spare) this.#listener.anomaly({ kind: this.#kind, event, cursor: this.cursor, repaired: null });
    return false;
  }

  /** The position jumps: nobody who stood where it was has come to where it is. @param {GapFrame} frame */
  gap(frame) {
    const news = this.#reader.gap(frame);
    this.#listener.moved(this.cursor, this.cursor);
    if (news) this.#listener.gap(frame);
  }

  /**
   * Everything up to `id` was seen.
   *
   * @param {unknown} id
   */
  position(id) {
    const before = this.cursor;
    if (this.#reader.position(id)) this.#listener.moved(before, this.cursor);
  }

  topicsChanged() {
    this.#reader.forget();
  }
}
