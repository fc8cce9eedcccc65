// The server's time. What each answer bears as its date says by how much this machine's clock is off; a machine whose
// clock may be right is believed.

import { utc as momentOf } from '../../clients/js/src/time.js';

const SECOND_MS = 1_000;

/** By how much the server's clock is ahead, in ms, lies between these. */
let [low, high] = [-Infinity, Infinity];

/**
 * An answer came.
 *
 * @param {string | null} date as it says, in whole seconds
 * @param {number} sentAt when it was asked for, by this machine's clock, in ms since 1970
 * @param {number} receivedAt
 */
function served(date, sentAt, receivedAt) {
  const at = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(at)) return;
  const [least, most] = [at - receivedAt, at + SECOND_MS - sentAt];
  // If it contradicts what is known, one of the clocks was set.
  const isNews = least > high || most < low;
  [low, high] = isNews ? [least, most] : [Math.max(low, least), Math.min(high, most)];
}

/** `fetch`, from whose answers the time is learnt. @type {typeof fetch} */
export async function timed(place, options) {
  const sentAt = Date.now();
  const response = await fetch(place, options);
  served(response.headers.get('Date'), sentAt, Date.now());
  return response;
}

/** The time by the server's clock, in ms since 1970. */
export function serverNow() {
  const isRight = low <= 0 && high >= 0;
  return Date.now() + (isRight ? 0 : (low + high) / 2);
}

/** The moment of a time that says no zone, in ms since 1970. @param {string} text */
export const utc = (text) => momentOf(text).getTime();
