// What a browser tells a page of its network and of itself. In Node there is nothing of it.

/**
 * @typedef {object} Surroundings
 * @property {() => void} online there is a network again
 * @property {() => void} offline there is none
 * @property {() => void} shown somebody looks at the page again, or it was woken up
 */

/**
 * Calls these, until the function that is returned is called.
 *
 * @param {Surroundings} heard
 * @returns {() => void}
 */
export function surroundings({ online, offline, shown }) {
  const ends = new AbortController();
  const { signal } = ends;
  const isShown = () => !globalThis.document?.hidden && shown();
  globalThis.addEventListener?.('online', online, { signal });
  globalThis.addEventListener?.('offline', offline, { signal });
  globalThis.addEventListener?.('pageshow', (event) => event.persisted && shown(), { signal });
  globalThis.document?.addEventListener('visibilitychange', isShown, { signal });
  globalThis.document?.addEventListener('resume', isShown, { signal });
  return () => ends.abort();
}
