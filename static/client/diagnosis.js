/** A browser does not tell why a WebSocket handshake or an EventSource failed; HTTP does. */

const BLIND = ["websocket", "eventsource"];

/** Whether a refused token would look like a dead network: with these transports, nothing shows a status. */
export function hidesRefusals({ http, env, transports }) {
  if (env.fetch === null || !transports.every((name) => BLIND.includes(name))) return false;
  return http.auth.token !== null || http.auth.renewable;
}

/** The fault, with the status of a refusal if a small read of the same topics is refused. */
export async function explain({ http }, topics, fault) {
  const status = await http.status(topics);
  return status === 401 || status === 403 ? { ...fault, status } : fault;
}
