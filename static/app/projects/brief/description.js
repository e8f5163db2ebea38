/**
 * The answer to a description where a brief is wanted: what is needed instead, and a brief to begin with. Where the
 * service has a language model, it can be asked for a better one. Nothing is taken over until a person says so.
 */

import { inWords } from "../../shared/api.js";
import { byId, setText, show } from "../../shared/dom.js";
import { projects } from "../api.js";
import { EXAMPLE } from "./grammar.js";
import { suggested } from "./prose.js";

const NEEDED =
  "This reads like a description. Twinwire needs entities (what there is) and fields (what is known of each).";

export class Description {
  #ask = byId("brief-ask", HTMLButtonElement);
  #use = byId("brief-use", HTMLButtonElement);
  /** What it is about now. @type {string | null} */
  #text = null;
  #brief = "";
  /** Whether there is a model, once somebody has asked. @type {Promise<boolean> | null} */
  #model = null;

  /** @param {(brief: string) => void} use */
  constructor(use) {
    this.#use.addEventListener("click", () => use(this.#brief));
    this.#ask.addEventListener("click", () => this.#propose());
  }

  /** Whether it has answered. */
  get isThere() {
    return this.#text !== null;
  }

  /** Answer this description; null if there is none. @param {string | null} text */
  async about(text) {
    show(byId("brief-prose"), text !== null);
    if (text === this.#text) return;
    this.#text = text;
    if (text === null) return;
    const brief = suggested(text);
    this.#offer(
      `${NEEDED} ${brief === null ? "For example:" : "From your words, a beginning:"}`,
      brief ?? EXAMPLE,
    );
    this.#model ??= projects.proposes();
    show(this.#ask, await this.#model);
  }

  /** @param {string} words @param {string} brief */
  #offer(words, brief) {
    this.#brief = brief;
    setText(byId("brief-prose-words"), words);
    setText(byId("brief-proposal"), brief);
  }

  async #propose() {
    const text = this.#text;
    if (this.#ask.disabled || text === null) return;
    this.#ask.disabled = true;
    setText(this.#ask, "The model is at work…");
    try {
      const { brief, explanation } = await projects.propose(text);
      if (this.#text !== text) return;
      this.#offer(`The model proposes this brief. ${explanation}`.trim(), brief);
      this.#use.focus();
    } catch (error) {
      if (this.#text === text)
        setText(byId("brief-prose-words"), inWords(error, "Asking the language model"));
    } finally {
      this.#ask.disabled = false;
      setText(this.#ask, "Ask the language model");
    }
  }
}
