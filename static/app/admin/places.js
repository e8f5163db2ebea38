/** Where people are: places in pages with how many there are, the members of one, and a way to send one away. */

import { request, statusOf } from "../shared/api.js";
import { byId, h, setText, show } from "../shared/dom.js";
import { count, day, plain, plural, spelt } from "../shared/format.js";
import { ROWS, cell, confirmed, createPager, createRows, onSearch, watch } from "./panel.js";

/** @import { Toast } from "../shared/announce.js" */

/**
 * As `GET /api/presence` has them (docs/protocol.md, section 11).
 *
 * @typedef {{ user: string | null, member: string, data: unknown, since: string, verified: boolean }} Member
 * @typedef {{ place: string, users: number, members: number, state: Member[] }} Place
 * @typedef {{ places: Place[], more: boolean, next?: string | number }} Answer
 */

/** Milliseconds between two looks. */
const EVERY = 5_000;
/** Of what a member says, characters in a row; all of it is in its title. */
const SAID_MAX = 80;
/** What is no place: the filter that every place fits. */
const ANYWHERE = "**";
/** How ids of members begin that the service has entered: no connection stands behind them. */
const OWN = ":";

/** A path of the service's; each segment of a place is one. @param {string} place @param {string} member */
const pathOf = (place, member) =>
  `api/presence/${[...place.split("/"), member].map(encodeURIComponent).join("/")}`;

/**
 * @param {string} filter
 * @param {string | null} after
 * @returns {Promise<Answer>}
 */
const ask = (filter, after) =>
  request("GET", "api/presence", {
    params: [
      ["place", filter],
      ["limit", ROWS],
      ["after", after],
    ],
  });

/** @param {Member} one */
const nameOf = ({ user }) => (user === null ? "anonymous" : plain(user));

/** @param {Member} one */
const keyOf = ({ user, member }) => JSON.stringify([user, member]);

/** @param {(place: string) => void} open */
const placeRow = (open) => () => {
  const cells = { place: cell("mono", "th"), users: cell("num"), members: cell("num") };
  cells.place.setAttribute("scope", "row");
  const button = h("button", { class: "button button--small", type: "button", text: "Members" });
  let current = "";
  button.addEventListener("click", () => open(current));
  return {
    node: h("tr", {}, ...Object.values(cells), h("td", { class: "row-actions" }, button)),
    /** @param {Place} one */
    update({ place, users, members }) {
      current = place;
      setText(cells.place, place);
      setText(cells.users, count(users));
      setText(cells.members, count(members));
      button.setAttribute("aria-label", `Members of ${place}`);
    },
  };
};

/** @param {(one: Member) => void} end */
const memberRow = (end) => () => {
  const cells = { user: cell("", "th"), member: cell("mono clip"), data: cell("mono clip"), since: cell() };
  cells.user.setAttribute("scope", "row");
  const button = h("button", { class: "button button--small", type: "button", text: "Disconnect" });
  /** @type {Member} */
  let current;
  button.addEventListener("click", () => end(current));
  return {
    node: h("tr", {}, ...Object.values(cells), h("td", { class: "row-actions" }, button)),
    /** @param {Member} one */
    update(one) {
      current = one;
      const data = spelt(JSON.stringify(one.data));
      setText(cells.user, nameOf(one));
      setText(cells.member, one.member);
      setText(cells.data, data.length > SAID_MAX ? `${data.slice(0, SAID_MAX)}…` : data);
      cells.data.title = data;
      setText(cells.since, day(one.since));
      show(button, !one.member.startsWith(OWN));
      button.setAttribute("aria-label", `Disconnect: ${nameOf(one)}, ${one.member}`);
    },
  };
};

/**
 * The members of the place that somebody has chosen.
 *
 * @param {Toast} toast
 * @param {() => unknown} changed somebody was sent away
 */
function watchMembers(toast, changed) {
  const panel = byId("members");
  const note = byId("members-note");
  let place = "";

  /** @param {Member} one */
  async function end(one) {
    const [who, where] = [nameOf(one), place];
    const text =
      `${who} leaves ${where}, and the connection ends, if there is one: it is told to come back, and will miss nothing. ` +
      "Who must not come back has to be revoked.";
    if (!(await confirmed("Disconnect this member?", text, "Disconnect"))) return;
    try {
      await request("DELETE", pathOf(where, one.member), { params: [["disconnect", 1]] });
      toast(`${who} was sent away from ${where}.`, "done");
    } catch (error) {
      if (statusOf(error) === 404) toast(`${who} had left already.`);
      else toast.failed(error, "Disconnecting");
    }
    await Promise.all([now(), changed()]);
  }

  const draw = createRows(byId("members-rows"), keyOf, memberRow(end));
  const load = async () => {
    const wanted = place;
    if (wanted === "") return;
    const answer = await ask(wanted, pager.after);
    if (wanted !== place) return; // another one was chosen meanwhile
    const found = answer.places[0] ?? { users: 0, members: 0, state: [] };
    draw(found.state);
    show(byId("members-table"), found.state.length > 0);
    pager.draw(answer.more, String(answer.next ?? ""));
    const all = `${plural(found.users, "user")}, ${plural(found.members, "member")}`;
    setText(note, found.members === 0 ? "Nobody is here any more." : all);
  };
  const now = watch(load, EVERY, note, "Loading the members");
  const pager = createPager(byId("members-pager"), "members", now);
  byId("members-close").addEventListener("click", () => {
    place = "";
    show(panel, false);
    byId("place-filter").focus();
    byId("places-title").scrollIntoView({ block: "nearest" });
  });
  return {
    /** @param {string} wanted */
    open(wanted) {
      place = wanted;
      pager.reset();
      draw([]);
      show(byId("members-table"), false);
      setText(byId("members-title"), `Members of ${wanted}`);
      setText(note, "Loading…");
      show(panel, true);
      panel.focus();
      panel.scrollIntoView({ block: "nearest" });
      now();
    },
  };
}

/**
 * Show places while somebody looks.
 *
 * @param {Toast} toast
 */
export function watchPlaces(toast) {
  const form = byId("places-filter", HTMLFormElement);
  const field = byId("place-filter", HTMLInputElement);
  const note = byId("places-note");
  let wanted = "";
  const members = watchMembers(toast, () => now());
  const draw = createRows(byId("places-rows"), ({ place }) => place, placeRow(members.open));
  const load = async () => {
    const { places, more, next = "" } = await ask(wanted || ANYWHERE, pager.after);
    draw(places);
    show(byId("places-table"), places.length > 0);
    pager.draw(more, String(next));
    const nobody = wanted === "" ? "Nobody is anywhere." : "None of these.";
    const words = `${plural(places.length, "place")}${more ? ", and there are more" : ""}`;
    setText(note, places.length === 0 ? nobody : words);
  };
  const now = watch(load, EVERY, note, "Loading the places");
  const pager = createPager(byId("places-pager"), "places", now);
  const search = () => {
    wanted = field.value.trim();
    pager.reset();
    now();
  };
  onSearch(form, search);
  return now;
}
