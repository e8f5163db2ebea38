/**
 * What a connection says to the server while it runs: client messages, changes of its topics, and what is wanted beside
 * the log. Over which link, and how one is made anew, the connection knows.
 */

import { Attendance } from "./attendance.js";
import { Requests } from "./requests.js";
import { TopicSet, carrierOf } from "./topic-set.js";

/** @import { Context } from "./internal.js" */
/** @import { InnerSource, RootSource, SourceListener } from "./source.js" */
/** @import { Line } from "./topic-set.js" */

export class Speaker {
  /**
   * @param {Context} context
   * @param {readonly string[] | null} topics
   * @param {SourceListener} listener
   * @param {Line} line
   */
  constructor(context, topics, listener, line) {
    this.requests = new Requests(context.env);
    this.topics = new TopicSet(topics, carrierOf(this.requests, line));
    this.attendance = new Attendance(context, {
      link: line.link,
      ask: (message) => this.requests.send(line.link(), message),
      topics: () => this.topics.asked,
      renew: line.restart,
      tell: (word) => listener.beside(word),
    });
    /** Rejects with UnansweredError if there is no WebSocket. @type {RootSource["request"]} */
    this.request = (message) => this.requests.send(line.link(), message);
  }

  /** @type {RootSource["subscribe"]} */
  subscribe = (topics) => this.topics.add(topics);
  /** @type {RootSource["unsubscribe"]} */
  unsubscribe = (topics) => this.topics.remove(topics);
  /** @type {InnerSource["attend"]} */
  attend = (wanted, lapsed) => this.attendance.attend(wanted, lapsed);
  /** @type {RootSource["ask"]} */
  ask = (place) => this.attendance.ask(place);
  again = () => this.attendance.again();
  /** @type {RootSource["rest"]} */
  rest = (members) => this.attendance.rest(members);

  /** Nothing more is said. */
  silence() {
    this.topics.closed();
    this.attendance.end();
  }
}
