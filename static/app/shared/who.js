/**
 * Who one is, in the head of every page, and what one may do there: what one may not is shown, disabled, with
 * the reason. Where the service has no keys there is nobody to be, and nothing of this is shown.
 */

import { bearerOf } from "../../client/auth.js";
import { request, statusOf, url } from "./api.js";
import { byId, h, setText, show } from "./dom.js";

/** @import { Toast } from "./announce.js" */

/**
 * `GET api/session` (docs/protocol.md, section 9).
 *
 * @typedef {object} Session
 * @property {string | null} subject
 * @property {string | null} expires
 * @property {string[]} subscribe
 * @property {string[]} publish
 * @property {boolean} admin
 * @property {boolean} keys whether anybody can be somebody here
 */

/** @typedef {"subscribe" | "publish"} Op */
/**
 * What a button takes. `topic`: the topic that it is about; null: whether there is any, for a form in which people say
 * which.
 *
 * @typedef {{ button: HTMLButtonElement, op: Op | "admin", topic: string | null, reason: string }} Limit
 */

/** What one may or may not do, with the words for it. @typedef {Omit<Limit, "button">} Judgement */

/** Who one is if the service does not say: nobody is refused by a page, only by the service. @type {Session} */
const ANYBODY = {
  subject: null,
  expires: null,
  subscribe: ["**"],
  publish: ["**"],
  admin: true,
  keys: false,
};

/** How the ids of reasons begin. */
const REASON = "reason-";
/** After a session's end, milliseconds: the service is exact, a clock here need not be. */
const AFTER_END = 1_000;
/** Where the session lives on past its end by this clock, which is fast, milliseconds. */
const ASK_AGAIN = 30_000;
/** What a timer can wait, milliseconds: more would be none at all. */
const TIMER_MAX = 2_147_483_647;

/** What the service says of a session's rights, by what was asked. @type {WeakMap<Session, Map<string, Promise<boolean>>>} */
const rights = new WeakMap();

/** Between the tabs of this service: one of them has signed in or out. */
const openNews = () => new BroadcastChannel(`twinwire-session:${url("")}`);

/** Tell the other tabs that the session is another one. */
export function tellTabs() {
  const news = openNews();
  news.postMessage(null);
  news.close();
}

/** A button that was busy may be pressed again, unless one has no right to it. @param {HTMLButtonElement} button */
export function free(button) {
  button.disabled = button.getAttribute("aria-describedby")?.startsWith(REASON) ?? false;
}

/**
 * A button that takes the right that another one takes: it is disabled with it, for the same reason.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLButtonElement} other
 */
export function likewise(button, other) {
  const reason = other.getAttribute("aria-describedby") ?? "";
  if (reason.startsWith(REASON)) button.setAttribute("aria-describedby", reason);
  else button.removeAttribute("aria-describedby");
  free(button);
}

/** Where to sign in, and to come back from. */
export function loginUrl() {
  const base = url("");
  const here = location.pathname.slice(base.pathname.length) + location.search + location.hash;
  return String(url("login", [["next", here === "" ? null : here]]));
}

/** What the service says; a session that is over is let go of, since its cookie is refused everywhere. */
export async function loadSession() {
  try {
    return /** @type {Session} */ (await request("GET", "api/session"));
  } catch (error) {
    if (statusOf(error) !== 401) throw error;
    await endSession();
    return /** @type {Session} */ (await request("GET", "api/session"));
  }
}

export const endSession = () => request("DELETE", "api/session");

/** @typedef {ReturnType<typeof createWho>} Who */

/**
 * Put who one is into the head; `changed()` is called when one is somebody else, or nobody.
 *
 * @param {Toast} toast
 * @param {() => void} changed
 */
export function createWho(toast, changed) {
  const place = h("div", { class: "who", hidden: true });
  byId("indicator").before(place);
  /** Asked now, and whenever one is somebody else. @type {((session: Session) => Promise<void>)[]} */
  const judges = [];
  let session = ANYBODY;
  let isKnown = false;
  let asked = 0;
  /** @type {number | undefined} */
  let end;
  let ready = load();

  /** @returns {Promise<Session>} */
  async function load() {
    asked += 1;
    const turn = asked;
    let found;
    try {
      found = await loadSession();
    } catch {
      return session; // the page says by itself that the server is away, and every request is asked again there
    }
    if (turn !== asked) return ready; // it was asked again meanwhile: that answer is the newer one
    const isOther = isKnown && bearerOf(found) !== bearerOf(session);
    session = found;
    isKnown = true;
    draw(place, session, toast);
    clearTimeout(end);
    end = atEnd(session, () => (ready = load()));
    if (isOther) changed();
    for (const one of judges) await one(session);
    return session;
  }

  /** @param {(session: Session) => Promise<void>} one */
  const add = async (one) => {
    judges.push(one);
    await one(await ready);
  };

  openNews().addEventListener("message", () => (ready = load()));
  // Whoever changed the session without these pages, as an application's own login does, is seen on the way back.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ready = load();
  });

  return {
    /** Who one is, as far as the service has said. */
    session: () => ready,
    /** Ask again: rights may have changed. */
    refresh: () => (ready = load()),
    /**
     * Those of `wanted` that may be read; where there are none, what of them is granted.
     *
     * @param {string[]} wanted
     * @param {string} below the first segment of what is granted
     */
    async readable(wanted, below) {
      const { admin, keys, subscribe } = await ready;
      if (!keys || admin) return wanted;
      const { missing } = await check(wanted);
      const granted = subscribe.filter((one) => one === below || one.startsWith(`${below}/`));
      return missing.length === 0
        ? wanted
        : [...wanted.filter((one) => !missing.includes(one)), ...granted].filter(isFirst);
    },
    /** Call `tell` now, and whenever one may be somebody else. @param {() => void} tell */
    each: (tell) => add(async () => tell()),
    /** Disable what one may not do, and say why. @param {Limit} limit */
    limit: (limit) => add((found) => judge(limit, found)),
    /**
     * Call `tell` with the reason why one may not do something, or with null.
     *
     * @param {Judgement} judgement
     * @param {(reason: string | null) => void} tell
     */
    judged: (judgement, tell) => add(async (found) => tell(await why(judgement, found))),
  };
}

/**
 * A stream may go on as anonymous after the end, and the head must not say that one is still somebody.
 *
 * @param {Session} session
 * @param {() => void} ask
 */
function atEnd({ expires }, ask) {
  if (expires === null) return undefined;
  const left = Date.parse(expires) - Date.now();
  return setTimeout(ask, left > 0 ? Math.min(left + AFTER_END, TIMER_MAX) : ASK_AGAIN);
}

/** @type {(one: string, index: number, all: string[]) => boolean} */
const isFirst = (one, index, all) => all.indexOf(one) === index;

/**
 * @param {HTMLElement} place
 * @param {Session} session
 * @param {Toast} toast
 */
function draw(place, session, toast) {
  show(place, session.keys);
  if (!session.keys) return;
  if (bearerOf(session) === null) {
    place.replaceChildren(
      h("span", { class: "who__name muted", text: "Not signed in" }),
      h("a", { class: "button button--small", href: loginUrl(), text: "Sign in" }),
    );
    return;
  }
  const out = h("button", { class: "button button--small", type: "button", text: "Sign out" });
  out.addEventListener("click", async () => {
    try {
      await endSession();
      tellTabs();
      location.reload();
    } catch (error) {
      toast.failed(error, "Signing out");
    }
  });
  const name = session.subject ?? "A nameless token";
  place.replaceChildren(h("span", { class: "who__name", title: `Signed in as ${name}`, text: name }), out);
}

/**
 * @param {Limit} limit
 * @param {Session} session
 */
async function judge({ button, op, topic, reason }, session) {
  const words = await why({ op, topic, reason }, session);
  const id = `${REASON}${op}-${topic ?? "any"}`; // one for all buttons that it is about
  const told = document.getElementById(id);
  if (words === null) {
    if (button.getAttribute("aria-describedby") !== id) return;
    told?.remove();
    button.disabled = false;
    button.removeAttribute("title");
    button.removeAttribute("aria-describedby");
    return;
  }
  button.disabled = true;
  button.title = words;
  button.setAttribute("aria-describedby", id);
  if (told !== null) setText(told, words);
  else (button.closest(".actions") ?? button).after(h("p", { class: "field__hint reason", id, text: words }));
}

/**
 * Null if one may.
 *
 * @param {Judgement} judgement
 * @param {Session} session
 */
async function why({ op, topic, reason }, session) {
  const allowed = session.keys && !session.admin ? op !== "admin" && (await may(op, topic, session)) : true;
  if (allowed) return null;
  return bearerOf(session) === null ? `${reason} You are not signed in.` : reason;
}

/**
 * Several parts of a page ask the same: the service is asked once in a session.
 *
 * @param {Op} op
 * @param {string | null} topic
 * @param {Session} session
 * @returns {Promise<boolean>}
 */
async function may(op, topic, session) {
  if (topic === null) return session[op].length > 0;
  let answers = rights.get(session);
  if (answers === undefined) rights.set(session, (answers = new Map()));
  const key = `${op} ${topic}`;
  let answer = answers.get(key);
  if (answer === undefined) answers.set(key, (answer = check([topic], op).then(({ allowed }) => allowed)));
  try {
    return await answer;
  } catch {
    if (answers.get(key) === answer) answers.delete(key); // it is asked again
    return true; // not known: the service has the last word
  }
}

/**
 * @param {string[]} topics
 * @param {Op} op
 * @returns {Promise<{ allowed: boolean, missing: string[] }>} `missing`: those that one may not
 */
const check = (topics, op = "subscribe") => request("POST", "api/auth/check", { body: { topics, op } });
