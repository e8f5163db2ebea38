/**
 * The id under which a tab is a member wherever it goes: drawn once and kept in sessionStorage, so that a reload is no
 * leave and no join. A tab that is duplicated gets a copy of that storage: of those that live, one has the id, which it
 * holds a Web Lock for, or, where there are none, answers for on a channel; the other draws one of its own.
 */

/** @import { Environment } from "./internal.js" */
/** @import { KeyValueStorage } from "./index.js" */

/** Milliseconds: a page that is loaded again may come before its forerunner has let go of the lock. */
const LOCK_WAIT = 1_000;
/** Milliseconds in which another tab of this name has answered. */
const ANSWER_TIME = 150;

/** By storage, which is the tab's, and by key: the streams of one page are one tab. @type {WeakMap<KeyValueStorage, Map<string, Promise<string>>>} */
const DRAWN = new WeakMap();

/**
 * This tab's id for the service at `base`.
 *
 * @param {Environment} env
 * @param {URL} base
 * @returns {Promise<string>}
 */
export function memberOf(env, base) {
  const { storage } = env;
  const key = `twinwire:member:${base}`;
  if (storage === null) return Promise.resolve(draw(env));
  const drawn = DRAWN.get(storage) ?? new Map();
  DRAWN.set(storage, drawn);
  const known = drawn.get(key) ?? find(env, storage, key);
  drawn.set(key, known);
  return known;
}

/**
 * This tab's id from now on, since `former` is another user's: somebody else is signed in.
 *
 * @param {Environment} env
 * @param {URL} base
 * @param {string} former
 * @returns {Promise<string>}
 */
export async function anotherMember(env, base, former) {
  const { storage } = env;
  if (storage === null) return draw(env);
  const key = `twinwire:member:${base}`;
  const known = memberOf(env, base);
  // Another stream of the page may have been quicker.
  const next = known.then((id) => (id === former ? renew(env, storage, key) : id));
  DRAWN.get(storage)?.set(key, next);
  return next;
}

/** @param {Environment} env */
function draw({ random }) {
  const part = () => Math.floor(random() * 2 ** 48).toString(36);
  return `t-${part()}${part()}`;
}

/**
 * @param {Environment} env
 * @param {KeyValueStorage} storage
 * @param {string} key
 */
async function find(env, storage, key) {
  const kept = guarded(() => storage.getItem(key));
  if (kept && (await holds(env, key, kept, true))) return kept;
  return renew(env, storage, key);
}

/**
 * @param {Environment} env
 * @param {KeyValueStorage} storage
 * @param {string} key
 */
async function renew(env, storage, key) {
  const id = draw(env);
  guarded(() => storage.setItem(key, id));
  await holds(env, key, id, false);
  return id;
}

/**
 * Blocked or full: then it is another one after a reload.
 *
 * @template T
 * @param {() => T} use
 */
function guarded(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/**
 * Holds the id while the page is there; false if another tab does. `isOld`: somebody may.
 *
 * @type {(env: Environment, key: string, id: string, isOld: boolean) => Promise<boolean>}
 */
async function holds(env, key, id, isOld) {
  const hold = env.locks ? lock : answer;
  const first = await hold(env, `${key}:${id}`, isOld);
  if (first === null) return false;
  let release = first;
  // Put aside (bfcache), a page may hold nothing; when it is taken out again, it is as it was.
  env.page?.addEventListener?.("pagehide", () => release());
  env.page?.addEventListener?.("pageshow", async (event) => {
    if (/** @type {PageTransitionEvent} */ (event).persisted)
      release = (await hold(env, `${key}:${id}`, false)) ?? release;
  });
  return true;
}

/**
 * The way to let go of it; null if another tab has it. Where locks do not work nobody knows.
 *
 * @param {Environment} env
 * @param {string} name
 * @returns {Promise<(() => void) | null>}
 */
function lock(env, name) {
  const abort = new AbortController();
  return new Promise((resolve) => {
    const timer = env.setTimeout(() => {
      abort.abort();
      resolve(null);
    }, LOCK_WAIT);
    /** @returns {Promise<void>} */
    const held = () =>
      new Promise((free) => {
        env.clearTimeout(timer);
        resolve(() => free());
      });
    const failed = () => {
      env.clearTimeout(timer);
      resolve(abort.signal.aborted ? null : () => {});
    };
    try {
      env.locks?.request(name, { signal: abort.signal }, held).catch(failed);
    } catch {
      failed();
    }
  });
}

/**
 * As `lock`, without locks.
 *
 * @param {Environment} env
 * @param {string} name
 * @param {boolean} isOld
 * @returns {Promise<(() => void) | null>}
 */
async function answer({ BroadcastChannel, setTimeout }, name, isOld) {
  const channel = BroadcastChannel === null ? null : guarded(() => new BroadcastChannel(name));
  if (channel === null) return () => {};
  let isTaken = false;
  let isOurs = !isOld;
  channel.onmessage = ({ data }) => {
    if (data === "taken") isTaken = true;
    else if (isOurs) guarded(() => channel.postMessage("taken"));
  };
  if (isOld) {
    guarded(() => channel.postMessage("whose"));
    await new Promise((resolve) => setTimeout(() => resolve(null), ANSWER_TIME));
  }
  if (isOld && isTaken) {
    channel.close();
    return null;
  }
  isOurs = true;
  return () => channel.close();
}
