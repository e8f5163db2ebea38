/**
 * WebSocket: one text message is one frame. Opened proves nothing; the link waits for the connection frame.
 */

/** Opens it; tells `link`. Returns `{send, close}`. */
export function openWebSocket({ env, http }, request, link) {
  const url = http.url("api/ws", [
    ...request.topics.map((topic) => ["topic", topic]),
    ["after", request.after],
  ]);
  url.protocol = url.protocol.replace(/^http/, "ws");
  const socket = new env.WebSocket(String(url));
  let open = true;
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
  socket.onopen = () => link.opened();
  socket.onerror = () => {}; // tells nothing; close follows
  socket.onclose = ({ code, reason }) => end(closeFault(code, reason));
  socket.onmessage = ({ data }) => {
    if (!link.text(data)) end({ kind: "protocol", detail: "a message is not a frame" });
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

function closeFault(code, reason) {
  if (code === 1006 || code === undefined) return { kind: "network", code, detail: "cut, or never opened" };
  return { kind: "closed", code, detail: reason || `closed with ${code}` };
}
