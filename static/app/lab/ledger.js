/** The count that the lab is about: what the server acknowledged against what arrived. No DOM here. */

/** Events of one session that are told apart; past this the settled ones are forgotten and only counted. */
const REMEMBERED_MAX = 200_000;

/** @param {string} cursor */
const offset = (cursor) => Number(cursor.slice(cursor.lastIndexOf("-") + 1));

export class Ledger {
  published = 0;
  received = 0;
  twice = 0;
  /** Events that retention took before they could be replayed, as the stream itself said. */
  declared = 0;
  /** Acknowledged, not yet received: id -> publish time. @type {Map<string, number>} */
  #waiting = new Map();
  /** Received: id -> acknowledged too. @type {Map<string, boolean>} */
  #seen = new Map();

  get missing() {
    return this.#waiting.size;
  }

  /**
   * The server has acknowledged this event.
   *
   * @param {string} id
   * @param {number} now
   */
  acknowledge(id, now) {
    this.published += 1;
    if (this.#seen.has(id)) this.#seen.set(id, true);
    else this.#waiting.set(id, now);
  }

  /** The stream has delivered this event. Returns false if it had before. @param {string} id */
  receive(id) {
    if (this.#seen.has(id)) {
      this.twice += 1;
      return false;
    }
    this.received += 1;
    this.#seen.set(id, this.#waiting.delete(id));
    if (this.#seen.size > REMEMBERED_MAX) this.#forget();
    return true;
  }

  /**
   * The stream has said that up to `floor` something may be missing. Returns how many events that explains.
   *
   * @param {string} floor
   */
  declare(floor) {
    let explained = 0;
    for (const id of this.#waiting.keys()) {
      if (offset(id) > offset(floor)) continue;
      this.#waiting.delete(id);
      explained += 1;
    }
    this.declared += explained;
    return explained;
  }

  /** Milliseconds that the longest-waiting event has waited; 0 if none does. @param {number} now */
  oldestWait(now) {
    const first = this.#waiting.values().next();
    return first.done ? 0 : now - first.value;
  }

  #forget() {
    let surplus = this.#seen.size - REMEMBERED_MAX / 2;
    for (const [id, acknowledged] of this.#seen) {
      if (surplus <= 0) return;
      if (acknowledged) this.#seen.delete(id);
      surplus -= 1;
    }
  }
}
