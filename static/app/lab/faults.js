/** The faults of the lab: each a button, and each to be begun and ended by whoever shows them. */

import { PING_TIMEOUT, STALL_HEARTBEATS } from "../../client/link.js";
import { byId } from "../shared/dom.js";

/** @import { Stream } from "../../client/index.js" */
/** @import { BreakableNetwork } from "./network.js" */
/** @import { Timeline } from "./timeline.js" */

const OFFLINE_FOR = 10_000; // milliseconds
const SWALLOWED = 5; // events
/** Frozen for so long, the client is asked to look whether its connection still lives, milliseconds. */
const ASK_AFTER = 5_000;
/** So much later it would have given up, and something else is wrong, milliseconds. */
const LATE = 5_000;

/**
 * `stream()` is the one that is broken, `tell(words)` says what happens.
 *
 * @typedef {object} Lab
 * @property {BreakableNetwork} network
 * @property {Timeline} timeline
 * @property {(words: string) => void} tell
 * @property {() => Stream | null} stream
 */
/** @typedef {ReturnType<typeof createFaults>} Faults */

/** @param {Lab} lab */
export function createFaults(lab) {
  const { network, timeline, tell } = lab;
  const freezer = createFreezer(lab);
  const faults = {
    block: toggle(byId("block"), () => block(lab)),
    freeze: freezer.button,
    /** Seconds until the client gives up what is frozen; null if nothing is. */
    frozenFor: freezer.left,
    drop() {
      timeline.mark("drop");
      tell("The connection was cut, without a word to either side.");
      network.drop();
    },
    swallow() {
      network.swallow(SWALLOWED);
      tell(
        `The next ${SWALLOWED} events are lost on their way over a stream. The one after them gives it away.`,
      );
    },
    offline: createOffline(lab),
    /** Put right whatever is broken, by whomever. */
    end() {
      faults.block.end();
      faults.freeze.end();
      faults.offline.end();
      network.swallow(0);
    },
  };
  byId("drop").addEventListener("click", faults.drop);
  byId("swallow").addEventListener("click", faults.swallow);
  byId("offline").addEventListener("click", () => {
    faults.offline.begin("Offline for 10 seconds. Publish something meanwhile.", OFFLINE_FOR);
  });
  return faults;
}

/** @param {Lab} lab */
function createOffline({ network, timeline, tell }) {
  const button = byId("offline", HTMLButtonElement);
  /** @type {(() => void) | null} */
  let end = null;
  const self = {
    /**
     * @param {string} words
     * @param {number} [time] milliseconds after which it ends by itself
     */
    begin(words, time) {
      if (end !== null) return;
      const endFault = timeline.begin("fault");
      const timer = time === undefined ? undefined : setTimeout(self.end, time);
      button.disabled = true;
      network.setOnline(false);
      tell(words);
      end = () => {
        clearTimeout(timer);
        endFault();
        button.disabled = false;
        network.setOnline(true);
        tell("Online again.");
      };
    },
    end() {
      const act = end;
      end = null;
      act?.();
    },
  };
  return self;
}

/** @param {Lab} lab */
function block({ network, timeline, tell, stream }) {
  const endFault = timeline.begin("fault");
  network.blockWebSocket = true;
  if (stream()?.transport === "websocket") network.drop();
  tell("WebSocket is blocked, as behind many corporate proxies. HTTP still works.");
  return () => {
    endFault();
    network.blockWebSocket = false;
    tell("WebSocket works again. The client finds out by itself and moves back without losing its place.");
  };
}

/**
 * Only what is open falls silent: once the client has given it up, the fault is over.
 *
 * @param {Lab} lab
 */
function createFreezer({ network, timeline, tell, stream }) {
  /** When the client will have given up what is frozen, in Unix milliseconds. @type {number | null} */
  let until = null;

  const begin = () => {
    const frozen = stream();
    const endFault = timeline.begin("fault");
    const canAsk = frozen?.transport === "websocket";
    const patience = canAsk ? ASK_AFTER + PING_TIMEOUT : (frozen?.heartbeat ?? 0) * STALL_HEARTBEATS * 1_000;
    until = Date.now() + patience;
    network.freeze();
    const how = canAsk
      ? "In 5 s the client asks whether it still lives, as it does when a tab is shown again"
      : `The client gives it up after ${STALL_HEARTBEATS} heartbeats without a sign (${Math.round(patience / 1_000)} s)`;
    tell(`Frozen: open, but silent. ${how}.`);
    const asking = setTimeout(() => {
      if (canAsk) network.page.dispatchEvent(new Event("online"));
    }, ASK_AFTER);
    const endWatch = frozen?.on(":fault", ({ probe }) => {
      if (!probe) button.end("The client has given the frozen connection up; the next one is not frozen.");
    });
    return (words = "Thawed: what was held back goes through, if the connection still exists.") => {
      clearTimeout(asking);
      endWatch?.();
      until = null;
      endFault();
      network.thaw();
      tell(words);
    };
  };

  const button = toggle(byId("freeze"), begin);
  return {
    button,
    /** @param {number} now */
    left: (now) =>
      until === null || now > until + LATE ? null : Math.max(0, Math.ceil((until - now) / 1_000)),
  };
}

/**
 * A button that is pressed or not: `begin` returns the function that ends what it began, with words of its own.
 *
 * @param {HTMLElement} button
 * @param {() => (words?: string) => void} begin
 */
function toggle(button, begin) {
  /** @type {((words?: string) => void) | null} */
  let end = null;
  const show = () => button.setAttribute("aria-pressed", String(end !== null));
  const self = {
    begin() {
      end ??= begin();
      show();
    },
    /** @param {string} [words] */
    end(words) {
      const act = end;
      end = null;
      act?.(words);
      show();
    },
  };
  button.addEventListener("click", () => (end ? self.end() : self.begin()));
  return self;
}
