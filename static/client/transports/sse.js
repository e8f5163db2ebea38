/**
 * Server-Sent Events, read with fetch: unlike EventSource it shows the status and the media type, carries the
 * token in a header, survives a 502 during a deploy, and leaves the reconnect to us.
 */

import { reasonOf } from "../errors.js";
import { responseFault } from "../http.js";
import { besidePairs } from "../queries.js";
import { EventStreamParser } from "../sse-parser.js";
import { FaultKind, Transport } from "../states.js";

/** @import { Context, Environment, StreamRequest, Wire, WireFault, WireListener } from "../internal.js" */

/**
 * Opens it; tells `link`.
 *
 * @param {Context} context
 * @param {StreamRequest} request
 * @param {WireListener} link
 * @returns {Wire}
 */
export function openSse({ env, http }, request, link) {
  const abort = new AbortController();
  const params = /** @type {[string, unknown][]} */ ([["after", request.after], ...besidePairs(request)]);
  const asked = http.asking("api/sse", "api/sse", request.topics, params);
  // Asked for in a URL with `auth`, it would be taken for an EventSource, which can be told nothing by a status.
  /** @type {Record<string, string>} */
  const fetched = http.auth.expected ? { "X-Twinwire-Fetch": "1" } : {};
  const headers = { Accept: "text/event-stream", ...fetched, ...asked.headers };
  const init = http.init(headers, { ...asked.init, signal: abort.signal });
  let open = true;
  const close = () => {
    open = false;
    abort.abort();
  };
  /** @param {WireFault} fault */
  const end = (fault) => {
    if (!open) return;
    close();
    link.end(fault);
  };
  read(env, asked.url, init, link, () => open)
    .then((fault) => end(fault ?? { kind: FaultKind.NETWORK, detail: "the stream ended" }))
    .catch((error) => end({ kind: FaultKind.NETWORK, detail: reasonOf(error) }));
  return { close };
}

/**
 * @param {Environment} env
 * @param {string} url
 * @param {RequestInit} init
 * @param {WireListener} link
 * @param {() => boolean} isOpen
 * @returns {Promise<WireFault | null>}
 */
async function read(env, url, init, link, isOpen) {
  if (!env.fetch) throw new TypeError("there is no fetch");
  const response = await env.fetch(url, init);
  const fault = await responseFault(response, "text/event-stream", Transport.SSE, env.now());
  if (fault) return fault;
  if (typeof response.body?.getReader !== "function")
    return { kind: FaultKind.UNSUPPORTED, detail: "fetch does not stream" };
  link.opened();
  return pump(response.body.getReader(), link, isOpen);
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {WireListener} link
 * @param {() => boolean} isOpen
 * @returns {Promise<WireFault | null>}
 */
async function pump(reader, link, isOpen) {
  let sound = true;
  const parser = new EventStreamParser(({ data }) => {
    if (sound && isOpen()) sound = link.text(data);
  });
  while (isOpen()) {
    const { done, value } = await reader.read();
    if (done || !isOpen()) return null;
    link.bytes(); // comments count: they prove that the path is open
    try {
      parser.feed(value);
    } catch (error) {
      return { kind: FaultKind.PROTOCOL, detail: reasonOf(error) };
    }
    if (!sound) return { kind: FaultKind.PROTOCOL, detail: "an event is not a frame" };
  }
  return null;
}
