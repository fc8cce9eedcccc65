// Requests to the server that served this page, and what is said of those that fail.

import { ask as request } from '../../clients/js/src/http.js';
import { Refused } from '../../clients/js/src/refused.js';
import { timed } from './clock.js';

export { pages } from '../../clients/js/src/http.js';
export { Refused };

/**
 * Asks and gives the JSON of the answer, `null` if it has none; the server's clock is noted beside.
 *
 * @type {typeof request}
 */
export const ask = (place, options) => request(place, { ...options, fetch: timed });

/**
 * What went wrong, in words for whoever sits before it.
 *
 * @param {unknown} error
 */
export function words(error) {
  if (error instanceof Refused) return error.message;
  return 'the server cannot be reached';
}

/** Words as a sentence. @param {string} words */
export function sentence(words) {
  const begun = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.?!]$/.test(begun) ? begun : `${begun}.`;
}
