/** An address at which there is no service: nothing that a retry would change, and the server may be on its way. */

/** @import { Http } from "./http.js" */
/** @import { Fault } from "./index.js" */
/** @import { Environment } from "./internal.js" */

const NOWHERE = 3; // times that nothing is found at an address, before the page's developer is told

/**
 * To be called with each fault before the first connection, which it gives back; it warns once.
 *
 * @param {Environment} env
 * @param {Http} http
 */
export function whenNowhere(env, http) {
  let count = 0;
  /** @param {Fault} fault */
  return (fault) => {
    if (fault.status === 404 && (count += 1) === NOWHERE)
      env.warn(`twinwire: there is no stream below ${http.url("")}: is baseUrl right?`);
    return fault;
  };
}
