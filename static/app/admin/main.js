/** The operator's page: figures, connections, events, topics, places, a live tail, a form to publish, revocations. Each panel stands on its own. */

import { createNotice, createToasts } from "../shared/announce.js";
import { byId } from "../shared/dom.js";
import { createWho, loginUrl } from "../shared/who.js";
import { watchConnections } from "./connections.js";
import { watchFigures } from "./figures.js";
import { watchPlaces } from "./places.js";
import { preparePublish } from "./publish.js";
import { watchRevocations } from "./revocations.js";
import { prepareTail } from "./tail.js";
import { prepareTimeline } from "./timeline.js";
import { watchTopics } from "./topics.js";
import { prepareTrace } from "./trace.js";

/** @import { Figures, Policy } from "./figures.js" */

/** Buttons that take an operator's right, and what each is for. */
const LIMITED = {
  "events-button": "To look up what became of an event takes an operator's token.",
  "trim-button": "To trim the log takes an operator's token.",
  "revoke-button": "To revoke tokens takes an operator's token.",
};

const toast = createToasts();
const notice = createNotice(byId("notice"));
/** @type {(() => unknown)[]} */
const panels = [];
const who = createWho(toast, () => {
  judge();
  tail?.again();
});
/** @type {ReturnType<typeof prepareTail> | null} */
let tail = null;
/** @type {{ policies: Policy[] | null, streams: number | null, head: string | null }} */
const known = { policies: null, streams: null, head: null };

/** Say what one may, and ask for everything anew. */
async function judge() {
  const { admin, keys, subject, expires } = await who.session();
  const isNobody = subject === null && expires === null;
  if (!keys || admin) notice(null);
  else if (isNobody)
    notice("This page is for operators, and you are not signed in.", "error", {
      label: "Sign in",
      run: () => location.assign(loginUrl()),
    });
  else
    notice(
      "This page is for operators: your token has no right to it. Some of it may be shown all the same.",
    );
  for (const load of panels) load();
}

for (const [id, reason] of Object.entries(LIMITED)) {
  who.limit({ button: byId(id, HTMLButtonElement), op: "admin", topic: id, reason });
}
who.limit({
  button: byId("publish-button", HTMLButtonElement),
  op: "publish",
  topic: null,
  reason: "To publish takes a token that may publish on something.",
});
prepareTimeline(prepareTrace(() => known.head));
panels.push(
  watchFigures((/** @type {Figures} */ figures) => {
    known.policies = figures.retention;
    known.streams = figures.streams;
    known.head = figures.head;
  }),
  watchConnections(toast, () => known.streams),
  watchTopics(() => known.policies),
  watchPlaces(toast),
  watchRevocations(toast),
);
judge();
preparePublish();
// An address that asks for the tail is followed once it is known whether one may.
const reason = "To listen takes a token that may subscribe to something.";
await who.limit({ button: byId("tail-start", HTMLButtonElement), op: "subscribe", topic: null, reason });
tail = prepareTail(toast);
