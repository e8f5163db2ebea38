/**
 * Who is here, as it is drawn and said: from the members at a project's place to people, agents and commands. No DOM here.
 *
 * What others say of themselves is not believed further than it goes. A name is the token's (`user`), and one that somebody
 * gives himself without a token is marked as such; whoever is shown as an agent or as a command was entered by the service,
 * which alone can give a member an id with a colon.
 */

import { count, plain, plural } from "../../shared/format.js";
import { agentTitle } from "./model.js";

/**
 * A member of a place (docs/protocol.md, section 11).
 *
 * @typedef {object} Member
 * @property {string | null} user
 * @property {string} member
 * @property {unknown} data
 * @property {unknown} [info] what the token says of its bearer
 * @property {string} since RFC 3339
 */

/** Members of one user, or one member without a user; `data` are of this page's own member if `self`. @typedef {{ user: string | null, self: boolean, data: unknown, members: readonly Member[] }} Group */

/** What somebody looks at: a line of a file, or the log of a run, perhaps what a search finds in it. `run` is 0 for none. @typedef {{ run: number, file: string, line: number } | { run: number, log: string }} View */

/**
 * One that is drawn. `colour` is one of `COLOURS`, `sentence` is all that there is to say, `view` what he looks at.
 *
 * @typedef {object} Person
 * @property {string} key
 * @property {string | null} user as the service knows him
 * @property {"person" | "command" | "agent"} kind
 * @property {string} name
 * @property {string} initials empty for what is no person
 * @property {number} colour
 * @property {boolean} isSelf
 * @property {boolean} isAway
 * @property {boolean} isKnown whether a token says who it is
 * @property {string} sentence
 * @property {View | null} view
 * @property {string[]} members
 */

/** Colours that people are told apart by (here.css). */
export const COLOURS = 8;
/** Of a name, of a search and of what a command says of itself, characters; of a path in the data, encoded bytes: 1 KiB is the bound of it all. */
const NAME_MAX = 40;
const SEARCH_MAX = 60;
const PATH_MAX = 400;
/** Code units of what people see as one character, on average. */
const CLUSTER_MAX = 8;
/** Lines and numbers of runs beyond this are nobody's. */
const NUMBER_MAX = 999_999_999;
/** Names in an announcement; more are a number. */
const NAMED_MAX = 3;

const NOBODY = "Somebody";
/** @type {Person["kind"][]} */
const ORDER = ["person", "command", "agent"];

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const encoder = new TextEncoder();

/** What people see as characters; hundreds of names are drawn anew with each change. @param {string} text */
const split = (text) =>
  /^[ -~]*$/.test(text) ? [...text] : Array.from(graphemes.segment(text), ({ segment }) => segment);

/**
 * In one line, with nothing that turns what is around it, and no longer than this.
 *
 * @param {unknown} text
 * @param {number} most characters
 */
function clip(text, most) {
  if (typeof text !== "string") return "";
  // Far more than is shown is not even looked at: a cluster has no bound of its own.
  const looked = text.slice(0, CLUSTER_MAX * most);
  const line = plain(looked)
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim();
  const all = split(line);
  const isWhole = all.length <= most && looked.length === text.length;
  return isWhole ? line : `${all.slice(0, most - 1).join("")}…`;
}

/** @param {unknown} value @returns {Record<string, unknown>} */
const asObject = (value) =>
  typeof value === "object" && value !== null ? /** @type {Record<string, unknown>} */ (value) : {};

/** A number from 1, or 0. @param {unknown} value */
const asNumber = (value) =>
  typeof value === "number" && Number.isInteger(value) && value > 0 && value <= NUMBER_MAX ? value : 0;

/** Letters for a small disc: of two words the first of each, of one the first two. @param {string} name */
export function initialsOf(name) {
  const words = name.replace(/@.*$/, "").match(/[\p{L}\p{N}]\p{M}*[\p{L}\p{N}\p{M}]*/gu) ?? [];
  const [first, second] = words;
  if (first === undefined) return "?";
  const letters = second === undefined ? split(first).slice(0, 2) : [split(first)[0], split(second)[0]];
  // Two of a wide script do not fit.
  const isWide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u.test(letters[0]);
  return (isWide ? letters[0] : letters.join("")).toLocaleUpperCase();
}

/** The same everywhere and at any time (FNV-1a). @param {string} key */
export function colourOf(key) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % COLOURS;
}

/** What a member's data say that he looks at; null: nothing that can be understood. @param {unknown} data @returns {View | null} */
export function viewOf(data) {
  const view = asObject(asObject(data).view);
  const run = asNumber(view.run);
  if (typeof view.file === "string" && view.file !== "")
    return { run, file: view.file, line: asNumber(view.line) };
  return typeof view.log === "string" ? { run, log: view.log } : null;
}

/** Of what one looks at, what may be told: a path is told whole or not at all. @param {View} view @returns {View | null} */
export function told(view) {
  if ("log" in view) return { ...view, log: clip(view.log, SEARCH_MAX) };
  return encoder.encode(JSON.stringify(view.file)).length <= PATH_MAX ? view : null;
}

/** The end of "Ada …", or of "You …". @param {View | null} view @param {boolean} isSelf */
export function doing(view, isSelf = false) {
  if (view === null) return isSelf ? "are here" : "is here";
  const [looks, searches] = isSelf ? ["look", "search"] : ["looks", "searches"];
  if ("file" in view) {
    const line = view.line === 0 ? "" : `, line ${view.line}`;
    return `${looks} at ${clip(view.file, 2 * SEARCH_MAX)}${line}`;
  }
  const log = view.run === 0 ? "the log" : `the log of run ${view.run}`;
  const search = clip(view.log, SEARCH_MAX);
  return search === "" ? `${looks} at ${log}` : `${searches} ${log} for “${search}”`;
}

/** @param {Member} member @returns {Person["kind"]} */
function kindOf({ user, member }) {
  if (user?.startsWith("agent:") && member.startsWith(":stage-")) return "agent";
  return user?.startsWith("run:") && member.startsWith(":run-") ? "command" : "person";
}

/** @param {Member} one */
const isAway = (one) => asObject(one.data).away === true;

/**
 * The member that says most of him: of the tabs that are seen the one that was opened last, and one that says what is
 * looked at before one that does not.
 *
 * @param {readonly Member[]} members
 */
function foremost(members) {
  const rank = (/** @type {Member} */ one) => (isAway(one) ? 0 : 2) + (viewOf(one.data) === null ? 0 : 1);
  return members.reduce((best, one) => {
    const more = rank(one) - rank(best);
    return more > 0 || (more === 0 && one.since > best.since) ? one : best;
  });
}

/** How often he is here. @param {number} tabs */
const times = (tabs) => (tabs === 1 ? "" : tabs === 2 ? " (here twice)" : ` (here ${tabs} times)`);

/** @param {Group} group @returns {Person} */
function personOf({ user, self: isSelf, data, members }) {
  const one = (isSelf && members.find((own) => own.data === data)) || foremost(members);
  const kind = kindOf(one);
  const key = user === null ? `member ${one.member}` : `user ${user}`;
  const ids = members.map(({ member }) => member);
  const base = {
    key,
    user,
    kind,
    colour: colourOf(key),
    members: ids,
    isSelf: false,
    isAway: false,
    isKnown: true,
  };
  if (kind !== "person") return { ...base, initials: "", view: null, ...machine(kind, one) };
  const given = clip(asObject(one.data).name, NAME_MAX);
  const name =
    user === null
      ? given || NOBODY
      : clip(asObject(one.info).name, NAME_MAX) || clip(user, NAME_MAX) || NOBODY;
  const view = viewOf(one.data);
  const away = isAway(one);
  const subject = isSelf ? "You" : user === null && given !== "" ? `${name} (not signed in)` : name;
  const does = away ? (isSelf ? "are away" : "is away") : doing(view, isSelf);
  return {
    ...base,
    isSelf,
    isAway: away,
    isKnown: user !== null,
    name,
    initials: user === null && given === "" ? "?" : initialsOf(name),
    sentence: `${subject} ${does}${times(members.length)}`,
    view: away ? null : view,
  };
}

/**
 * An agent at work, or a command that is reported.
 *
 * @param {"agent" | "command"} kind
 * @param {Member} member
 */
function machine(kind, { user, data }) {
  const says = asObject(data);
  const run = asNumber(says.run);
  const ofRun = run === 0 ? "" : ` run ${run}`;
  if (kind === "command") {
    const title = clip(says.title, SEARCH_MAX);
    const name = run === 0 ? "A command" : `Run ${run}`;
    return { name, sentence: title === "" ? `${name} is under way` : `${name} is under way: ${title}` };
  }
  const name =
    agentTitle(clip(says.agent, NAME_MAX) || clip(user?.slice("agent:".length), NAME_MAX)) || "An agent";
  const stage = asNumber(says.stage) || clip(says.stage, NAME_MAX);
  const at = stage === 0 || stage === "" ? ofRun : ` stage ${stage}${ofRun === "" ? "" : ` of${ofRun}`}`;
  return { name, sentence: at === "" ? `${name} is at work` : `${name} works on${at}` };
}

/**
 * Oneself first, then people, commands and agents, each as long as they are here: nobody changes places because another
 * one does something.
 *
 * @param {readonly Group[]} groups
 */
export function peopleOf(groups) {
  const found = groups
    .filter(({ members }) => members.length > 0)
    .map((group) => {
      const since = group.members.reduce(
        (first, one) => (one.since < first ? one.since : first),
        group.members[0].since,
      );
      return { since, person: personOf(group) };
    });
  const rank = (/** @type {Person} */ one) => (one.isSelf ? -1 : ORDER.indexOf(one.kind));
  found.sort(
    (a, b) =>
      rank(a.person) - rank(b.person) ||
      (a.since < b.since ? -1 : a.since > b.since ? 1 : a.person.key < b.person.key ? -1 : 1),
  );
  return found.map(({ person }) => person);
}

/** "1 person", "3 people". @param {number} n */
const persons = (n) => (n === 1 ? "1 person" : `${plural(n, "person").replace(/persons$/, "people")}`);

/** How many are here, in a few words. @param {readonly Person[]} people */
export function countOf(people) {
  const of = (/** @type {Person["kind"]} */ kind) => people.filter((one) => one.kind === kind).length;
  const [human, commands, agents] = [of("person"), of("command"), of("agent")];
  const isAlone = human === 1 && people.some(({ isSelf }) => isSelf);
  const rest = [commands && plural(commands, "command"), agents && plural(agents, "agent")].filter(Boolean);
  if (human === 0 && rest.length === 0) return "Nobody is here";
  const first = isAlone ? (rest.length > 0 ? ["You"] : ["Only you"]) : human > 0 ? [persons(human)] : [];
  return `${[...first, ...rest].join(", ")} here`;
}

/** The same where there is little room, or where they are too many for anybody to know who is what. @param {number} all */
export const shortOf = (all) => `${count(all)} here`;

/** @param {string[]} names @returns {string} */
function several(names) {
  if (names.length > NAMED_MAX) return persons(names.length);
  return names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/**
 * What is worth saying aloud: who came and who went, and nothing of what they do. Neither oneself nor those whom nobody
 * knows, nor agents and commands, of which the page tells anyway. Empty for nothing.
 *
 * @param {readonly Person[]} before
 * @param {readonly Person[]} after
 */
export function newsOf(before, after) {
  const known = (/** @type {readonly Person[]} */ all) =>
    new Map(
      all
        .filter((one) => one.kind === "person" && one.isKnown && !one.isSelf)
        .map(({ key, name }) => [key, name]),
    );
  const [old, now] = [known(before), known(after)];
  const came = [...now].filter(([key]) => !old.has(key)).map(([, name]) => name);
  const went = [...old].filter(([key]) => !now.has(key)).map(([, name]) => name);
  const is = came.length === 1 ? "is" : "are";
  const has = went.length === 1 ? "has" : "have";
  return [
    came.length > 0 ? `${several(came)} ${is} here now.` : "",
    went.length > 0 ? `${several(went)} ${has} left.` : "",
  ]
    .filter(Boolean)
    .join(" ");
}
