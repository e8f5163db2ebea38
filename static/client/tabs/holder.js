/** Who holds a Web Lock, as the browser calls him: asked of the browser, since he himself may hang. */

/**
 * null where nobody does, or the browser does not say.
 *
 * @param {LockManager | null} locks
 * @param {string} name
 * @returns {Promise<string | null>}
 */
export async function holderOf(locks, name) {
  try {
    const { held = [] } = (await locks?.query?.()) ?? {};
    return held.find((lock) => lock.name === name)?.clientId ?? null;
  } catch {
    return null;
  }
}
