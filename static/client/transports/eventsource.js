/**
 * The browser's EventSource, for platforms whose fetch does not stream. It hides status and headers, so every
 * end is a network fault; its own reconnect (old URL, no back-off, fatal on any non-200) is never used.
 */

/** Opens it; tells `link`. Returns `{close}`. */
export function openEventSource({ env, http }, request, link) {
  const url = http.url("api/sse", [
    ...request.topics.map((topic) => ["topic", topic]),
    ["after", request.after],
    ["named", 0], // everything, control frames too, arrives as `message`
  ]);
  const source = new env.EventSource(String(url), { withCredentials: http.crossOrigin });
  let open = true;
  const close = () => {
    open = false;
    source.onopen = source.onmessage = source.onerror = null;
    source.close();
  };
  const end = (fault) => {
    if (!open) return;
    close();
    link.end(fault);
  };
  source.onopen = () => link.opened();
  source.onerror = () => end({ kind: "network", detail: "EventSource gave up, and does not say why" });
  source.onmessage = ({ data }) => {
    if (!link.text(data)) end({ kind: "protocol", detail: "an event is not a frame" });
  };
  return { close };
}
