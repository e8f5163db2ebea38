/**
 * The cursor of one stream, and the judgement of every frame against it: never lost, never twice. Pure.
 *
 * Events may come from two transports at once, while the stream moves from one to the other: each of them is
 * complete from a position at or before the cursor, so whatever one has delivered, the other's copy is a
 * duplicate.
 */

import { compareCursors, isAfter, isCovered, isCursor } from "./cursor.js";
import { Verdict } from "./states.js";

/** @import { GapFrame, WireEvent } from "./index.js" */

export class Reader {
  /**
   * The last event that was handled, or a later position without events; null before the first connection.
   *
   * @type {string | null}
   */
  cursor = null;

  /** A `prev` up to here proves nothing: the service said that it may be missing. @type {string | null} */
  #floor = null;
  /** The event that proved a loss, and is read again. @type {string | null} */
  #suspect = null;
  /** The floor of the gap that was told last. @type {string | null} */
  #told = null;

  /** @param {string | null} cursor */
  constructor(cursor = null) {
    this.cursor = isCursor(cursor) ? cursor : null;
  }

  /**
   * A connection began, for which `after` was asked. `id`, `head`, `floor`: of its connection frame.
   *
   * @param {string | null} after
   * @param {{ id?: unknown, head?: unknown, floor?: unknown }} frame
   */
  begin(after, { id, head, floor }) {
    // With a cursor the stream goes on from it, or a gap follows, which moves it: a connection that ends in
    // between must not have moved it already, or the page would never hear of the gap.
    if (isCursor(after)) return;
    // `earliest` has no gap: the floor says what retention took away. A service that does not tell it leaves
    // that and a loss the same, so everything up to the head is excused.
    const excused = floor === undefined ? head : floor;
    if (after === "earliest") this.#floor = isCursor(excused) ? excused : null;
    if (isCursor(id)) this.cursor = id;
  }

  /**
   * `deliver`, `duplicate`, `lost` (an event of its topic between the cursor and it never came) or `foreign`
   * (of another epoch, and no gap said so). The last two ask for a re-read from the cursor; if the same event
   * comes again in the same way, it is `unrepaired`, and delivered; if it comes in order, it is `repaired`,
   * and delivered. `ignored`: it has no position, so it is not of the log, and must not move the cursor.
   *
   * @param {WireEvent} event
   */
  event(event) {
    if (!isCursor(event.id)) return Verdict.IGNORED;
    const order = this.cursor === null ? 1 : compareCursors(event.id, this.cursor);
    if (order !== null && order <= 0) return Verdict.DUPLICATE;
    const fault = order === null ? Verdict.FOREIGN : this.#proofOfLoss(event) ? Verdict.LOST : null;
    const again = this.#suspect === event.id;
    if (fault && !again) {
      this.#suspect = event.id;
      return fault;
    }
    this.cursor = event.id;
    if (!again) return Verdict.DELIVER;
    this.#suspect = null;
    return fault ? Verdict.UNREPAIRED : Verdict.REPAIRED;
  }

  /** @param {{ prev?: string | null }} event */
  #proofOfLoss({ prev }) {
    if (prev === null || prev === undefined || this.cursor === null || !isAfter(prev, this.cursor))
      return false;
    return this.#floor === null || !isCovered(prev, this.#floor);
  }

  /**
   * Everything up to `id` was seen (heartbeat, caught_up). Whether the cursor moved.
   *
   * @param {unknown} id
   */
  position(id) {
    if (!isCursor(id) || (this.cursor !== null && !isAfter(id, this.cursor))) return false;
    this.cursor = id;
    return true;
  }

  /**
   * Goes on where the gap says, in whatever epoch. Whether it is news: a cursor below the floor of one topic
   * and above that of another is told the same gap each time it comes back (docs/protocol.md, section 3).
   *
   * @param {GapFrame} gap
   */
  gap({ id, floor, reason }) {
    if (isCursor(id)) this.cursor = id;
    this.#floor = floor ?? null;
    this.#suspect = null;
    const isOfFloor = reason === "trimmed" || reason === "compacted";
    const news = !isOfFloor || floor === null || floor !== this.#told;
    this.#told = isOfFloor ? floor : null;
    return news;
  }

  /** The topics changed: the same floor may now be another gap. */
  forget() {
    this.#told = null;
  }
}
