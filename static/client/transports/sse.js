/**
 * Server-Sent Events, read with fetch: unlike EventSource it shows the status and the media type, carries the
 * token in a header, survives a 502 during a deploy, and leaves the reconnect to us.
 */

import { responseFault } from "../http.js";
import { EventStreamParser } from "../sse-parser.js";

/** Opens it; tells `link`. Returns `{close}`. */
export function openSse({ env, http }, request, link) {
  const abort = new AbortController();
  const url = http.url("api/sse", [
    ...request.topics.map((topic) => ["topic", topic]),
    ["after", request.after],
  ]);
  const init = http.init({ Accept: "text/event-stream" }, { signal: abort.signal });
  let open = true;
  const close = () => {
    open = false;
    abort.abort();
  };
  const end = (fault) => {
    if (!open) return;
    close();
    link.end(fault);
  };
  read(env, String(url), init, link, () => open)
    .then((fault) => end(fault ?? { kind: "network", detail: "the stream ended" }))
    .catch((error) => end({ kind: "network", detail: String(error?.message ?? error) }));
  return { close };
}

async function read(env, url, init, link, isOpen) {
  const response = await env.fetch(url, init);
  const fault = await responseFault(response, "text/event-stream", "sse", env.now());
  if (fault) return fault;
  if (typeof response.body?.getReader !== "function")
    return { kind: "unsupported", detail: "fetch does not stream" };
  link.opened();
  return pump(response.body.getReader(), link, isOpen);
}

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
      return { kind: "protocol", detail: error.message };
    }
    if (!sound) return { kind: "protocol", detail: "an event is not a frame" };
  }
  return null;
}
