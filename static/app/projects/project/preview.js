/**
 * The finished application, in a frame: a button while there is one to open, and a panel while it is open.
 *
 * The frame is another origin's, which the service keeps for this application alone, so it may keep what is its own
 * (`allow-same-origin`) and reach nothing of this page. It can't lead this page away, open windows or save files.
 */

import { inWords, statusOf } from "../../shared/api.js";
import { byId, h, setText, show } from "../../shared/dom.js";
import { projects } from "../api.js";
import { isActive } from "./runs-model.js";

/** @import { Page } from "../../shared/page.js" */
/** @import { AppView, Run } from "../types.js" */
/** @import { ProjectModel } from "./model.js" */

/** Milliseconds between two looks while it starts, and while it is shown; a look also keeps it running. */
const STARTING = 400;
const SHOWN = 4_000;
/** Until it is asked again whether there is an application, where the service could not say. */
const ASK_AGAIN = 10_000;
const SANDBOX = "allow-scripts allow-forms allow-same-origin";

/** What is said of an end that nobody has asked for here. */
const STOPPED = "It was stopped: nobody looked at it for a while, or the service was started anew.";

/**
 * `render(generation)` is to be called after each change of the project's newest; `button` is there to be pressed while
 * there is something to open, else null, and `changed()` is called when that is not as it was.
 *
 * @param {ProjectModel} model
 * @param {Page} page
 * @param {() => void} changed
 * @returns {{ render(generation: Run | null): void, readonly button: HTMLElement | null }}
 */
export const createPreview = (model, page, changed) => new Preview(model, page, changed);

class Preview {
  #model;
  #page;
  #changed;
  /** The newest. @type {Run | null} */
  #generation = null;
  #canOpen = false;
  #isRefused = false; // to who one was when it was asked
  #button = h("button", {
    class: "button",
    id: "open-app",
    type: "button",
    text: "Open the app",
    hidden: true,
  });
  #why = h("p", { class: "field__hint reason", id: "open-app-why", hidden: true });
  #panel;
  #state = h("p", { class: "app__state", role: "status" });
  #tail = h("pre", {
    class: "app__tail",
    tabindex: "0",
    role: "region",
    "aria-label": "The end of its output",
  });
  #again = h("button", { class: "button button--small", type: "button", text: "Start it again" });
  #frame = h("iframe", {
    class: "app__frame",
    sandbox: SANDBOX,
    referrerpolicy: "no-referrer",
    hidden: true,
  });
  /** Counts openings and closings: what an earlier one still waits for is no more of interest. */
  #turn = 0;
  #isOpen = false;
  /** The run that the frame shows. @type {string | null} */
  #run = null;
  /** Of the model, when it was last asked whether there is something to open. */
  #asked = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {ProjectModel} model
   * @param {Page} page
   * @param {() => void} changed
   */
  constructor(model, page, changed) {
    this.#model = model;
    this.#page = page;
    this.#changed = changed;
    const tab = h("button", { class: "button button--small", type: "button", text: "Open in a tab" });
    const close = h("button", { class: "button button--small", type: "button", text: "Close the app" });
    this.#panel = h(
      "section",
      { class: "panel app", id: "app-panel", "aria-labelledby": "app-title", hidden: true },
      h(
        "div",
        { class: "panel__head" },
        h("h2", { id: "app-title", text: "The app" }),
        this.#state,
        h("div", { class: "actions" }, this.#again, tab, close),
      ),
      this.#tail,
      this.#frame,
    );
    const actions = byId("generate").closest(".actions");
    actions?.prepend(this.#button);
    actions?.after(this.#why);
    document.querySelector(".work")?.before(this.#panel);
    this.#button.addEventListener("click", () => this.#open());
    this.#again.addEventListener("click", () => this.#start());
    tab.addEventListener("click", () => this.#openTab());
    close.addEventListener("click", () => this.#close());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#isOpen) this.#look();
    });
    void page.who.each(() => this.#isRefused && this.#askAnew());
  }

  get button() {
    return this.#canOpen ? this.#button : null;
  }

  /** Ask whether there is an application, once for each end of a run. @param {Run | null} generation */
  render(generation) {
    this.#generation = generation;
    this.#frame.title = `The application of ${this.#model.name}`;
    const asked = `${generation?.id} ${generation?.status}`;
    if (generation === null || isActive(generation) || asked === this.#asked) return;
    this.#asked = asked;
    void this.#ask();
  }

  #askAnew() {
    this.#asked = "";
    this.render(this.#generation);
  }

  async #ask() {
    /** @type {AppView} */
    let view;
    this.#isRefused = false;
    try {
      view = await projects.app(this.#model.id);
    } catch (error) {
      if (statusOf(error) !== 401 && statusOf(error) !== 403) {
        setTimeout(() => this.#askAnew(), ASK_AGAIN);
        return;
      }
      this.#isRefused = true;
      const right = `projects/${this.#model.id}`;
      this.#offer("off", `You may not run this application: that takes a right to “${right}”`);
      return;
    }
    this.#offer(view.state, view.message);
  }

  /**
   * @param {AppView["state"]} state
   * @param {string} message
   */
  #offer(state, message) {
    this.#canOpen = state !== "off" && state !== "none";
    show(this.#button, state !== "none");
    this.#button.disabled = !this.#canOpen;
    this.#changed();
    show(this.#why, state === "off");
    if (state === "off") this.#button.setAttribute("aria-describedby", this.#why.id);
    else this.#button.removeAttribute("aria-describedby");
    setText(this.#why, state === "off" ? `The app can't be opened: ${message}.` : "");
  }

  #open() {
    this.#isOpen = true;
    show(this.#panel, true);
    this.#panel.scrollIntoView({ block: "nearest" });
    void this.#start();
  }

  #close() {
    this.#isOpen = false;
    this.#turn += 1;
    clearTimeout(this.#timer);
    show(this.#panel, false);
    this.#blank();
    this.#button.focus(); // others may look at it: it is stopped once nobody does
  }

  /** Nothing of it is shown. */
  #blank() {
    this.#run = null;
    show(this.#frame, false);
    this.#frame.removeAttribute("src");
  }

  async #start() {
    this.#turn += 1;
    const turn = this.#turn;
    this.#blank();
    this.#tell("Starting the application…");
    try {
      const view = await projects.openApp(this.#model.id);
      await this.#follow(view, view.url, turn);
    } catch (error) {
      if (turn === this.#turn) this.#tell(inWords(error, "Opening the application"), "", true);
    }
  }

  async #openTab() {
    const tab = window.open("about:blank", "_blank");
    if (tab === null) {
      this.#page.toast("The browser has opened no tab for it.", "error");
      return;
    }
    tab.opener = null;
    try {
      tab.location.href = (await projects.openApp(this.#model.id)).url;
    } catch (error) {
      tab.close();
      this.#page.toast.failed(error, "Opening the application");
    }
  }

  async #look() {
    clearTimeout(this.#timer);
    if (!this.#isOpen) return;
    const turn = this.#turn;
    try {
      const view = await projects.app(this.#model.id);
      await this.#follow(view, view.url, turn);
    } catch {
      this.#lookIn(SHOWN); // the page tells by itself that the server is away
    }
  }

  /** @param {number} delay */
  #lookIn(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!document.hidden) void this.#look();
    }, delay);
  }

  /**
   * Show what it does; `entry` is where a frame enters, once it runs.
   *
   * @param {AppView} view
   * @param {string | null} entry
   * @param {number} turn
   */
  async #follow(view, entry, turn) {
    if (turn !== this.#turn) return;
    if (view.state === "starting") {
      this.#blank();
      this.#tell("Starting the application…");
      await new Promise((resolve) => setTimeout(resolve, STARTING));
      await this.#follow(await projects.app(this.#model.id), entry, turn);
    } else if (view.state === "running" && entry !== null) {
      if (this.#run !== view.run) this.#enter(view.run, entry);
      this.#tell("Running.");
      this.#lookIn(Math.min(SHOWN, (view.idle * 1_000) / 3));
    } else {
      this.#blank();
      const failed = view.state === "failed" ? `It does not run: ${view.message}.` : "";
      const words = view.state === "off" ? `${view.message}.` : STOPPED;
      this.#tell(failed || words, view.tail, true);
    }
  }

  /**
   * @param {string | null} run
   * @param {string} entry
   */
  #enter(run, entry) {
    this.#run = run;
    show(this.#frame, true);
    this.#frame.src = entry;
    this.#panel.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {string} words
   * @param {string} tail
   * @param {boolean} isOver
   */
  #tell(words, tail = "", isOver = false) {
    setText(this.#state, words);
    setText(this.#tail, tail);
    show(this.#tail, tail !== "");
    show(this.#again, isOver);
  }
}
