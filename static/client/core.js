/** The client without tabs that share a connection: a quarter less to load. core.d.ts has the API. */

import { open } from "./open.js";

/** @import { ConnectOptions } from "./index.js" */

export { compareCursors } from "./cursor.js";
export { OverrunError, TwinwireError } from "./errors.js";

/** @param {Omit<ConnectOptions, "tabs">} options */
export const connect = (options = {}) => {
  if (Object(options).tabs) throw new TypeError("tabs share a connection in index.js, not in core.js");
  return open(options);
};
