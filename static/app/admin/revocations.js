/** What is revoked; a form that revokes, and a button that takes one back. */

import { request } from "../shared/api.js";
import { byId, h, setText, show } from "../shared/dom.js";
import { day, plural } from "../shared/format.js";
import { free } from "../shared/who.js";
import { ROWS, cell, confirmed, createPager, createRows, watch } from "./panel.js";

/** @import { Toast } from "../shared/announce.js" */

/**
 * As `GET /api/auth/revoke` has it (docs/protocol.md, section 9).
 *
 * @typedef {object} Revocation
 * @property {string} [sub]
 * @property {string} [jti]
 * @property {true} [all]
 * @property {string | null} issued_before
 * @property {string} time
 */

/** Milliseconds between two looks. */
const EVERY = 10_000;

/** In words. @param {Pick<Revocation, "sub" | "jti" | "all">} one */
function nameOf({ sub, jti }) {
  if (sub !== undefined) return `All tokens of ${sub}`;
  return jti === undefined ? "All tokens" : `The token ${jti}`;
}

/** What names it, as the service wants it. @param {Pick<Revocation, "sub" | "jti" | "all">} one */
const targetOf = ({ sub, jti }) =>
  sub === undefined ? (jti === undefined ? { all: true } : { jti }) : { sub };

/** @param {(one: Revocation) => void} lift */
const rowOf = (lift) => () => {
  const [what, until, since] = [cell("", "th"), cell(), cell()];
  what.setAttribute("scope", "row");
  const button = h("button", { class: "button button--small", type: "button", text: "Allow again" });
  /** @type {Revocation} */
  let current;
  button.addEventListener("click", () => lift(current));
  return {
    node: h("tr", {}, what, until, since, h("td", { class: "row-actions" }, button)),
    /** @param {Revocation} one */
    update(one) {
      current = one;
      setText(what, nameOf(one));
      setText(until, one.issued_before === null ? "whenever" : day(one.issued_before));
      setText(since, day(one.time));
      button.setAttribute("aria-label", `Allow again: ${nameOf(one)}`);
    },
  };
};

/**
 * Show revocations while somebody looks.
 *
 * @param {Toast} toast
 */
export function watchRevocations(toast) {
  const note = byId("revocations-note");
  /** @param {Revocation} one */
  async function lift(one) {
    const text = `${nameOf(one)} will be let in again, until they expire.`;
    if (!(await confirmed("Allow this again?", text, "Allow again"))) return;
    try {
      await request("DELETE", "api/auth/revoke", { body: targetOf(one) });
      toast(`${nameOf(one)}: allowed again.`, "done");
    } catch (error) {
      toast.failed(error, "Allowing it again");
    }
    await now();
  }
  const draw = createRows(byId("revocations-rows"), nameOf, rowOf(lift));
  const load = async () => {
    const answer = await request("GET", "api/auth/revoke", {
      params: [
        ["limit", ROWS],
        ["after", pager.after],
      ],
    });
    draw(answer.revocations);
    show(byId("revocations-table"), answer.revocations.length > 0);
    pager.draw(answer.more, answer.cursor);
    const shown = answer.revocations.length;
    setText(
      note,
      shown === 0
        ? "Nothing is revoked."
        : `${plural(shown, "revocation")}${answer.more ? ", and there are more" : ""}`,
    );
  };
  const now = watch(load, EVERY, note, "Loading the revocations");
  const pager = createPager(byId("revocations-pager"), "revocations", now);
  prepareForm(toast, now);
  return now;
}

/**
 * @param {Toast} toast
 * @param {() => void} changed
 */
function prepareForm(toast, changed) {
  const kind = byId("revoke-kind", HTMLSelectElement);
  const name = byId("revoke-name", HTMLInputElement);
  const button = byId("revoke-button", HTMLButtonElement);
  const drawKind = () => {
    show(byId("revoke-name-field"), kind.value !== "all");
    name.required = kind.value !== "all";
  };
  kind.addEventListener("change", drawKind);
  drawKind();
  byId("revoke-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const target = kind.value === "all" ? { all: true } : { [kind.value]: name.value.trim() };
    const words = nameOf(/** @type {Revocation} */ (target));
    const text = `${words} will be refused from now on, and their streams end. What they may is not given back by signing in with the same token.`;
    if (button.disabled || !(await confirmed("Revoke?", text, "Revoke"))) return;
    button.disabled = true;
    try {
      const grace = byId("revoke-grace", HTMLInputElement).valueAsNumber || 0;
      const { ended } = await request("POST", "api/auth/revoke", { body: { ...target, grace } });
      toast(`${words}: revoked. ${plural(ended, "stream")} ended.`, "done");
      name.value = "";
    } catch (error) {
      toast.failed(error, "Revoking");
    } finally {
      free(button);
      changed();
    }
  });
}
