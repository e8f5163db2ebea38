/**
 * Questions that agents and commands ask in the middle of their work: open ones as cards with an answer to give, and
 * below them what became of the others. Whoever may not answer sees them all the same, and why he may not.
 *
 * Nothing takes the focus from where it is: a new question is spoken, politely, and stands at the top of the page.
 */

import { reasonOf } from "../../../client/errors.js";
import { passes, statusOf } from "../../shared/api.js";
import { byId, h, setBar, setText, show } from "../../shared/dom.js";
import { ago, clock, day } from "../../shared/format.js";
import { batched } from "../../shared/frame.js";
import { projects } from "../api.js";
import { notifyIfWished } from "./notify.js";
import { asker, ending, isQuestion, left, QuestionStore, SUBJECT } from "./question-store.js";

/** @import { Stream, WireEvent } from "../../../client/index.js" */
/** @import { Page } from "../../shared/page.js" */
/** @import { Question } from "./question-store.js" */

/** Ended questions that are shown at once; the others unfold. */
const SHOWN = 3;
/** What is said of times is looked at again this often, and what could not be loaded is asked for again, milliseconds. */
const AGE_EVERY = 30_000;
const ASK_AGAIN = 5_000;
/** Seconds from which on a deadline is near. */
const NEAR = 60;
const DAY = 86_400_000;

/**
 * The page's own `page`, on which the stream of the project with this `id` also carries its questions.
 *
 * @param {string} id
 * @param {Page} page
 * @returns {Page}
 */
export function withQuestions(id, page) {
  const view = new QuestionsView(id, page);
  return {
    ...page,
    watch(stream) {
      page.watch(stream);
      view.follow(stream);
    },
  };
}

class QuestionsView {
  #page;
  #id;
  #topic;
  #store = new QuestionStore();
  #isLoading = false;
  #hasFailed = false; // and that is told
  /** Why one may not answer; null: one may. @type {string | null} */
  #reason = null;
  /** Of open questions, by their ids. @type {Map<string, Card>} */
  #cards = new Map();
  /** Those that are spoken of already. @type {Set<string>} */
  #said = new Set();
  #render = batched(() => this.#draw());

  /**
   * @param {string} id
   * @param {Page} page
   */
  constructor(id, page) {
    this.#page = page;
    this.#id = id;
    this.#topic = `projects/${id}`;
    const reason = `You may look, but not answer: that takes the right to publish to “${this.#topic}”.`;
    page.who.judged({ op: "publish", topic: this.#topic, reason }, (words) => {
      this.#reason = words;
      this.#render();
    });
    setInterval(() => [...this.#cards.values()].map((card) => card.tick()), 1_000);
    setInterval(age, AGE_EVERY);
  }

  /** @param {Stream<any>} stream */
  follow(stream) {
    stream.on("*", (message) => {
      if (message.topic === undefined) this.#load();
      else if (message.topic === this.#topic) this.#receive(message);
    });
    stream.on(":state", ({ state }) => {
      if (state === "live" && this.#hasFailed) this.#load();
    });
    this.#load();
  }

  async #load() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    const before = this.#store.ids;
    try {
      this.#store.load(await projects.questions(this.#id), before);
      this.#hasFailed = false;
      this.#said = new Set([...this.#said, ...this.#store.closed.map(({ id }) => id)]);
      for (const question of this.#store.open) this.#announce(question);
      this.#render();
    } catch (error) {
      if (passes(error)) setTimeout(() => this.#hasFailed && this.#load(), ASK_AGAIN);
      if (statusOf(error) !== 404 && !this.#hasFailed)
        this.#page.toast.failed(error, "Loading the questions");
      this.#hasFailed = true;
    } finally {
      this.#isLoading = false;
    }
  }

  /** @param {WireEvent<any>} event */
  #receive({ type, subject, data }) {
    if (type === "removed" && subject?.startsWith(SUBJECT)) {
      if (this.#store.remove(subject.slice(SUBJECT.length))) this.#render();
    } else if ((type === "question" || type === "answer") && isQuestion(data)) {
      this.#take(data);
    }
  }

  /** @param {Question} question */
  #take(question) {
    if (!this.#store.take(question)) return;
    if (question.how === null) this.#announce(question);
    else {
      const { answer, words } = ending(question);
      this.#speak(`${question.question}: ${answer === null ? "" : `“${answer}”, `}${words}.`);
    }
    this.#render();
  }

  /** @param {Question} question */
  #announce(question) {
    if (this.#said.has(question.id)) return;
    this.#said.add(question.id);
    const choices = question.choices === null ? "" : ` Answers: ${question.choices.join(", ")}.`;
    this.#speak(`${asker(question)} asks: ${question.question}${choices}`);
    notifyIfWished(`${asker(question)} asks`, question.question);
  }

  /** A voice of its own: a page that tells of each agent would talk over it. @param {string} words */
  #speak(words) {
    setText(byId("questions-voice"), words);
  }

  #draw() {
    const { open, closed } = this.#store;
    show(byId("questions"), open.length + closed.length > 0);
    this.#drawOpen(open);
    const [shown, older] = [closed.slice(0, SHOWN), closed.slice(SHOWN)];
    byId("questions-ended").replaceChildren(...shown.map(row));
    byId("questions-older-list").replaceChildren(...older.map(row));
    setText(byId("questions-older-label"), `${older.length} older`);
    show(byId("questions-older"), older.length > 0);
  }

  /** Cards stay as they are while theirs is open: somebody may be typing there. @param {Question[]} open */
  #drawOpen(open) {
    const ids = new Set(open.map(({ id }) => id));
    for (const [id, card] of this.#cards) {
      if (ids.has(id)) continue;
      card.leave();
      this.#cards.delete(id);
    }
    for (const question of open) {
      let card = this.#cards.get(question.id);
      if (card === undefined) {
        card = new Card(question, (way) => this.#send(question, way));
        this.#cards.set(question.id, card);
        byId("questions-open").append(card.node);
      }
      card.permit(this.#reason);
    }
  }

  /**
   * Answer, or with null withdraw; whether that counts. What counts instead is shown.
   *
   * @param {Question} question
   * @param {string | null} answer
   */
  async #send(question, answer) {
    try {
      if (answer === null) await projects.withdraw(this.#id, question.id);
      else this.#take(await projects.answer(this.#id, question.id, answer));
      return true;
    } catch (error) {
      const status = statusOf(error);
      if (status === 409) this.#page.toast(`Too late: ${reasonOf(error)}`);
      else if (status !== 404) this.#page.toast.failed(error, answer === null ? "Withdrawing" : "Answering");
      if (status === 409 || status === 404) await this.#load();
      return false;
    }
  }
}

/** An open question: who asks, what, how long yet, and the ways to answer. */
class Card {
  #question;
  #send;
  #isBusy = false;
  #time = h("span", { class: "question__time num" });
  #bar = h("div", { class: "bar", "aria-hidden": "true" });
  #answers;
  #reason = h("p", { class: "question__reason", hidden: true });
  #withdraw = h("button", { class: "button button--quiet button--small", type: "button", text: "Withdraw" });

  /**
   * @param {Question} question
   * @param {(answer: string | null) => Promise<boolean>} send
   */
  constructor(question, send) {
    this.#question = question;
    this.#send = send;
    const title = h("h2", { class: "question__text", id: `question-${question.id}`, dir: "auto" });
    title.textContent = question.question;
    const run = question.run === null ? null : h("span", { class: "muted num", text: `run ${question.run}` });
    this.#answers = question.choices === null ? this.#words() : this.#choices(question.choices);
    this.node = h(
      "article",
      { class: "question", "aria-labelledby": title.id },
      h(
        "p",
        { class: "question__head small" },
        h("span", { class: "question__who" }, h("bdi", { text: asker(question) }), " asks"),
        run,
        this.#time,
      ),
      title,
      this.#answers,
      this.#reason,
      h("p", { class: "question__foot small muted" }, otherwise(question), this.#withdraw),
      this.#bar,
    );
    this.#withdraw.addEventListener("click", () => this.#give(null));
    this.tick();
  }

  /** @param {string[]} choices */
  #choices(choices) {
    const buttons = choices.map((choice) =>
      h("button", {
        class: "button",
        type: "button",
        dir: "auto",
        text: choice,
        on: { click: () => this.#give(choice) },
      }),
    );
    const group = { class: "question__answers", role: "group", "aria-label": "Answers" };
    return h("div", group, ...buttons);
  }

  #words() {
    const input = h("input", {
      class: "input",
      id: `answer-${this.#question.id}`,
      maxlength: "1000",
      autocomplete: "off",
      required: true,
      dir: "auto",
    });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      if (input.value.trim() !== "") this.#give(input.value);
    };
    return h(
      "form",
      { class: "question__answers question__answers--words", on: { submit } },
      h("label", { for: input.id, class: "small", text: "Your answer" }),
      input,
      h("button", { class: "button button--primary", type: "submit", text: "Answer" }),
    );
  }

  /** @param {string | null} answer */
  async #give(answer) {
    if (this.#isBusy) return;
    this.#busy(true);
    await this.#send(answer);
    this.#busy(false);
  }

  /** The focus stays where it is: what is disabled would lose it. @param {boolean} isBusy */
  #busy(isBusy) {
    this.#isBusy = isBusy;
    this.node.setAttribute("aria-busy", String(isBusy));
    for (const one of this.node.querySelectorAll("button")) {
      if (isBusy) one.setAttribute("aria-disabled", "true");
      else one.removeAttribute("aria-disabled");
    }
  }

  /** Whether one may answer here: null, or why not. @param {string | null} reason */
  permit(reason) {
    show(this.#answers, reason === null);
    show(this.#withdraw, reason === null);
    show(this.#reason, reason !== null);
    setText(this.#reason, reason ?? "");
  }

  tick() {
    const { words, fraction } = left(this.#question, Date.now());
    setText(this.#time, words);
    setBar(this.#bar, fraction, "running");
    const isNear = Date.parse(this.#question.deadline) - Date.now() < NEAR * 1000;
    this.node.toggleAttribute("data-near", isNear);
  }

  /** It has ended. Who was on it goes on from what became of it. */
  leave() {
    const hadFocus = this.node.contains(document.activeElement);
    this.node.remove();
    if (hadFocus) byId("questions").focus({ preventScroll: true });
  }
}

/** What happens without an answer. @param {Question} question */
function otherwise(question) {
  const end = new Date(question.deadline);
  const when = end.getTime() - Date.now() > DAY / 2 ? day(end) : clock(end);
  if (question.default === null)
    return h("span", { text: `If nobody answers by ${when}, there is no answer.` });
  const fallback = h("strong", {}, h("bdi", { text: question.default }));
  return h("span", {}, `If nobody answers by ${when}, it is `, fallback, ".");
}

/** What became of one, in a line. @param {Question} question */
function row(question) {
  const { answer, words } = ending(question);
  return h(
    "li",
    { class: "ended" },
    h("span", { class: "ended__question", dir: "auto", text: question.question }),
    answer === null ? null : h("strong", { class: "ended__answer", dir: "auto", text: answer }),
    h(
      "span",
      { class: "ended__words small muted" },
      h("bdi", { text: words }),
      " · ",
      question.answered && h("time", { datetime: question.answered, text: ago(question.answered) }),
    ),
  );
}

/** How long ago they have ended is not true for ever. */
function age() {
  for (const one of byId("questions").querySelectorAll("time")) setText(one, ago(one.dateTime));
}
