/** The lab's publisher: plain POSTs, beside the stream and untouched by its faults. */

import { api, inWords } from "../shared/api.js";

const STEADY_EVERY = 100; // milliseconds: ten events a second

/**
 * `acknowledged(ids)` is called with what the server has committed, `failed(words)` when it refused.
 *
 * @param {string} topic
 * @param {{ acknowledged(ids: string[]): void, failed(words: string): void }} on
 */
export function createPublisher(topic, { acknowledged, failed }) {
  let number = 0;
  /** @type {number | null} */
  let timer = null;

  const draft = () => {
    number += 1;
    return { topic, type: "lab", data: { n: number } };
  };

  /** @param {number} size */
  async function burst(size) {
    try {
      const { ids } = await api.publish(Array.from({ length: size }, draft));
      acknowledged(ids);
    } catch (error) {
      failed(inWords(error, "Publishing"));
    }
  }

  return {
    burst,
    /** Whether it publishes one event after another. */
    get steady() {
      return timer !== null;
    },
    /** Start or stop publishing one event after another. Returns whether it now publishes. */
    toggle() {
      if (timer === null) timer = setInterval(() => burst(1), STEADY_EVERY);
      else {
        clearInterval(timer);
        timer = null;
      }
      return timer !== null;
    },
    /** Take all events of the lab's topic out of the log: who has not seen them is told by a gap. */
    trim: () => api.trim(topic, 0),
    /** The page goes: stop, and clean up with a request that outlives it. */
    leave() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      api.trim(topic, 0, { keepalive: true }).catch(() => undefined);
    },
  };
}
