/** Twinwire's browser client. The API with its promises is in index.d.ts; docs/client.md has examples. */

export { connect } from "./connect.js";
export { compareCursors } from "./cursor.js";
export { OverrunError, TwinwireError } from "./errors.js";
export { createFacade } from "./facade.js";
