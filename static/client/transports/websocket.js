/**
 * WebSocket: one text message is one frame. Opened proves nothing; the link waits for the connection frame.
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
export function openWebSocket({ env, http }, request, link) {
  if (!env.WebSocket) throw new TypeError("there is no WebSocket");
  const whole = http.url("api/ws", [...topicPairs(request.topics), ["after", request.after]]);
  const isLater = String(whole).length > URL_MAX; // then the topics follow in the first message
  /** @type {[string, unknown][]} */
  const rest = [
    ["filter", "later"],
    ["after", request.after],
  ];
  const url = isLater ? http.url("api/ws", rest) : whole;
  url.protocol = url.protocol.replace(/^http/, "ws");
  const socket = new env.WebSocket(String(url));
  let open = true;
  /** @param {WireFault | null} fault null: we let go of it */
  const end = (fault) => {
    if (!open) return;
    open = false;
    socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
    try {
      socket.close(1000);
    } catch {
      // A replaced WebSocket (extensions do that) may refuse; the link has let go of it anyway.
    }
    if (fault) link.end(fault);
  };
  socket.onopen = () => {
    if (isLater) socket.send(JSON.stringify({ op: "subscribe", topics: request.topics }));
    link.opened();
  };
  socket.onerror = () => {}; // tells nothing; close follows
  socket.onclose = ({ code, reason }) => end(closeFault(code, reason));
  socket.onmessage = ({ data }) => {
    if (!link.text(data)) end({ kind: FaultKind.PROTOCOL, detail: "a message is not a frame" });
  };
  return {
    send(text) {
      if (!open || socket.readyState !== 1) return false;
      socket.send(text);
      return true;
    },
    close: () => end(null),
  };
}

/**
 * @param {number | undefined} code
 * @param {string} reason
 * @returns {WireFault}
 */
function closeFault(code, reason) {
  if (code === 1006 || code === undefined)
    return { kind: FaultKind.NETWORK, code, detail: "cut, or never opened" };
  return { kind: FaultKind.CLOSED, code, detail: reason || `closed with ${code}` };
}
