/** A form that publishes one event. What was typed stays, whatever becomes of it. */

import { TwinwireError } from "../../client/errors.js";
import { inWords, send, statusOf } from "../shared/api.js";
import { byId, h, setData } from "../shared/dom.js";
import { fieldOf, markField } from "../shared/fields.js";
import { jsonFault } from "../shared/json.js";
import { NOTHING, hashOf } from "./start.js";

/** @import { JsonFault } from "../shared/json.js" */

/** @typedef {{ topic: string, type: string, data: string, key: string }} Typed `data` is JSON */

const NAMES = /** @type {const} */ (["topic", "type", "data", "key"]);
/** @param {string} name */
const idOf = (name) => `publish-${name}`;

/** @param {JsonFault} fault */
const faultWords = ({ line, column, words }) => `Line ${line}, column ${column}: ${words}.`;

/** Nobody answered, or what stands before the service did: it may be published, or not. */
const UNANSWERED = [0, 502, 504];

/** A key that nobody else draws. */
const drawKey = () => `page-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;

/** The draft as JSON: its data as it was typed, so that numbers keep their digits. @param {Typed} typed */
const draftOf = ({ topic, type, data, key }) =>
  `${JSON.stringify({ topic, type, key }).slice(0, -1)},"data":${data}}`;

/** @returns {Typed} */
function read() {
  const [topic, type, data, key] = NAMES.map(
    (name) => /** @type {HTMLInputElement} */ (byId(idOf(name))).value,
  );
  return { topic: topic.trim(), type: type.trim(), data, key: key.trim() };
}

/** @param {Node[]} words */
function note(words, isError = false) {
  const place = byId("publish-note");
  place.replaceChildren(...words);
  setData(place, "kind", isError ? "error" : "");
}

/** @param {string} text */
const say = (text, isError = false) => note([h("span", { text })], isError);

/** Say where the data is no JSON. Empty is not told while it is typed. @param {boolean} isAsked */
function check(isAsked) {
  const { value } = byId("publish-data", HTMLTextAreaElement);
  const fault = value.trim() === "" && !isAsked ? null : jsonFault(value);
  markField("publish-data", fault && faultWords(fault));
  return fault;
}

/** @param {unknown} error */
function fail(error) {
  const field = fieldOf(error);
  const isOurs = NAMES.some((name) => name === field);
  const words = inWords(error, "Publishing");
  if (UNANSWERED.includes(statusOf(error))) {
    say(`${words} It may be published all the same: the same once more is not published twice.`, true);
  } else if (error instanceof TwinwireError && isOurs) {
    say("");
    markField(idOf(field), error.status === 422 ? error.message : words);
    byId(idOf(field)).focus();
  } else say(words, true);
}

/** Where the data stops being JSON is where one goes on. @param {JsonFault} fault */
function goTo({ at }) {
  const data = byId("publish-data", HTMLTextAreaElement);
  say("");
  data.focus();
  data.setSelectionRange(at, at + 1);
}

/** Make the form work. */
export function preparePublish() {
  const button = byId("publish-button", HTMLButtonElement);
  let isBusy = false;
  /** What was sent without an answer: it may be published. Sent again with its key, it is not published twice. */
  let doubtful = { draft: "", key: "" };

  async function publish() {
    for (const name of NAMES) markField(idOf(name), null);
    const fault = check(true);
    if (fault !== null) {
      goTo(fault);
      return;
    }
    const typed = read();
    const draft = draftOf(typed);
    const key = typed.key || (doubtful.draft === draft ? doubtful.key : drawKey());
    doubtful = { draft, key };
    say("Publishing…");
    try {
      const { status, body } = await send("POST", "api/events", draftOf({ ...typed, key }));
      doubtful = { draft: "", key: "" };
      const href = hashOf({ ...NOTHING, topics: [typed.topic], from: "event", value: body.id });
      const isNew = status === 201 || !typed.key;
      note([
        h("span", {
          text: isNew ? "Published as " : "This key was used before, and nothing is published anew. It is ",
        }),
        h("code", { text: body.id }),
        h("a", { href, text: "Show it in the tail" }),
      ]);
    } catch (error) {
      if (!UNANSWERED.includes(statusOf(error))) doubtful = { draft: "", key: "" };
      fail(error);
    }
  }

  for (const name of NAMES) {
    byId(idOf(name)).addEventListener("input", () => {
      if (name === "data") check(false);
      else markField(idOf(name), null);
    });
  }
  byId("publish-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled || isBusy) return;
    isBusy = true; // and not disabled, which would take the focus away
    button.setAttribute("aria-disabled", "true");
    await publish();
    button.removeAttribute("aria-disabled");
    isBusy = false;
  });
}
