// node read.mjs CLIENT URL COUNT: reads an event stream with somebody else's client until COUNT events have come, and
// prints what it was handed, an array of [type, id, data] for each. It ends with 1 if that takes too long.

const [client, url, count] = process.argv.slice(2);
const seen = [];
let isOver = false;
const done = (status) => {
  if (isOver) return;
  isOver = true;
  process.stdout.write(seen.map((one) => `${JSON.stringify(one)}\n`).join(""), () => process.exit(status));
};
setTimeout(() => done(1), 20_000);

const take = (message) => {
  if (isOver) return;
  seen.push([message.event ?? message.type ?? "", message.id ?? message.lastEventId ?? "", message.data ?? ""]);
  if (seen.filter(([, , data]) => data.includes('"topic":')).length >= Number(count)) done(0);
};

// Some are for browsers alone.
const listener = () => ({ addEventListener() {}, removeEventListener() {} });
globalThis.document ??= { hidden: false, ...listener() };
globalThis.window ??= Object.assign(globalThis, { location: { href: url }, ...listener() });

const clients = {
  async "@microsoft/fetch-event-source"() {
    const { fetchEventSource } = await import("@microsoft/fetch-event-source");
    await fetchEventSource(url, { onmessage: take, openWhenHidden: true });
  },
  async "extended-eventsource"() {
    const { EventSource } = await import("extended-eventsource");
    new EventSource(url, { disableRetry: true }).onmessage = take;
  },
  async eventsource() {
    const { EventSource } = await import("eventsource");
    new EventSource(url).onmessage = take;
  },
  async "event-source-polyfill"() {
    const { default: polyfill } = await import("event-source-polyfill");
    const { EventSourcePolyfill } = polyfill;
    new EventSourcePolyfill(url, { headers: {} }).onmessage = take;
  },
};

await clients[client]();
