/**
 * The browser's EventSource, for platforms whose fetch does not stream. It hides status and headers, so every
 * end is a network fault; its own reconnect (old URL, no back-off, fatal on any non-200) is never used.
 */

import { URL_MAX, topicPairs } from "../http.js";
import { FaultKind } from "../states.js";

/** @import { Context, StreamRequest, Wire, WireFault, WireListener } from "../internal.js" */

/**
 * Opens it; tells `link`.
 *
 * @param {Context} context
 * @param {StreamRequest} request
 * @param {WireListener} link
 * @returns {Wire}
 */
export function openEventSource({ env, http }, request, link) {
  if (!env.EventSource) throw new TypeError("there is no EventSource");
  const url = http.url("api/sse", [
    ...topicPairs(request.topics),
    ["after", request.after],
    ["named", 0], // everything, control frames too, arrives as `message`
  ]);
  if (String(url).length > URL_MAX) throw new TypeError("EventSource can't ask for so many topics");
  const source = new env.EventSource(String(url), { withCredentials: http.crossOrigin });
  let open = true;
  const close = () => {
    open = false;
    source.onopen = source.onmessage = source.onerror = null;
    source.close();
  };
  /** @param {WireFault} fault */
  const end = (fault) => {
    if (!open) return;
    close();
    link.end(fault);
  };
  source.onopen = () => link.opened();
  source.onerror = () =>
    end({ kind: FaultKind.NETWORK, detail: "EventSource gave up, and does not say why" });
  source.onmessage = ({ data }) => {
    if (!link.text(data)) end({ kind: FaultKind.PROTOCOL, detail: "an event is not a frame" });
  };
  return { close };
}
