/**
 * WebSocket: one text message is one frame. Opened proves nothing; the link waits for the connection frame.
 *
 * A page can set no header here, so the token is a subprotocol. Of a handshake that fails a page learns nothing,
 * not even that it was refused; so the attempt after it opens without a token, and sends it as the first message:
 * that is answered in words. So does one with a token that can be no subprotocol.
 */

import { AUTH_REF } from "../auth.js";
import { URL_MAX, topicPairs } from "../http.js";
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
export function openWebSocket({ env, http, handshake }, request, link) {
  const { token, subprotocols, query } = http.auth;
  const isMessage = token !== null && (subprotocols === null || handshake.failed === token);
  /** @type {[string, unknown][]} */
  const auth = isMessage ? [["auth", "message"]] : query;
  const more = besidePairs({ ...request, presence: false }); // places are watched by messages
  const params = /** @type {[string, unknown][]} */ ([["after", request.after], ...more, ...auth]);
  const whole = http.url("api/ws", [...topicPairs(request.topics), ...params]);
  const isLater = String(whole).length > URL_MAX; // then the topics follow in a message
  const url = isLater ? http.url("api/ws", [["filter", "later"], ...params]) : whole;
  url.protocol = url.protocol.replace(/^http/, "ws");
  const socket = construct(env.WebSocket, String(url), isMessage ? null : subprotocols);
  let isOpened = false;
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
    isOpened = true;
    if (isMessage) socket.send(JSON.stringify({ op: "auth", token, ref: AUTH_REF }));
    if (isLater) socket.send(JSON.stringify({ op: "subscribe", topics: request.topics }));
    link.opened();
  };
  socket.onerror = () => {}; // tells nothing; close follows
  socket.onclose = ({ code, reason }) => {
    if (!isOpened) handshake.failed = isMessage ? null : token;
    end(closeFault(code, reason));
  };
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
 * The error of a WebSocket names the subprotocol that it did not like: the token.
 *
 * @param {Context["env"]["WebSocket"]} WebSocket
 * @param {string} url
 * @param {string[] | null} subprotocols
 */
function construct(WebSocket, url, subprotocols) {
  if (!WebSocket) throw new TypeError("there is no WebSocket");
  if (subprotocols === null) return new WebSocket(url);
  try {
    return new WebSocket(url, subprotocols);
  } catch {
    throw new TypeError("this WebSocket takes no subprotocol");
  }
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
