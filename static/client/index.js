/** Twinwire's browser client. The API with its promises is in index.d.ts; docs/client.md has examples. */

import { Stream } from "./stream.js";

/** Opens a stream. A topic alone is a mistake that would otherwise mean another stream than was asked for. */
export function connect(options = {}) {
  if (typeof options === "object" && options !== null) return new Stream(options);
  throw new TypeError(`connect takes options: connect({ topics: ${JSON.stringify(options)} })`);
}

export { compareCursors } from "./cursor.js";
export { OverrunError, TwinwireError } from "./errors.js";
export { createFacade } from "./facade.js";
