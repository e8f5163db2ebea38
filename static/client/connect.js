/** `connect`, with tabs that share a connection where they can. */

import { open } from "./open.js";
import { share } from "./tabs/share.js";

/** @import { ConnectOptions } from "./index.js" */

/** @param {ConnectOptions} options */
export const connect = (options = {}) => open(options, share);
