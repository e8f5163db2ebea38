/**
 * The browser's EventSource, for platforms whose fetch does not stream. It hides status and headers, so every
 * end is a network fault; its own reconnect (old URL, no back-off, fatal on any non-200) is never used. It can
 * send no token: each one begins with a ticket of its own.
 */

import { URL_MAX, faultOf, topicPairs } from "../http.js";
import { besidePairs } from "../queries.js";
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
  const { EventSource } = env;
  if (!EventSource) throw new TypeError("there is no EventSource");
  const url = http.url("api/sse", [
    ...topicPairs(request.topics),
    ["after", request.after],
    ...besidePairs(request),
    ["named", 0], // everything, control frames too, arrives as `message`
    ...http.auth.query,
  ]);
  if (String(url).length > URL_MAX) throw new TypeError("EventSource can't ask for so many topics");
  let open = true;
  /** @type {EventSource | null} */
  let source = null;
  const close = () => {
    open = false;
    if (source) source.onopen = source.onmessage = source.onerror = null;
    source?.close();
  };
  /** @param {WireFault} fault */
  const end = (fault) => {
    if (!open) return;
    close();
    link.end(fault);
  };
  const start = () => {
    if (!open) return;
    source = new EventSource(String(url), { withCredentials: http.crossOrigin });
    source.onopen = () => link.opened();
    source.onerror = () =>
      end({ kind: FaultKind.NETWORK, detail: "EventSource gave up, and does not say why" });
    source.onmessage = ({ data }) => {
      if (!link.text(data)) end({ kind: FaultKind.PROTOCOL, detail: "an event is not a frame" });
    };
  };
  if (!http.auth.hasToken) start();
  else
    http
      .ticket(request.topics)
      .then((ticket) => url.searchParams.set("ticket", ticket))
      .then(start)
      .catch((error) => end(faultOf(error)));
  return { close };
}
