/** Where a text stops being JSON (RFC 8259), and what should stand there: browsers say it each in their own way, or not. No DOM here. */

/** @typedef {{ at: number, line: number, column: number, words: string }} JsonFault */

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
/** What may stand in a string up to the next thing that needs a look. */
const PLAIN = /(?:(?!\p{Cc})[^"\\]|[\u007f-\u009f])*/uy;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;
/** What stands there instead, as people would name it. */
const SEEN = /[\p{L}\p{N}_$]{1,20}|./suy;
/** What people can't see, such as a blank that does not break. */
const UNSEEN = /^[\p{Z}\p{C}]/u;

/** What is expected next; the words of each. */
const WANTED = {
  value: "a value",
  first: "a value or ]",
  name: "a name in double quotes",
  firstName: "a name in double quotes or }",
  colon: "a colon",
  inArray: "a comma or ]",
  inObject: "a comma or }",
  end: "the end",
};

/** @typedef {keyof typeof WANTED} Wanted */

/**
 * The first fault of a text; null if it is JSON.
 *
 * @param {string} text
 * @returns {JsonFault | null}
 */
export function jsonFault(text) {
  try {
    JSON.parse(text);
    return null;
  } catch {
    return new Reader(text).read();
  }
}

/** Reads without a stack of calls: a text may be as deep as it is long. */
class Reader {
  #text;
  #at = 0;
  /** What is open, outermost first. @type {("inArray" | "inObject")[]} */
  #open = [];

  /** @param {string} text */
  constructor(text) {
    this.#text = text;
  }

  read() {
    /** @type {Wanted} */
    let wanted = "value";
    for (;;) {
      this.#take(SPACE);
      const next = this.#text[this.#at];
      if (wanted === "end" && next === undefined) return null;
      /** @type {Wanted | JsonFault} */
      const found = this.#step(wanted, next);
      if (typeof found !== "string") return found;
      wanted = found;
    }
  }

  /**
   * @param {Wanted} wanted
   * @param {string | undefined} next
   * @returns {Wanted | JsonFault}
   */
  #step(wanted, next) {
    switch (wanted) {
      case "first":
        return next === "]" ? this.#close() : this.#value("first", next);
      case "value":
        return this.#value("value", next);
      case "firstName":
        if (next === "}") return this.#close();
        return next === '"' ? (this.#string() ?? "colon") : this.#missing("firstName");
      case "name":
        return next === '"' ? (this.#string() ?? "colon") : this.#missing("name");
      case "colon":
        return next === ":" ? this.#past("value") : this.#missing("colon");
      case "inArray":
        if (next === "]") return this.#close();
        return next === "," ? this.#past("value") : this.#missing("inArray");
      case "inObject":
        if (next === "}") return this.#close();
        return next === "," ? this.#past("name") : this.#missing("inObject");
      default:
        return this.#missing("end");
    }
  }

  /**
   * @param {Wanted} wanted
   * @param {string | undefined} next
   */
  #value(wanted, next) {
    if (next === "[") {
      this.#open.push("inArray");
      return this.#past("first");
    }
    if (next === "{") {
      this.#open.push("inObject");
      return this.#past("firstName");
    }
    if (next === '"') return this.#string() ?? this.#after();
    return this.#take(NUMBER) || this.#take(WORD) ? this.#after() : this.#missing(wanted);
  }

  /** A string, of which the first quote is next; null if it is one. */
  #string() {
    this.#at += 1;
    for (;;) {
      this.#take(PLAIN);
      const next = this.#text[this.#at];
      if (next === '"') {
        this.#at += 1;
        return null;
      }
      if (next === undefined || next === "\n" || next === "\r")
        return this.#fault("a string is not closed here: a double quote is missing, or \\n for a line break");
      if (next !== "\\") return this.#fault("a control character has to be spelt, such as \\t, in a string");
      if (!this.#take(ESCAPE))
        return this.#fault('after \\ in a string stands one of "\\/bfnrt, or u and four digits');
    }
  }

  #close() {
    this.#open.pop();
    this.#at += 1;
    return this.#after();
  }

  /** What is expected after a value. @returns {Wanted} */
  #after() {
    return this.#open.at(-1) ?? "end";
  }

  /** One character further. @template {Wanted} T @param {T} wanted */
  #past(wanted) {
    this.#at += 1;
    return wanted;
  }

  /** Go past what matches; whether anything did. @param {RegExp} sticky */
  #take(sticky) {
    sticky.lastIndex = this.#at;
    if (!sticky.test(this.#text)) return false;
    this.#at = sticky.lastIndex;
    return true;
  }

  /** @param {Wanted} wanted */
  #missing(wanted) {
    return this.#fault(`${WANTED[wanted]} is expected, ${this.#seen()}`);
  }

  #seen() {
    SEEN.lastIndex = this.#at;
    const seen = SEEN.exec(this.#text)?.[0];
    if (seen === undefined) return "and the text ends";
    const code = seen.codePointAt(0) ?? 0;
    return `not ${UNSEEN.test(seen) ? `U+${code.toString(16).toUpperCase().padStart(4, "0")}` : seen}`;
  }

  /** @param {string} words @returns {JsonFault} */
  #fault(words) {
    const before = this.#text.slice(0, this.#at).split(/\r\n|\r|\n/);
    const column = [...(before.at(-1) ?? "")].length + 1; // as people count
    return { at: this.#at, line: before.length, column, words };
  }
}
