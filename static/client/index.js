/** Twinwire's browser client. The API with its promises is in index.d.ts; docs/client.md has examples. */

import { createFacade } from "./facade.js";
import { Stream } from "./stream.js";

const shared = createFacade(); // no connection before `connect(projectId, ...)`

/** Options give a stream of its own; a project's id gives the shared connection of the façade. */
export function connect(first = {}, ...rest) {
  if (typeof first === "string" || typeof first === "number") return shared.connect(first, ...rest);
  return new Stream(first);
}

export const { disconnect, on, off, send, isConnected } = shared;

export { compareCursors } from "./cursor.js";
export { OverrunError, TwinwireError } from "./errors.js";
export { createFacade } from "./facade.js";

export default shared;
