/** Types that a page relies on, read by tsc only: what follows @ts-expect-error must stay an error. */

import { connect, createFacade } from "../../../static/client/index.js";
import type { Cursor, GapFrame, StreamState, WireEvent } from "../../../static/client/index.js";

/** What one page knows of its events. */
interface Build {
  log: { level: "info" | "error"; message: string };
  completion: { files: number };
}

const stream = connect<Build>({ topics: "builds/7" });

stream.on("log", (event) => {
  const message: string = event.data.message;
  const type: "log" = event.type;
  const id: Cursor = event.id;
  // @ts-expect-error: a log has no files
  void event.data.files;
  void [message, type, id];
});
stream.once("completion", ({ data }) => void data.files.toFixed());
// @ts-expect-error: no event of this page is called so
stream.on("progress", () => {});
// @ts-expect-error: files is a number
stream.on("completion", (event: WireEvent<{ files: string }>) => void event);
// @ts-expect-error: data can't be changed
stream.on("log", (event) => (event.data = { level: "info", message: "" }));

// `*` gives a union, told apart by `topic` and `type`.
stream.on("*", (message) => {
  if (message.topic === undefined) {
    const gap: GapFrame = message;
    return void gap.reason;
  }
  if (message.type === "completion") return void message.data.files.toFixed();
  // @ts-expect-error: what is left is a log
  void message.data.files;
  return void message.data.message;
});

// Notices have types of their own, whatever the events are.
stream.on(":state", ({ state, previous }) => {
  const both: StreamState[] = [state, previous];
  void both;
  // @ts-expect-error: no such state
  void (state === "connected");
});
stream.on(":stale", ({ stale, since }) => {
  const known: [boolean, number, boolean] = [stale, since, stream.stale];
  void known;
});
stream.on("gap", (gap) => void gap.floor);
// @ts-expect-error: no such notice
stream.on(":no-such-notice", () => {});

async function loops(): Promise<void> {
  for await (const message of stream) {
    if (message.topic !== undefined && message.type === "log") void message.data.level;
  }
  const { events } = await stream.history({ limit: 10 });
  for (const event of events) if (event.type === "completion") void event.data.files;
  const { id } = await stream.publish({ topic: "a", type: "log" });
  const { ids } = await stream.publish([{ topic: "a", type: "log", data: 1 }]);
  // @ts-expect-error: one draft has one id
  await stream.publish({ topic: "a", type: "log" }).then((reply) => reply.ids);
  void [id.length, ids.length];
}

// Without types of events, any type may come, and nobody knows what its data is.
const open = connect({ after: undefined, topics: undefined });
open.on("whatever", ({ data }) => void (typeof data === "string" && data.length));
// @ts-expect-error: data is unknown
open.on("*", (message) => void (message.topic === undefined ? message.reason : message.data.inside));

const topic = stream.topic("builds/7");
topic.on("completion", ({ data }) => void data.files);
// @ts-expect-error: notices are the stream's
topic.on(":state", () => {});
const chat = open.topic<{ message: { text: string } }>("chat/7");
chat.on("message", ({ data }) => void data.text);
void chat.publish({ type: "message", data: { text: "hi" } }).then(({ id }) => id.length);

// What is not kept has no id, and its data by type as an event has.
stream.hear("completion", ({ data, from, id }) => {
  const none: undefined = id;
  void [data.files.toFixed(), from?.user, none];
});
// @ts-expect-error: no event of this page is called so
stream.hear("progress", () => {});
topic.hear("*", (event) => void (event.type === "log" && event.data.level));
void topic.ephemeral("log", { level: "info" }, { key: "k", ttl: 2 }).then((nothing: void) => nothing);
// @ts-expect-error: seconds
void stream.ephemeral("builds/7", "log", {}, { ttl: "2s" });

// Who is at a place, and what they say of themselves.
const room = stream.place<{ name: string; view?: { line: number } }>("builds/7", { data: { name: "Ada" } });
room.on("came", ({ user, data, members }) => void [user?.length, data.name.length, members[0].since]);
room.on("change", ({ left }) => void left.map(({ reason, data }) => [reason?.length, data.view?.line]));
room.on("error", ({ status }) => void status.toFixed());
room.merge({ view: null });
// @ts-expect-error: a name is text
room.set({ name: 7 });
// @ts-expect-error: the lists are not changed
room.users.push();
// @ts-expect-error: no such event
room.on("moved", () => {});
const anyone = stream.place("builds/7", { enter: false });
void [room.self?.data.name, room.users[0].members[0].data.name, anyone.users[0].data.anything];

const live = createFacade<Build>({ prefix: "builds/" });
live.on("completion", ({ data }) => void data.files);
live.connect(
  7,
  (message) => void (message.topic !== undefined && message.type === "log" && message.data.level),
);
// @ts-expect-error: no such event
live.on("progress", () => {});

// @ts-expect-error: options, not a topic
connect("builds/7");
// @ts-expect-error: no such transport
connect({ transports: ["carrier-pigeon"] });
// @ts-expect-error: a topic is text
connect({ topics: 7 });

void loops;
