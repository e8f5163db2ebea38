/** What a stream could not deliver, in words. A cursor follows each: where it goes on. No DOM here. */

/** @import { GapFrame, StreamNotices } from "../../client/index.js" */

const GAPS = {
  trimmed: "retention took events before they could be replayed",
  compacted: "newer events replaced some before they could be replayed",
  epoch: "this is another log than before",
  ahead: "the cursor lies beyond the log's head",
  malformed: "that was no cursor",
};

/** @param {GapFrame} gap */
export const gapWords = ({ reason, requested }) => `Gap: ${GAPS[reason]}. Asked for ${requested}, goes on at`;

/** @param {StreamNotices[":anomaly"]} anomaly */
export function anomalyWords({ kind, repaired }) {
  const what =
    kind === "prev"
      ? "The chain of “prev” is broken: events were lost on the way"
      : "An event of another log";
  return `${what}. ${repaired ? "Repaired by a re-read" : "Reading again"} from`;
}
