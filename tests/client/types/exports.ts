/** index.d.ts against the code, read by tsc only: what a page is promised, the modules have. */

import * as declared from "../../../static/client/index.js";
import { connect } from "../../../static/client/connect.js";
import * as core from "../../../static/client/core.js";
import { compareCursors } from "../../../static/client/cursor.js";
import { DEFAULTS } from "../../../static/client/environment.js";
import { OverrunError, TwinwireError } from "../../../static/client/errors.js";
import { createFacade } from "../../../static/client/facade.js";
import { AuthState, FaultKind, Refusal, Role, State, Transport } from "../../../static/client/states.js";

interface Known {
  log: { message: string };
  completion: { files: number };
}

// Each value that is declared is there, and can be called as it is declared to be; no further one is declared.
const exported: {
  compareCursors: typeof declared.compareCursors;
  connect: typeof declared.connect<Known>;
  createFacade: typeof declared.createFacade<Known>;
  OverrunError: typeof declared.OverrunError;
  TwinwireError: typeof declared.TwinwireError;
} = { compareCursors, connect, createFacade, OverrunError, TwinwireError };
const complete: Record<keyof typeof declared, unknown> = exported;

// The one without tabs has the same, but for the façade.
const small: Record<Exclude<keyof typeof declared, "createFacade">, unknown> = core;

/** An error unless both are the same. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
type Value<T> = T[keyof T];

// The closed sets of states.js are those of the declarations, no word more and no word less.
const sets: [
  Same<Value<typeof State>, declared.StreamState>,
  Same<Value<typeof Transport>, declared.TransportName>,
  Same<Value<typeof FaultKind>, declared.Fault["kind"]>,
  Same<Value<typeof Role>, NonNullable<declared.Stream["role"]>>,
  Same<Value<typeof AuthState>, declared.AuthNotice["state"]>,
  Same<Value<typeof Refusal>, declared.RefusalReason>,
] = [true, true, true, true, true, true];

// Each number that has a default is an option, and the other way round.
type Numbers = {
  [K in keyof declared.ConnectOptions]-?: declared.ConnectOptions[K] extends number | undefined ? K : never;
};
const options: Same<keyof typeof DEFAULTS, Value<Numbers>> = true;

void [complete, small, sets, options];
