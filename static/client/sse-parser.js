/**
 * The event stream format of the WHATWG HTML standard, section 9.2.6, incrementally: a character, a line or a
 * line end may be cut anywhere by a chunk boundary. No I/O.
 */

/** Characters of one unfinished event; frames are 64 KiB by default, so more is not ours. */
const PENDING_MAX = 4 * 1024 * 1024;

/**
 * Where the next line ends, from `from` on; -1 if it does not. One look for CR serves all lines up to it.
 *
 * @param {string} text
 * @returns {(from: number) => number}
 */
function lineEnds(text) {
  let cr = -2;
  return (from) => {
    const lf = text.indexOf("\n", from);
    if (cr !== -1 && cr < from) cr = text.indexOf("\r", from);
    if (lf < 0) return cr;
    return cr < 0 ? lf : Math.min(lf, cr);
  };
}

export class EventStreamParser {
  #decoder = new TextDecoder("utf-8"); // drops a leading BOM and replaces malformed bytes, as 9.2.6 asks
  #rest = "";
  #afterCr = false;
  /** Lines of the event that is coming in. @type {string[]} */
  #data = [];
  #size = 0;
  #type = "";
  #lastId = "";
  #dispatch;
  #retry;

  /**
   * `dispatch` gets each event, `retry` the milliseconds of each `retry:` field.
   *
   * @param {(event: { type: string, data: string, id: string }) => void} dispatch
   * @param {(ms: number) => void} retry
   */
  constructor(dispatch, retry = () => {}) {
    this.#dispatch = dispatch;
    this.#retry = retry;
  }

  /**
   * Takes the next bytes. Throws RangeError when one event outgrows every sane bound.
   *
   * @param {Uint8Array} bytes
   */
  feed(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return;
    if (this.#afterCr && text[0] === "\n") text = text.slice(1);
    this.#afterCr = false;
    const scanned = this.#rest.length;
    this.#lines(this.#rest + text, scanned);
    if (this.#rest.length + this.#size > PENDING_MAX)
      throw new RangeError("an event of the stream is too large");
  }

  /**
   * @param {string} text
   * @param {number} scanned characters in which there is no line end
   */
  #lines(text, scanned) {
    const lineEnd = lineEnds(text);
    let start = 0;
    for (let end = lineEnd(scanned); end >= 0; end = lineEnd(start)) {
      this.#line(text.slice(start, end));
      start = end + 1;
      if (text[end] !== "\r") continue;
      if (start === text.length)
        this.#afterCr = true; // the LF of a CRLF may open the next chunk
      else if (text[start] === "\n") start += 1;
    }
    this.#rest = text.slice(start);
  }

  /** @param {string} line */
  #line(line) {
    if (line === "") return this.#end();
    const colon = line.indexOf(":");
    if (colon === 0) return undefined; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const skip = line[colon + 1] === " " ? 2 : 1;
    return this.#field(name, colon < 0 ? "" : line.slice(colon + skip));
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  #field(name, value) {
    if (name === "data") {
      this.#data.push(value);
      this.#size += value.length;
    } else if (name === "event") this.#type = value;
    else if (name === "id" && !value.includes("\0")) this.#lastId = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.#retry(Number(value));
  }

  #end() {
    const type = this.#type || "message";
    const data = this.#data;
    this.#type = "";
    this.#data = [];
    this.#size = 0;
    if (data.length > 0) this.#dispatch({ type, data: data.join("\n"), id: this.#lastId });
  }
}
