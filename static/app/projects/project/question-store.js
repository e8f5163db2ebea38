/**
 * The questions of one project as the page knows them. No DOM here.
 *
 * A question is open, then closed, then perhaps gone, and never goes back: so a list that was loaded and events that
 * came meanwhile, or come again, may be taken in any order.
 */

/**
 * As the service tells it (docs/protocol.md, section 6), in its list and in events.
 *
 * @typedef {object} Question
 * @property {string} id
 * @property {number | null} run
 * @property {string} question
 * @property {string[] | null} choices null: any line of text is an answer
 * @property {string | null} default
 * @property {string | null} agent that asks it; null: `author` does
 * @property {string | null} author
 * @property {string} asked RFC 3339
 * @property {string} deadline
 * @property {"person" | "default" | "unanswered" | "withdrawn" | null} how null while it is open
 * @property {string | null} answer
 * @property {string | null} by
 * @property {string | null} answered
 */

export const SUBJECT = "questions/";

/** @param {unknown} value */
const isText = (value) => typeof value === "string";
/** @param {unknown} value */
const mayBeText = (value) => value === null || isText(value);
/** @param {unknown} value */
const isTime = (value) => typeof value === "string" && !Number.isNaN(Date.parse(value));

/**
 * A log may hold events from before these types were the application's own.
 *
 * @param {unknown} data
 * @returns {data is Question}
 */
export function isQuestion(data) {
  if (typeof data !== "object" || data === null) return false;
  const one = /** @type {Record<string, unknown>} */ (data);
  return (
    isText(one.id) &&
    isText(one.question) &&
    (one.choices === null || (Array.isArray(one.choices) && one.choices.every(isText))) &&
    [one.default, one.agent, one.author, one.how, one.answer, one.by].every(mayBeText) &&
    isTime(one.asked) &&
    isTime(one.deadline) &&
    (one.answered === null || isTime(one.answered))
  );
}

export class QuestionStore {
  /** By id. @type {Map<string, Question>} */
  #all = new Map();
  /** Ids of those that have gone. @type {Set<string>} */
  #gone = new Set();

  /** Of all that are known. */
  get ids() {
    return [...this.#all.keys()];
  }

  /**
   * A list from the service. Those that were known `before` it was asked for, and are not in it, have gone.
   *
   * @param {readonly Question[]} list
   * @param {readonly string[]} before
   */
  load(list, before) {
    const there = new Set(list.map(({ id }) => id));
    for (const id of before) if (!there.has(id)) this.remove(id);
    for (const one of list) this.take(one);
  }

  /** As an event tells it; whether that is news. @param {Question} question */
  take(question) {
    const known = this.#all.get(question.id);
    if (this.#gone.has(question.id) || (known !== undefined && (known.how !== null || question.how === null)))
      return false;
    this.#all.set(question.id, question);
    return true;
  }

  /** It has gone. @param {string} id */
  remove(id) {
    this.#gone.add(id);
    return this.#all.delete(id);
  }

  /** @param {string} id */
  get(id) {
    return this.#all.get(id);
  }

  /** The oldest first: it has waited longest. */
  get open() {
    return [...this.#all.values()]
      .filter(({ how }) => how === null)
      .sort((a, b) => a.asked.localeCompare(b.asked));
  }

  /** Those that ended last first. */
  get closed() {
    return [...this.#all.values()]
      .filter(({ how }) => how !== null)
      .sort((a, b) => (b.answered ?? b.asked).localeCompare(a.answered ?? a.asked));
  }
}

/** Who asks, as the beginning of a sentence. @param {Question} question */
export function asker({ agent, author }) {
  if (agent !== null) return `The ${agent} agent`;
  return author ?? "A command";
}

/** What became of it, in words for people. @param {Question} question */
export function ending({ how, answer, by }) {
  if (how === "person") return { answer, words: by === null ? "answered by somebody" : `answered by ${by}` };
  if (how === "default") return { answer, words: "the default: nobody answered in time" };
  if (how === "withdrawn") return { answer: null, words: by === null ? "withdrawn" : `withdrawn by ${by}` };
  return { answer: null, words: how === null ? "open" : "nobody answered in time" };
}

/**
 * How long it is open yet, in words that change no more than once a second; and as a part of all its time.
 *
 * @param {Question} question
 * @param {number} now Unix ms
 */
export function left({ asked, deadline }, now) {
  const end = Date.parse(deadline);
  const seconds = Math.max(0, Math.ceil((end - now) / 1000));
  const whole = Math.max(1, end - Date.parse(asked));
  const fraction = Math.min(1, Math.max(0, (end - now) / whole));
  if (seconds === 0) return { words: "time is over", fraction };
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const rest = String(seconds % 60).padStart(2, "0");
  if (hours > 0) return { words: `${hours} h ${String(minutes).padStart(2, "0")} min left`, fraction };
  return { words: minutes > 0 ? `${minutes}:${rest} min left` : `${seconds} s left`, fraction };
}
