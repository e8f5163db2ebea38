/**
 * Who may come in, by the rules of docs/protocol.md, section 9: tokens that are known, and when they end. Without
 * any, nobody is asked who he is.
 */

const WARNINGS = [60_000, 15_000]; // ms before the end

export class Guard {
  /** By token: `{subject, ends}`, milliseconds of the clock. */
  #known = new Map();
  /** By ticket: the token that it was made from. Each is good once. */
  #tickets = new Map();
  /** Streams that run, by connection. */
  #streams = new Map();
  #count = 0;
  /** Tokens that running streams were told: `{connection, token, by}`. */
  renewals = [];

  constructor(clock) {
    this.clock = clock;
  }

  add(token, subject, ends = Infinity) {
    this.#known.set(token, { token, subject, ends });
    return token;
  }

  /** Forgets a token, and ends its streams. */
  revoke(token) {
    this.#known.delete(token);
    for (const stream of [...this.#streams.values()])
      if (stream.bearer.token === token) this.#end(stream, "revoked");
  }

  /** The bearer of a token, or null. Without any tokens everybody is nobody, and welcome. */
  bearer(token) {
    if (this.#known.size === 0) return { token: null, subject: null, ends: Infinity };
    const found = this.#known.get(token);
    return found && found.ends > this.clock.now() ? found : null;
  }

  ticket(token) {
    const ticket = `tk_${(this.#count += 1)}`;
    this.#tickets.set(ticket, token);
    return ticket;
  }

  redeem(ticket) {
    const token = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    return this.bearer(token);
  }

  fields({ subject, ends }) {
    return { subject, expires: ends === Infinity ? null : new Date(ends).toISOString() };
  }

  /** A stream of this bearer begins; what its connection frame says. `send`, then `end` at the end. */
  open(bearer, send, end) {
    const connection = `c${(this.#count += 1)}`;
    const stream = { connection, bearer, send, end, timers: [] };
    this.#streams.set(connection, stream);
    // After the connection frame.
    this.clock.setTimeout(() => this.#watch(stream), 0);
    return { connection, ...this.fields(bearer) };
  }

  close(connection) {
    const stream = this.#streams.get(connection);
    this.#streams.delete(connection);
    for (const timer of stream?.timers ?? []) this.clock.clearTimeout(timer);
  }

  #watch(stream) {
    for (const timer of stream.timers.splice(0)) this.clock.clearTimeout(timer);
    const left = stream.bearer.ends - this.clock.now();
    if (left === Infinity || !this.#streams.has(stream.connection)) return;
    const due = WARNINGS.filter((at) => left > at).map((at) => left - at);
    const times = left <= WARNINGS[0] ? [0, ...due] : due;
    for (const ms of times)
      stream.timers.push(this.clock.setTimeout(() => this.#tell(stream, "expiring"), ms));
    stream.timers.push(this.clock.setTimeout(() => this.#end(stream, "expired"), left));
  }

  #tell(stream, state, more = {}) {
    const left = stream.bearer.ends - this.clock.now();
    const seconds = left === Infinity ? null : Math.round(left / 1_000);
    stream.send({ type: "auth", state, ...this.fields(stream.bearer), in: seconds, ...more });
  }

  #end(stream, detail) {
    stream.send({ type: "goodbye", reason: "auth", detail, code: 1008, retry: null });
    this.close(stream.connection);
    stream.end();
  }

  /** Takes patterns off a stream's filter, as rights that do not cover them would. */
  reduce(lost) {
    for (const stream of this.#streams.values()) this.#tell(stream, "reduced", { lost });
  }

  /** Another token for a running stream: a status. */
  renew(connection, token, by) {
    const bearer = this.bearer(token);
    const stream = this.#streams.get(connection);
    if (bearer === null) return 401;
    if (stream === undefined) return 404;
    if (stream.bearer.subject !== bearer.subject) return by === "http" ? 404 : 403;
    this.renewals.push({ connection, token, by });
    stream.bearer = bearer;
    this.#tell(stream, "renewed");
    this.#watch(stream);
    return 200;
  }
}
