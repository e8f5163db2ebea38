/** Whether a stream shares its connection with other tabs, and what does that. */

import { groupName } from "./group.js";
import { Tabs } from "./tabs.js";

/** @import { Share } from "../internal.js" */

/** @type {Share} */
export function share(context, start, listener, options) {
  const name = groupName(context.env, context.base, context.transports, options);
  return name === null ? null : new Tabs(context, start, listener, name);
}
