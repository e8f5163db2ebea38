/** The client without tabs that share a connection. What is not here is in index.d.ts. */

import type { ConnectOptions, Events, Stream } from "./index.js";

export { compareCursors, OverrunError, TwinwireError } from "./index.js";
export type * from "./index.js";

/** As `connect` of index.js; each tab has a connection of its own. */
export function connect<E extends object = Events>(options?: Omit<ConnectOptions, "tabs">): Stream<E>;
