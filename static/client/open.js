/** What `connect` of index.js and of core.js have in common. */

import { Stream } from "./stream.js";

/** @import { Share } from "./internal.js" */
/** @import { ConnectOptions } from "./index.js" */

/**
 * Opens a stream. A topic alone is a mistake that would otherwise mean another stream than was asked for.
 *
 * @param {ConnectOptions} options
 * @param {Share} [share]
 */
export function open(options, share) {
  if (typeof options === "object" && options !== null) return new Stream(options, share);
  throw new TypeError(`connect takes options: connect({ topics: ${JSON.stringify(options)} })`);
}
