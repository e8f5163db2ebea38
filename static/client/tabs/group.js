/** Who shares a connection: tabs that ask the same service, in the same way, with the same credential. */

/** @import { Environment } from "../internal.js" */
/** @import { ConnectOptions, TransportName } from "../index.js" */

/**
 * A short name for a secret: tabs with another token are another group. FNV-1a, 32 bits.
 *
 * @param {string} text
 */
export function digest(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}

/**
 * The name of a stream's group; null if it has a connection of its own. Who the group is, each tab finds out
 * besides (identity.js).
 *
 * @param {Environment} env
 * @param {URL} base
 * @param {readonly TransportName[]} transports
 * @param {ConnectOptions} options
 */
export function groupName(env, base, transports, { tabs = true, token, getToken, auth }) {
  if (!tabs || !env.locks || !env.BroadcastChannel || !env.fetch) return null;
  // With rotating tokens only the page knows which tabs belong to one user.
  if (getToken && typeof tabs !== "object") return null;
  const owner = typeof tabs === "object" ? `group:${tabs.group}` : `token:${token ?? ""}`;
  return `twinwire:${base}:${transports.join(",")}:${auth ?? ""}:${digest(owner)}`;
}
