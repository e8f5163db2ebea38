/**
 * What a connection does with each frame that carries events or a position: the reader judges, the listener
 * hears. `listener` hears: event(event, before), duplicate(event, overlap), gap(frame), moved(before,
 * cursor), anomaly(detail).
 */

import { isCursor } from "./cursor.js";
import { Reader } from "./reader.js";

export class Intake {
  #reader;
  #listener;
  #kind = "prev";

  constructor(after, listener) {
    this.#reader = new Reader(after);
    this.#listener = listener;
  }

  get cursor() {
    return this.#reader.cursor;
  }

  /** A connection that asked for `after` has begun. */
  begin(after, frame) {
    const before = this.cursor;
    this.#reader.begin(after, frame);
    if (!isCursor(after)) this.#listener.moved(before, this.cursor);
  }

  /**
   * Delivers an event, or drops it. False if the chain is broken: read again from the cursor. `spare`: a
   * second connection, which is simply given up then. `overlap`: two connections are open.
   */
  event(event, { spare, overlap }) {
    const before = this.cursor;
    const verdict = this.#reader.event(event);
    if (verdict === "deliver") this.#listener.event(event, before);
    else if (verdict === "duplicate") this.#listener.duplicate(event, overlap);
    else if (verdict === "ignored") return true;
    else if (verdict === "lost" || verdict === "foreign") return this.#suspect(event, verdict, spare);
    else {
      this.#listener.anomaly({ kind: this.#kind, event, cursor: before, repaired: verdict === "repaired" });
      this.#listener.event(event, before);
    }
    return true;
  }

  #suspect(event, verdict, spare) {
    this.#kind = verdict === "foreign" ? "epoch" : "prev";
    if (!spare) this.#listener.anomaly({ kind: this.#kind, event, cursor: this.cursor, repaired: null });
    return false;
  }

  gap(frame) {
    const before = this.cursor;
    const news = this.#reader.gap(frame);
    this.#listener.moved(before, this.cursor);
    if (news) this.#listener.gap(frame);
  }

  position(id) {
    const before = this.cursor;
    if (this.#reader.position(id)) this.#listener.moved(before, this.cursor);
  }

  topicsChanged() {
    this.#reader.forget();
  }
}
