/** The `fetch` of a network: streams, long polls, and what is asked beside them. */

/** Of no topic: all of them. */
export const listOf = (topics) => (topics.length > 0 ? topics : null);

export function request(url) {
  const { searchParams } = new URL(url);
  const topics = searchParams.getAll("topic");
  return { topics, after: searchParams.get("after"), limit: Number(searchParams.get("limit") ?? 500) };
}

const problemType = { "content-type": "application/problem+json" };

function answer(network, status, body, headers = { "content-type": "application/json" }) {
  const more = network.retryAfter === null ? {} : { "retry-after": String(network.retryAfter) };
  return new Response(JSON.stringify(body), { status, headers: { ...headers, ...more } });
}

function refusal(network, rule) {
  if (rule === "refuse") throw new TypeError("fetch failed");
  if (rule === "html")
    return new Response("<html>", { status: 200, headers: { "content-type": "text/html" } });
  if (typeof rule !== "number") return null;
  if (network.problem) return answer(network, rule, { status: rule, title: `No: ${rule}` }, problemType);
  return new Response("<html>", { status: rule, headers: { "content-type": "text/html" } });
}

export async function fakeFetch(network, address, init = {}) {
  const url = new URL(address);
  const post = init.method === "POST";
  const aside = /\/api\/(session|tickets|auth|state|presence|ephemeral)(\/|$)/.exec(url.pathname)?.[1];
  const transport = aside ?? (url.pathname.endsWith("/api/sse") ? "sse" : post ? "post" : "poll");
  network.note(transport, url, init.headers);
  await new Promise((resolve) => network.clock.setTimeout(resolve, 5));
  if (init.signal?.aborted) throw new DOMException("aborted", "AbortError");
  if (url.href.length > network.urlMax) return new Response("<html>", { status: 414 });
  const token = init.headers?.Authorization?.replace("Bearer ", "");
  const bearer = network.guard.bearer(token);
  const isOut = bearer === null && aside !== "session" ? 401 : null;
  const refused = refusal(network, isOut ?? network.rules[transport]);
  if (refused) return refused;
  if (aside === "state") return stateOf(network, url.searchParams);
  if (aside === "presence") return presenceOf(network, url, init, bearer);
  if (aside === "ephemeral") {
    network.posts.push(JSON.parse(init.body));
    network.ephemeral(JSON.parse(init.body), bearer.subject);
    return answer(network, 202, { accepted: 1 });
  }
  if (aside) return asideOf(network, aside, token, bearer, init.body);
  if (post) return published(network, JSON.parse(init.body));
  return transport === "sse"
    ? streamed(network, url, bearer, init.signal)
    : polled(network, url, init.signal);
}

function presenceOf(network, url, { method = "GET", body }, { subject }) {
  const { crowd } = network;
  const path = url.pathname.split("/api/presence")[1].slice(1);
  if (method === "GET") {
    const names = crowd.matching(url.searchParams.get("place"));
    return answer(network, 200, { places: names.map((name) => crowd.state(name)), more: false });
  }
  const asked = body ? JSON.parse(body) : {};
  if (path === "leave") crowd.closed(asked.connection, "closed", asked.members);
  const [place, member] = [path.split("/").slice(0, -1).join("/"), path.split("/").at(-1)];
  if (method === "DELETE") crowd.leave(place, member);
  if (method !== "PUT") return new Response(null, { status: 204 });
  const entered = crowd.enter("http", place, member, { ...asked, user: subject });
  if (typeof entered !== "number") return answer(network, 200, entered);
  const problem = { status: entered, title: `No: ${entered}`, field: crowd.fieldOf(place) };
  return answer(network, entered, problem, problemType);
}

function stateOf(network, query) {
  const asked = ["join", "next", "subject"].map((name) => query.get(name));
  const found = network.log.state(query.getAll("topic"), ...asked);
  if (typeof found !== "number") return answer(network, 200, found);
  return answer(network, found, { status: found, title: `No: ${found}` }, problemType);
}

function asideOf(network, name, token, bearer, body) {
  const { guard } = network;
  if (name === "session") return answer(network, 200, bearer ? guard.fields(bearer) : { subject: null });
  if (name === "tickets") return answer(network, 201, { ticket: guard.ticket(token) });
  const refused = refusal(network, network.auth);
  if (refused) return refused;
  const status = guard.renew(JSON.parse(body).connection, token, "http");
  return status === 200 ? answer(network, 200, guard.fields(bearer)) : refusal(network, status);
}

function published(network, body) {
  network.posts.push(body);
  const add = ({ topic, type, data, key }) => network.log.publish(topic, type, data, key).id;
  return answer(network, 201, Array.isArray(body) ? { ids: body.map(add) } : { id: add(body) });
}

function streamed(network, url, bearer, signal) {
  const encoder = new TextEncoder();
  const connection = { transport: "sse" };
  const body = new ReadableStream({
    start(controller) {
      const end = (act) => () => {
        if (connection.ended) return;
        connection.ended = true;
        connection.subscription?.close();
        network.crowd.gone(connection.watcher);
        network.crowd.closed(connection.opened?.connection ?? null);
        network.guard.close(connection.opened?.connection);
        network.closed(connection);
        act();
      };
      connection.cut = end(() => controller.error(new TypeError("network error")));
      signal?.addEventListener(
        "abort",
        end(() => controller.error(new DOMException("aborted", "AbortError"))),
      );
      network.opened(connection);
      if (network.rules.sse === "swallow") return;
      controller.enqueue(encoder.encode(": hello\n\nretry: 2000\n\n"));
      const send = (frame) => {
        const passed = network.filter(frame, "sse");
        if (!passed || connection.ended) return;
        const id = passed.id === undefined ? "" : `id: ${passed.id}\n`;
        const lines = `event: ${passed.type}\n${id}data: ${JSON.stringify(passed)}\n\n`;
        controller.enqueue(encoder.encode(lines));
      };
      connection.opened = network.guard.open(bearer, send, () => connection.cut());
      connection.hears = url.searchParams.get("ephemeral") === "1";
      connection.subscription = network.log.subscribe(request(url), "sse", send, connection.opened);
      const watched = url.searchParams.get("presence") === "1" ? connection.subscription.topics : [];
      connection.watcher = network.crowd.watcher(send, watched);
    },
  });
  return new Response(body, { status: 200, headers: { "content-type": "text/event-stream; charset=utf-8" } });
}

function polled(network, url, signal) {
  const query = request(url);
  const wait = Number(url.searchParams.get("wait") ?? 0);
  const page = { ...network.log.page(query), ...polledBeside(network, url, query.topics) };
  const done = page.events.length > 0 || page.gap || wait === 0 || page.presence?.length;
  if (done) return answer(network, 200, filtered(network, page));
  return new Promise((resolve, reject) => {
    const connection = { transport: "poll" };
    const end = (act) => {
      if (connection.ended) return;
      connection.ended = true;
      network.clock.clearTimeout(timer);
      network.crowd.gone(connection.watcher);
      stop();
      network.closed(connection);
      act();
    };
    const next = () => {
      const beside = polledBeside(network, url, query.topics);
      if (connection.heard.length > 0) beside.ephemeral = connection.heard;
      return filtered(network, { ...network.log.page({ ...query, after: page.cursor }), ...beside });
    };
    const respond = () => end(() => resolve(answer(network, 200, next())));
    const timer = network.clock.setTimeout(respond, wait * 1000);
    const stop = network.log.onNext(query.topics, () => network.clock.setTimeout(respond, 1));
    // What is not of the log ends the wait as well.
    connection.heard = [];
    connection.hears = url.searchParams.get("ephemeral") === "1";
    const told = (frame) => {
      if (frame.topic !== undefined) connection.heard.push(frame);
      network.clock.setTimeout(respond, 1);
    };
    connection.subscription = { topics: query.topics, send: told };
    connection.watcher = network.crowd.watcher(() => {});
    if (page.presence) Object.assign(connection.watcher, { send: told, patterns: new Set(query.topics) });
    connection.cut = () => end(() => reject(new TypeError("network error")));
    signal?.addEventListener("abort", () => end(() => reject(new DOMException("aborted", "AbortError"))));
    network.opened(connection);
  });
}

/** Of each place that is other than what the client knows of it, the state. */
function polledBeside(network, url, topics) {
  if (url.searchParams.get("presence") !== "1") return {};
  const known = new Map(url.searchParams.getAll("presence_version").map((text) => text.split(/:(?=\d+$)/)));
  const states = topics
    .flatMap((topic) => network.crowd.matching(topic))
    .map((name) => network.crowd.state(name));
  return { presence: states.filter(({ place, version }) => known.get(place) !== String(version)) };
}

function filtered(network, page) {
  return { ...page, events: page.events.map((event) => network.filter(event, "poll")).filter(Boolean) };
}
